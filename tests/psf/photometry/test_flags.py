"""Flags taken apart."""

import numpy as np
import pytest

from psfphot.psf import PSF_FLAGS, decode_psf_flags


def test_flags_are_decoded_in_the_shape_that_they_come_in():
    assert decode_psf_flags(5) == ["n_pixels_fit_partial", "non_positive_flux"]
    assert decode_psf_flags(np.int64(0)) == []
    assert decode_psf_flags([0, 4096]) == [[], ["position_outside_fit_region"]]
    assert decode_psf_flags([[8], [3]], return_bit_values=True) == [[[8]], [[1, 2]]]
    assert decode_psf_flags([]) == []
    assert decode_psf_flags(sum(PSF_FLAGS.bit_values)) == PSF_FLAGS.names


def test_flags_by_name_and_by_bit():
    assert PSF_FLAGS.N_PIXELS_FIT_PARTIAL == 1
    assert PSF_FLAGS.NEAR_BOUND == PSF_FLAGS.PARAMETER_NEAR_BOUND == 32
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
