//! Of which stars the data tell little for their neighbours' sake.

use super::{FLUX, X, Y};

/// Neighbours that make the errors of a star so many times larger than they would be
/// were the neighbours known make it uncertain: pairs within some 0.5 FWHM.
const BLENDED: f64 = 3.0;

/// Of such a star the data tell little where the error of its flux is more than this part
/// of it, or that of its position more than so many pixels. (A pair of bright stars 0.5
/// FWHM apart has errors several times larger than each alone, and is well resolved.)
const LITTLE: (f64, f64) = (0.2, 0.3);

/// Whether some variance of a star is far above that with its neighbours known.
pub(super) fn is_blended(joint: &[f64], alone: &[f64]) -> bool {
    let mut pairs = joint.iter().zip(alone);
    pairs.any(|(&joint, &alone)| joint > BLENDED * BLENDED * alone)
}

/// Whether the variances of the `free` parameters of a star tell little of it.
pub(super) fn is_vague(free: &[usize], variances: &[f64], flux: f64) -> bool {
    let mut free = free.iter().zip(variances);
    free.any(|(&k, &variance)| {
        let limit = match k {
            FLUX => LITTLE.0 * flux,
            X | Y => LITTLE.1,
            _ => return false,
        };
        variance > limit * limit
    })
}
