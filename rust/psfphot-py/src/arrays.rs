//! Borrowed numpy arrays as the core's views.
//!
//! The Python package passes C-contiguous arrays of native byte order, `data`
//! and `error` of one dtype (`float32` or `float64`).

use numpy::{Element, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use psfphot::image::{Frame, Image, NoiseModel, Pixel};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::CallResult;

/// A two-dimensional image of either pixel type.
#[derive(FromPyObject)]
pub(crate) enum AnyImage<'py> {
    /// `float32`.
    F32(PyReadonlyArray2<'py, f32>),
    /// `float64`.
    F64(PyReadonlyArray2<'py, f64>),
}

/// A frame of either pixel type.
pub(crate) enum AnyFrame<'a> {
    /// `float32`.
    F32(Frame<'a, f32>),
    /// `float64`.
    F64(Frame<'a, f64>),
}

impl<'a> AnyFrame<'a> {
    /// With a model of the noise instead of errors.
    pub(crate) fn with_noise(self, noise: NoiseModel<'a>) -> Result<Self, psfphot::Error> {
        Ok(match self {
            Self::F32(frame) => Self::F32(frame.with_noise(noise)?),
            Self::F64(frame) => Self::F64(frame.with_noise(noise)?),
        })
    }
}

/// Evaluates one expression for the frame's pixel type.
macro_rules! with_frame {
    ($frame:expr, $name:ident => $body:expr) => {
        match &$frame {
            $crate::arrays::AnyFrame::F32($name) => $body,
            $crate::arrays::AnyFrame::F64($name) => $body,
        }
    };
}
pub(crate) use with_frame;

/// The view of one array.
pub(crate) fn image<'a, T: Copy + Element>(
    array: &'a PyReadonlyArray2<'_, T>,
) -> CallResult<Image<'a, T>> {
    let shape = array.shape();
    Ok(Image::new(array.as_slice()?, (shape[0], shape[1]))?)
}

/// The frame of data, error and mask.
pub(crate) fn frame<'a>(
    data: &'a AnyImage<'_>,
    error: Option<&'a AnyImage<'_>>,
    mask: Option<&'a PyReadonlyArray2<'_, bool>>,
) -> CallResult<AnyFrame<'a>> {
    match (data, error) {
        (AnyImage::F32(data), None) => Ok(AnyFrame::F32(typed_frame(data, None, mask)?)),
        (AnyImage::F64(data), None) => Ok(AnyFrame::F64(typed_frame(data, None, mask)?)),
        (AnyImage::F32(data), Some(AnyImage::F32(error))) => {
            Ok(AnyFrame::F32(typed_frame(data, Some(error), mask)?))
        }
        (AnyImage::F64(data), Some(AnyImage::F64(error))) => {
            Ok(AnyFrame::F64(typed_frame(data, Some(error), mask)?))
        }
        _ => Err(PyTypeError::new_err("data and error must have one dtype").into()),
    }
}

fn typed_frame<'a, T: Pixel + Element>(
    data: &'a PyReadonlyArray2<'_, T>,
    error: Option<&'a PyReadonlyArray2<'_, T>>,
    mask: Option<&'a PyReadonlyArray2<'_, bool>>,
) -> CallResult<Frame<'a, T>> {
    let mut frame = Frame::new(image(data)?);
    if let Some(error) = error {
        frame = frame.with_error(image(error)?)?;
    }
    if let Some(mask) = mask {
        frame = frame.with_mask(image(mask)?)?;
    }
    Ok(frame)
}

/// One-dimensional `float64` positions, fluxes and the like.
pub(crate) type Floats<'py> = PyReadonlyArray1<'py, f64>;
