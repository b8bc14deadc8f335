//! The errors of pixels that have none of their own.

use super::filter::Weights;
use crate::Error;
use crate::image::{Frame, Image, Pixel};

/// Where the errors of pixels come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Noise {
    /// The frame.
    Errors,
    /// The same for all pixels.
    Same(f64),
    /// The filtered image.
    Unknown,
}

impl Noise {
    pub(super) fn of<T: Pixel>(frame: &Frame<'_, T>, given: Option<f64>) -> Self {
        match (frame.error(), given) {
            (Some(errors), _) => only_error(errors).map_or(Self::Errors, Self::Same),
            (None, Some(error)) => Self::Same(error),
            (None, None) => Self::Unknown,
        }
    }

    pub(super) fn weights(self) -> Weights {
        match self {
            Self::Errors => Weights::Errors,
            Self::Same(_) | Self::Unknown => Weights::Equal,
        }
    }
}

/// The error of all pixels that have a usable one, if it is the same.
fn only_error<T: Pixel>(errors: Image<'_, T>) -> Option<f64> {
    let usable = |error: f64| {
        let weight = 1.0 / (error * error);
        error > 0.0 && weight > 0.0 && weight.is_finite()
    };
    let mut all = errors.as_slice().iter().map(|&error| error.into());
    let first = all.find(|error| usable(*error))?;
    all.all(|error| error.to_bits() == first.to_bits() || !usable(error))
        .then_some(first)
}

/// The most pixels that the noise is measured in.
const SAMPLE: usize = 1 << 18;

/// From the S/N of unit errors to the error of a pixel.
pub(super) fn measured_noise<T: Pixel>(snr: &[f64], frame: &Frame<'_, T>) -> Result<f64, Error> {
    let step = snr.len().div_ceil(SAMPLE).max(1);
    // A step that no row's length divides, so that not only some columns count.
    let nx = frame.data().shape().1;
    let step = (step..)
        .find(|step| *step == 1 || nx % step != 0)
        .unwrap_or(step);
    let mut sample: Vec<f64> = snr.iter().step_by(step).copied().collect();
    sample.retain(|value| value.is_finite());
    let Some(centre) = middle_value(&mut sample) else {
        return Ok(1.0);
    };
    sample.iter_mut().for_each(|v| *v = (*v - centre).abs());
    let noise = MAD_TO_SIGMA * middle_value(&mut sample).unwrap_or(0.0);
    let pixels = frame.data().as_slice().iter().step_by(step);
    let magnitude = pixels
        .map(|&value| f64::abs(value.into()))
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    // Less is the rounding of the sums.
    if noise > 1e-12 * magnitude {
        return Ok(noise);
    }
    if magnitude > 0.0 && snr.iter().any(|value| value.abs() > 1e-12 * magnitude) {
        return Err(Error::invalid(
            "error",
            "be given where the image has no noise that could be measured",
            "None",
        ));
    }
    Ok(1.0)
}

/// From the median absolute deviation of a Gaussian to its standard deviation.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The upper median; `None` of nothing.
fn middle_value(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    (half < values.len()).then(|| *values.select_nth_unstable_by(half, f64::total_cmp).1)
}
