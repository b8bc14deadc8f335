//! The errors of pixels that have none of their own.

use super::filter::Weights;
use crate::Error;
use crate::image::{Frame, Image, Pixel, weight_of};

/// Where the errors of pixels come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Noise {
    /// The frame.
    Errors,
    /// The same for all pixels.
    Same(f64),
    /// The filtered image; of pixels about as large as this.
    Unknown(f64),
}

impl Noise {
    pub(super) fn of<T: Pixel>(frame: &Frame<'_, T>, given: Option<f64>) -> Self {
        match (frame.error(), given) {
            (Some(errors), _) => only_error(errors).map_or(Self::Errors, Self::Same),
            (None, Some(error)) => Self::Same(error),
            (None, None) => Self::Unknown(magnitude(frame)),
        }
    }

    pub(super) fn weights(self) -> Weights {
        match self {
            Self::Errors => Weights::Errors,
            Self::Same(error) | Self::Unknown(error) => Weights::Equal(1.0 / (error * error)),
        }
    }

    /// The noise of the filtered image over that of its `weights`; `snr` gives
    /// S/N with these.
    pub(super) fn factor(self, snr: impl FnOnce() -> Vec<f64>) -> Result<f64, Error> {
        match self {
            Self::Errors | Self::Same(_) => Ok(1.0),
            Self::Unknown(_) => measured(&mut snr()),
        }
    }

    /// The error of a pixel of a frame without errors.
    pub(super) fn of_pixel(self, factor: f64) -> f64 {
        match self {
            Self::Errors => 1.0,
            Self::Same(error) | Self::Unknown(error) => factor * error,
        }
    }
}

/// Indices of at most some 260 000 of `n` values, whose step has no divisor in
/// common with the length of a row: not only some columns count.
pub(super) fn sample(n: usize, nx: usize) -> impl Iterator<Item = usize> {
    const MOST: usize = 1 << 18;
    let least = n.div_ceil(MOST).max(1);
    let is_even = |step: &usize| greatest_divisor(*step, nx.max(1)) == 1;
    let step = (least..2 * least + 1).find(is_even).unwrap_or(least);
    (0..n).step_by(step)
}

fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_divisor(b, a % b)
    }
}

/// The mean absolute value of the pixels, roughly; 1 if that is nothing.
fn magnitude<T: Pixel>(frame: &Frame<'_, T>) -> f64 {
    let data = frame.data();
    let values = sample(data.as_slice().len(), data.shape().1)
        .map(|k| f64::abs(data.as_slice()[k].into()))
        .filter(|value| value.is_finite());
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    let mean = sum / n;
    // Squares have to be numbers.
    if (1e-150..1e150).contains(&mean) {
        mean
    } else {
        1.0
    }
}

/// The error of all pixels that have a usable one, if it is the same.
fn only_error<T: Pixel>(errors: Image<'_, T>) -> Option<f64> {
    let usable = |error: f64| weight_of(error).is_some();
    let mut all = errors.as_slice().iter().map(|&error| error.into());
    let first = all.find(|error| usable(*error))?;
    all.all(|error| error.to_bits() == first.to_bits() || !usable(error))
        .then_some(first)
}

/// The standard deviation of S/N, from the median absolute deviation.
fn measured(snr: &mut Vec<f64>) -> Result<f64, Error> {
    snr.retain(|value| value.is_finite());
    let largest = snr
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let Some(centre) = middle_value(snr) else {
        return Ok(1.0);
    };
    snr.iter_mut().for_each(|v| *v = (*v - centre).abs());
    let noise = deviation(snr);
    // With weights of about 1/D² less is the rounding of the sums, and what is
    // larger must be something.
    if noise < ROUNDING && largest > ROUNDING {
        return Err(Error::invalid(
            "error",
            "be given where the image has no noise that could be measured",
            "None",
        ));
    }
    Ok(if noise < ROUNDING { 1.0 } else { noise })
}

/// S/N that rounding alone could give.
const ROUNDING: f64 = 1e-11;

/// From the median absolute deviation of a Gaussian to its standard deviation.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The standard deviation of a Gaussian with these absolute deviations from its
/// median; 0 of none.
pub(crate) fn deviation(absolute: &mut [f64]) -> f64 {
    MAD_TO_SIGMA * middle_value(absolute).unwrap_or(0.0)
}

/// The upper median; `None` of nothing.
fn middle_value(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    (half < values.len()).then(|| *values.select_nth_unstable_by(half, f64::total_cmp).1)
}
