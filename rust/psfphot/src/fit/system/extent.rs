//! How far from a star its derivatives matter.

use crate::fit::{FLUX, Fitter, MAX_PARAMETERS, Parameters};
use crate::image::PixelBox;
use crate::psf::fwhm;

/// The parts of a star's information on a parameter that may lie outside its core.
///
/// No more than the first: a star by itself then has errors within 0.2 %, stars of a
/// diffraction pattern with cores of 9 to 35 pixels, by their photon noise.
///
/// As little as the second where a margin around the fit box has room for it. The errors
/// of a close pair come from small differences, and boxes that end where the PSF is not
/// yet small tell its stars apart by their edges: cores of the fit box (7 x 7 pixels at
/// FWHM 3, 5e-4) gave the closest pairs errors ten times too small, and steps that raise
/// chi^2; 11 x 11 pixels do not.
pub(super) const LOSSES: [f64; 2] = [3e-3, 1e-5];

/// Pixels around the fit box.
const MARGIN: usize = 2;

/// Photon noise: the variance of a star's peak over that of the sky. The more of
/// it, the more its wings tell.
const CONTRASTS: [f64; 6] = [0.0, 1.0, 10.0, 100.0, 1e3, 1e4];

/// No core reaches further than this many pixels.
const FURTHEST: usize = 24;

/// The width of stars, and the radius of their cores by how much photon noise they have.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// The full width at half maximum of one of them, pixels.
    pub(super) fwhm: f64,
    /// The least, and the most that makes a difference.
    radii: [Radii; 2],
}

/// At each contrast.
type Radii = [usize; CONTRASTS.len()];

impl Extent {
    /// For stars like some of those of a fit.
    pub(super) fn new(fitter: &Fitter<'_>, examples: &[Parameters], losses: [f64; 2]) -> Self {
        let mut radii = [[1; CONTRASTS.len()]; 2];
        let mut planes = Vec::new();
        for parameters in examples {
            for (radii, loss) in radii.iter_mut().zip(losses) {
                let own = radii_of(fitter, parameters, loss, &mut planes);
                for (radius, own) in radii.iter_mut().zip(own) {
                    *radius = own.max(*radius);
                }
            }
        }
        // One will do: it says what is near and what is far.
        let middle = examples.get(examples.len() / 2);
        let fwhm = middle.map_or(1.0, |parameters| {
            let at = fitter.placement(parameters);
            let psf = |x: f64, y: f64| fitter.psf.value(at, at.x + x, at.y + y);
            fwhm::of_image(psf, FURTHEST as f64)
        });
        Self { fwhm, radii }
    }

    /// For a star whose peak has so much more variance than the sky, in a fit box of so
    /// many pixels.
    pub(super) fn radius(&self, contrast: f64, side: usize) -> usize {
        let level = CONTRASTS.iter().position(|&c| contrast <= c);
        let level = level.unwrap_or(CONTRASTS.len() - 1);
        let [least, most] = self.radii.map(|radii| radii[level]);
        (side / 2 + MARGIN).min(most).max(least)
    }
}

/// The radius of the smallest box that holds all but `loss` of the information
/// on each free parameter, at each contrast.
fn radii_of(
    fitter: &Fitter<'_>,
    parameters: &Parameters,
    loss: f64,
    planes: &mut Vec<f64>,
) -> Radii {
    let at = fitter.placement(parameters);
    let centre = (at.x.round(), at.y.round());
    let side = 2 * FURTHEST + 1;
    let support = fitter.psf.support(at);
    let window = PixelBox::around(centre.0, centre.1, (side, side)).intersection(&support);
    let n = window.len();
    if n == 0 {
        return [1; CONTRASTS.len()];
    }
    planes.clear();
    planes.resize((3 + fitter.psf.shape_names().len()) * n, 0.0);
    let (values, gradient) = planes.split_at_mut(n);
    fitter.psf.fill_with_gradient(at, window, values, gradient);
    let peak = values.iter().copied().fold(0.0, f64::max);
    let ring = |(x, y): (i64, i64)| {
        let offset = |a: i64, b: f64| (a - b as i64).unsigned_abs() as usize;
        offset(x, centre.0).max(offset(y, centre.1))
    };
    CONTRASTS.map(|contrast| {
        let mut rings = [[0.0; MAX_PARAMETERS]; FURTHEST + 1];
        for (k, place) in window.pixels().enumerate() {
            let weight = 1.0 / (1.0 + contrast * (values[k] / peak).max(0.0));
            let own = &mut rings[ring(place).min(FURTHEST)];
            for &parameter in fitter.free {
                let value = if parameter == FLUX {
                    values[k]
                } else {
                    gradient[(parameter - 1) * n + k]
                };
                own[parameter] += weight * value * value;
            }
        }
        let total = |parameter: usize| rings.iter().map(|r| r[parameter]).sum::<f64>();
        let radius = |&parameter: &usize| {
            let allowed = loss * total(parameter);
            let mut outside = 0.0;
            let is_within = |ring: &&[f64; MAX_PARAMETERS]| {
                outside += ring[parameter];
                outside <= allowed
            };
            FURTHEST
                - rings
                    .iter()
                    .rev()
                    .take_while(is_within)
                    .count()
                    .min(FURTHEST)
        };
        fitter.free.iter().map(radius).max().unwrap_or(1).max(1)
    })
}
