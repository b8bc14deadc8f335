//! The extension module `psfphot._core`: conversions between Python and the
//! core crate, one file per core module, and the one door to long work.

mod aperture;
mod arrays;
mod background;
mod callback;
mod detect;
mod door;
mod epsf;
mod errors;
mod group;
mod image;
mod matching;
mod noise;
mod photometry;
mod psf;
mod render;
mod score;

use pyo3::prelude::*;

// No state is shared but behind locks: it needs no interpreter lock.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::aperture::{aperture_photometry, aperture_sums, aperture_weights};
    #[pymodule_export]
    use crate::background::mesh::{
        box_statistics, fill_nodes, flat_blocks, interpolate_nodes, median_filter,
        residual_background, residual_sheets, sheet_window, zoom_nodes,
    };
    #[pymodule_export]
    use crate::background::{annulus_values, estimate_level, local_background};
    #[pymodule_export]
    use crate::detect::{
        detect_cosmic_rays, find_dao_stars, find_iraf_stars, find_kernel_stars, find_matched_stars,
        find_peaks, gaussian_kernel, matched_maps,
    };
    #[pymodule_export]
    use crate::epsf::solve_epsf;
    #[pymodule_export]
    use crate::errors::InternalError;
    #[pymodule_export]
    use crate::group::{group_overlapping, group_sources, thin_sources};
    #[pymodule_export]
    use crate::image::is_finite;
    #[pymodule_export]
    use crate::matching::{match_points, near_pairs};
    #[pymodule_export]
    use crate::photometry::{
        PyCovariances, fit_sources, flag_definitions, judge_sources, known_backgrounds,
        terminations,
    };
    #[pymodule_export]
    use crate::psf::PyPsf;
    #[pymodule_export]
    use crate::render::{measure_misfits, profile_sources, render_sources};
    #[pymodule_export]
    use crate::score::{
        PyScoreWidth, companion_scores, measure_confusion, measure_score_blocks, psf_fwhm,
        score_block_edges, score_maps, scores_at, search_score,
    };

    #[cfg(feature = "panic-test")]
    #[pymodule_export]
    use crate::door::panic_for_tests;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
