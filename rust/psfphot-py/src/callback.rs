//! A PSF that is a Python object: slow, on the calling thread alone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use psfphot::image::PixelBox;
use psfphot::psf::{Placement, Psf};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Far beyond any image, and far from the range of `i64`.
const EVERYWHERE: i64 = 1 << 40;

/// Only the number of names matters: messages about a model of Python name its
/// parameters there.
const SHAPE_NAMES: [&str; 3] = ["shape_0", "shape_1", "shape_2"];

/// Calls the methods `values(x, y, x_0, y_0, shape)`, which returns an array
/// as long as x, and `gradient` with the same arguments, which returns one row
/// for the value and one for each derivative.
///
/// An exception cannot pass through the core: the first is kept, the core goes
/// on with NaN until it looks at its monitor, and [`CallbackPsf::failure`]
/// gives the exception to the door.
#[derive(Debug)]
pub(crate) struct CallbackPsf {
    model: Py<PyAny>,
    shape: Vec<f64>,
    failure: Mutex<Option<PyErr>>,
}

impl CallbackPsf {
    pub(crate) fn new(model: Py<PyAny>, shape: Vec<f64>) -> PyResult<Self> {
        if shape.len() > SHAPE_NAMES.len() {
            let message = format!(
                "psf_model must have at most {} free parameters besides flux and position, got {}",
                SHAPE_NAMES.len(),
                shape.len()
            );
            return Err(PyValueError::new_err(message));
        }
        Ok(Self {
            model,
            shape,
            failure: Mutex::new(None),
        })
    }

    /// Takes the exception of a call that failed.
    pub(crate) fn take_failure(&self) -> Option<PyErr> {
        self.failure().take()
    }

    /// Whether a call has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure().is_some()
    }

    fn failure(&self) -> MutexGuard<'_, Option<PyErr>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method for the points; `planes` rows of values come back.
    fn call(&self, method: &str, at: Placement<'_>, points: &[(f64, f64)], planes: &mut [f64]) {
        if let Err(error) = self.try_call(method, at, points, planes) {
            planes.fill(f64::NAN);
            self.failure().get_or_insert(error);
        }
    }

    fn try_call(
        &self,
        method: &str,
        at: Placement<'_>,
        points: &[(f64, f64)],
        planes: &mut [f64],
    ) -> PyResult<()> {
        if self.has_failed() {
            planes.fill(f64::NAN);
            return Ok(());
        }
        Python::attach(|py| {
            let x = PyArray1::from_iter(py, points.iter().map(|p| p.0));
            let y = PyArray1::from_iter(py, points.iter().map(|p| p.1));
            let shape = if at.shape.is_empty() {
                &self.shape
            } else {
                at.shape
            };
            let arguments = (x, y, at.x, at.y, shape.to_vec());
            let result = self.model.bind(py).call_method1(method, arguments)?;
            let array: PyReadonlyArrayDyn<'_, f64> = result.extract()?;
            if array.len() != planes.len() {
                let message = format!(
                    "psf_model must return {} values, got the shape {:?}",
                    planes.len(),
                    array.shape()
                );
                return Err(PyValueError::new_err(message));
            }
            for (out, value) in planes.iter_mut().zip(array.as_array()) {
                *out = *value;
            }
            Ok(())
        })
    }
}

fn centres(window: PixelBox) -> Vec<(f64, f64)> {
    window.pixels().map(|(x, y)| (x as f64, y as f64)).collect()
}

impl Psf for CallbackPsf {
    fn shape_names(&self) -> &'static [&'static str] {
        &SHAPE_NAMES[..self.shape.len()]
    }

    fn shape(&self) -> &[f64] {
        &self.shape
    }

    fn support(&self, at: Placement<'_>) -> PixelBox {
        if at.x.is_finite() && at.y.is_finite() {
            PixelBox::new(-EVERYWHERE, EVERYWHERE, -EVERYWHERE, EVERYWHERE)
        } else {
            PixelBox::default()
        }
    }

    fn value(&self, at: Placement<'_>, px: f64, py: f64) -> f64 {
        let mut value = [0.0];
        self.call("values", at, &[(px, py)], &mut value);
        value[0]
    }

    fn value_and_gradient(&self, at: Placement<'_>, px: f64, py: f64, gradient: &mut [f64]) -> f64 {
        let n = 2 + self.shape.len();
        let mut planes = vec![0.0; n + 1];
        self.call("gradient", at, &[(px, py)], &mut planes);
        gradient[..n].copy_from_slice(&planes[1..]);
        planes[0]
    }

    fn fill(&self, at: Placement<'_>, window: PixelBox, values: &mut [f64]) {
        self.call("values", at, &centres(window), &mut values[..window.len()]);
    }

    fn fill_with_gradient(
        &self,
        at: Placement<'_>,
        window: PixelBox,
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let n = window.len();
        let mut planes = vec![0.0; (3 + self.shape.len()) * n];
        self.call("gradient", at, &centres(window), &mut planes);
        values[..n].copy_from_slice(&planes[..n]);
        gradient[..planes.len() - n].copy_from_slice(&planes[n..]);
    }
}
