//! The radial profile of a PSF: of the stars before there is one, and of the
//! model, for its width and how large it is at each distance.

use crate::psf::fwhm;

use super::star::Star;

/// Width of a bin, pixels.
const BIN: f64 = 0.25;

/// A function of the distance from the star.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// At the middles of bins.
    values: Vec<f64>,
}

impl Profile {
    /// By linear interpolation; constant beyond the first and the last bin.
    pub(crate) fn at(&self, radius: f64) -> f64 {
        let position = (radius / BIN - 0.5).clamp(0.0, (self.values.len() - 1) as f64);
        let below = (position as usize).min(self.values.len().saturating_sub(2));
        let above = (below + 1).min(self.values.len() - 1);
        let fraction = position - below as f64;
        self.values[below] * (1.0 - fraction) + self.values[above] * fraction
    }

    /// At an offset from the star, with the slopes along x and y.
    pub(crate) fn value_and_slopes(&self, x: f64, y: f64) -> (f64, f64, f64) {
        let radius = x.hypot(y);
        let by_radius = (self.at(radius + 0.05) - self.at(radius - 0.05)) / 0.1;
        let along = |p: f64| {
            if radius > 0.0 {
                by_radius * p / radius
            } else {
                0.0
            }
        };
        (self.at(radius), along(x), along(y))
    }

    /// The medians of the stars' pixels over their fluxes, around where the stars
    /// are now; made to fall outwards, for what rises is a neighbour.
    pub(crate) fn of_stars(stars: &[Star<'_>], reach: f64) -> Self {
        let n = (reach / BIN).ceil().max(2.0) as usize;
        let mut bins: Vec<Vec<f64>> = vec![Vec::new(); n];
        for (star, exposure) in stars.iter().flat_map(Star::active_exposures) {
            let flux = star.flux_in(exposure);
            for (k, (x, y)) in exposure.window().pixels().enumerate() {
                let radius = (x as f64 - exposure.x).hypot(y as f64 - exposure.y);
                if exposure.valid[k]
                    && let Some(bin) = bins.get_mut((radius / BIN) as usize)
                {
                    bin.push(exposure.data()[k] / flux);
                }
            }
        }
        let mut values: Vec<Option<f64>> = bins
            .iter_mut()
            .map(|bin| {
                let middle = bin.len() / 2;
                (!bin.is_empty()).then(|| *bin.select_nth_unstable_by(middle, f64::total_cmp).1)
            })
            .collect();
        // The core may be in no bin of few stars: it is as what is next.
        let mut last = values.iter().flatten().copied().next().unwrap_or(0.0);
        for value in &mut values {
            last = value.unwrap_or(last).clamp(0.0, last.max(0.0));
            *value = Some(last);
        }
        Self {
            values: values.into_iter().flatten().collect(),
        }
    }

    /// The rms, within half a pixel of each distance, of values at offsets (x, y).
    pub(crate) fn rms(points: impl Iterator<Item = ((f64, f64), f64)>) -> Self {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for ((x, y), value) in points {
            let bin = (x.hypot(y) / BIN) as usize;
            if sums.len() <= bin {
                sums.resize(bin + 1, (0.0, 0.0));
            }
            sums[bin].0 += value * value;
            sums[bin].1 += 1.0;
        }
        let near = (0.5 / BIN) as usize;
        let values = (0..sums.len().max(2))
            .map(|bin| {
                let range = bin.saturating_sub(near)..(bin + near + 1).min(sums.len());
                let (square, count) = sums[range]
                    .iter()
                    .fold((0.0, 0.0_f64), |sum, s| (sum.0 + s.0, sum.1 + s.1));
                (square / count.max(1.0)).sqrt()
            })
            .collect();
        Self { values }
    }

    /// Twice the distance at which the profile has fallen to half of its start.
    pub(crate) fn fwhm(&self) -> f64 {
        fwhm::of_profile(|radius| self.at(radius), self.values.len() as f64 * BIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epsf::basis::grid;

    #[test]
    fn sizes_are_those_of_a_gaussian() {
        let gaussian = |x: f64, y: f64| (-(x * x + y * y) / (2.0 * 1.3 * 1.3)).exp();
        let points = grid((41, 41), (4, 4)).map(|(x, y)| ((x, y), gaussian(x, y)));
        let profile = Profile::rms(points);
        assert!((profile.at(2.0) - gaussian(2.0, 0.0)).abs() < 0.06);
        assert!((profile.at(99.0) - profile.at(7.0)).abs() < 1e-5);
    }
}
