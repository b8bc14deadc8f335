//! The extension module `psfphot._core`: conversions between Python and the
//! core crate, one file per core module, and the one door to long work.

mod arrays;
mod detect;
mod door;
mod errors;
mod photometry;
mod psf;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::detect::find_iraf_stars;
    #[pymodule_export]
    use crate::errors::InternalError;
    #[pymodule_export]
    use crate::photometry::{fit_sources, flag_definitions};
    #[pymodule_export]
    use crate::psf::PyPsf;

    #[cfg(feature = "panic-test")]
    #[pymodule_export]
    use crate::door::panic_for_tests;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
