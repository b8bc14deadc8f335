"""Settings: what is refused, and what a PSF's width makes of them."""

import dataclasses

import pytest

from psfphot.pipeline import Settings


def test_everything_automatic_follows_the_width():
    resolved = Settings().resolve(2.6)
    assert resolved.fwhm == 2.6
    assert resolved.min_separation == 2.6
    assert Settings(finder="dao").resolve(2.6).min_separation == 5.2
    assert resolved.fit_shape == (7, 7)
    assert resolved.aperture_radius == 3.5
    assert resolved.group_separation == 15
    assert resolved.group_box == (15, 15)
    assert resolved.local_bkg is None
    assert Settings(local_bkg="auto").resolve(2.6).local_bkg == (14, 28)
    assert resolved.max_shift == (3, 3)


def test_narrow_psfs_have_a_box_of_five_pixels():
    assert Settings().resolve(0.9).fit_shape == (5, 5)


def test_what_is_given_counts():
    given = Settings(
        fwhm=3.0,
        min_separation=0,
        fit_shape=(5, 9),
        aperture_radius=2.0,
        group_separation=8,
        local_bkg=(6, 9),
        max_shift=1.5,
    )
    resolved = given.resolve(2.6)
    assert (resolved.fwhm, resolved.min_separation) == (3.0, 0)
    assert (resolved.fit_shape, resolved.aperture_radius) == ((5, 9), 2.0)
    # A distance that is asked for is not lowered.
    assert (resolved.group_separation, resolved.group_box) == (8, None)
    assert (resolved.local_bkg, resolved.max_shift) == ((6, 9), (1.5, 1.5))


def test_the_shift_is_x_and_y_and_the_box_y_and_x():
    assert Settings(fit_shape=(5, 9)).resolve(2.0).max_shift == (4, 2)


def test_none_turns_off():
    off = Settings(group_separation=None, local_bkg=None, max_shift=None).resolve(2.0)
    assert off.group_separation is off.group_box is None
    assert off.local_bkg is off.max_shift is None


def test_fixed_positions_do_not_move():
    assert Settings(forced=True, max_shift=2.0).resolve(2.0).max_shift is None


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"threshold": 0}, ValueError, "threshold must be positive"),
        ({"threshold": "auto"}, TypeError, "threshold must be a number"),
        ({"fwhm": None}, TypeError, "fwhm must be a number"),
        ({"fwhm": "wide"}, TypeError, "fwhm must be a number"),
        ({"min_separation": -0.1}, ValueError, "separation must not be negative"),
        ({"finder": "sex"}, ValueError, "finder must be one of matched, dao, iraf"),
        ({"min_separation": float("nan")}, ValueError, "min_separation must be finite"),
        ({"fit_shape": 4}, ValueError, "fit_shape must be odd, got 4"),
        ({"fit_shape": (5, 5, 5)}, ValueError, "fit_shape must have 1 or 2"),
        ({"local_bkg": 5}, TypeError, "local_bkg must be two radii"),
        ({"local_bkg": (9, 6)}, ValueError, "inner below outer"),
        ({"max_shift": float("inf")}, ValueError, "max_shift must be positive"),
        ({"zero_point": float("nan")}, ValueError, "zero_point must be finite"),
        ({"iterations": 0}, ValueError, "iterations must be"),
        ({"iterations": 2.5}, TypeError, "iterations must be"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
    ],
)
def test_settings_that_are_none(words, error, message):
    with pytest.raises(error, match=message):
        Settings(**words)


def test_rounds_are_five_or_one_at_known_positions():
    default, given = Settings().resolve(2.0), Settings(iterations=3).resolve(2.0)
    assert (default.rounds(are_given=False), default.rounds(are_given=True)) == (5, 1)
    assert (given.rounds(are_given=False), given.rounds(are_given=True)) == (3, 3)


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().threshold = 3
