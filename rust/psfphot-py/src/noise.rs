//! A model of the noise.

use numpy::PyReadonlyArray2;
use psfphot::image::{Level, NoiseModel};
use pyo3::prelude::*;

use crate::arrays::image;
use crate::errors::CallResult;

/// One number for all pixels, or an image of them.
#[derive(FromPyObject)]
enum PyLevel<'py> {
    Uniform(f64),
    Map(PyReadonlyArray2<'py, f64>),
}

impl PyLevel<'_> {
    fn core(&self) -> CallResult<Level<'_>> {
        Ok(match self {
            Self::Uniform(value) => (*value).into(),
            Self::Map(values) => image(values)?.into(),
        })
    }
}

/// What the variance of a pixel is made of.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct PyNoise<'py> {
    read_noise: PyLevel<'py>,
    effective_gain: PyLevel<'py>,
    background: PyLevel<'py>,
    flat_error: PyLevel<'py>,
    profile_error: PyLevel<'py>,
}

impl PyNoise<'_> {
    /// The core's.
    pub(crate) fn core(&self) -> CallResult<NoiseModel<'_>> {
        let noise = NoiseModel::new(self.read_noise.core()?, self.effective_gain.core()?)?
            .with_background(self.background.core()?)?
            .with_flat_error(self.flat_error.core()?)?
            .with_profile_error(self.profile_error.core()?)?;
        Ok(noise)
    }
}
