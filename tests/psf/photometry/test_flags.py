"""Flags taken apart."""

import copy

import numpy as np
import pytest

from psfphot.psf import PSF_FLAGS, decode_psf_flags
from psfphot.utils.exceptions import PhotutilsDeprecationWarning


def test_flags_are_decoded_in_the_shape_that_they_come_in():
    assert decode_psf_flags(5) == ["n_pixels_fit_partial", "non_positive_flux"]
    assert decode_psf_flags(np.int64(0)) == []
    assert decode_psf_flags([0, 4096]) == [[], ["position_outside_fit_region"]]
    assert decode_psf_flags([[8], [3]], return_bit_values=True) == [[[8]], [[1, 2]]]
    assert decode_psf_flags([]) == []
    assert decode_psf_flags(sum(PSF_FLAGS.bit_values)) == PSF_FLAGS.names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("npixfit_partial", "n_pixels_fit_partial"),
        ("outside_bounds", "position_outside_image"),
        ("negative_flux", "non_positive_flux"),
        ("near_bound", "parameter_near_bound"),
        ("non_finite_localbkg", "non_finite_local_bkg"),
    ],
)
def test_old_names_give_the_new_flag_and_warn_where_they_stand(old, new):
    bit = getattr(PSF_FLAGS, new.upper())
    reads = [
        lambda: getattr(PSF_FLAGS, old.upper()),
        lambda: PSF_FLAGS.get_bit_value(old),
        lambda: PSF_FLAGS.get_definition(old).bit_value,
    ]
    for read in reads:
        with pytest.warns(PhotutilsDeprecationWarning, match=f"(?i){new}") as caught:
            assert read() == bit
        assert [each.filename for each in caught] == [__file__]


def test_flags_tell_of_themselves():
    assert PSF_FLAGS.domain == "psf"
    assert PSF_FLAGS.all_flags == PSF_FLAGS.FLAG_DEFINITIONS
    assert PSF_FLAGS.all_flags is not PSF_FLAGS.FLAG_DEFINITIONS
    assert copy.deepcopy(PSF_FLAGS).names == PSF_FLAGS.names
    for flag in PSF_FLAGS.all_flags:
        detailed = PSF_FLAGS.get_detailed_description(flag.name)
        assert detailed == flag.detailed_description
        assert detailed.lower().startswith(flag.description.lower())
        assert f"``'{flag.name}'``" in decode_psf_flags.__doc__
    with pytest.raises(AttributeError, match="NOTHING"):
        PSF_FLAGS.NOTHING  # noqa: B018
    for neither in (True, 1.0, None):
        with pytest.raises(TypeError, match="by its bit or its name"):
            PSF_FLAGS.get_definition(neither)


def test_flags_by_name_and_by_bit():
    assert PSF_FLAGS.N_PIXELS_FIT_PARTIAL == 1
    for flag in PSF_FLAGS.FLAG_DEFINITIONS:
        assert getattr(PSF_FLAGS, flag.name.upper()) == flag.bit_value
        assert PSF_FLAGS.get_name(flag.bit_value) == flag.name
        assert PSF_FLAGS.get_bit_value(flag.name) == flag.bit_value
        assert PSF_FLAGS.get_description(flag.name) == flag.description
        assert PSF_FLAGS.flag_dict[flag.bit_value] == flag.name
    with pytest.raises(KeyError, match="No flag with bit value 3"):
        PSF_FLAGS.get_name(3)
    with pytest.raises(KeyError, match="No flag with name 'x'"):
        PSF_FLAGS.get_description("x")


@pytest.mark.parametrize("bad", [True, 1.5, "a", [1.5], [True]])
def test_flags_that_are_not_integers_are_refused(bad):
    with pytest.raises(TypeError, match="must be an integer"):
        decode_psf_flags(bad)


def test_negative_flags_are_refused():
    with pytest.raises(ValueError, match="nonnegative"):
        decode_psf_flags([1, -1])
