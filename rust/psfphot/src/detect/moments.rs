//! The image moments of a star.

/// Sums, first and second moments of a cutout.
///
/// The second ones are central and divided by the flux, pixel²:
/// Mxx = Σ D (x − x̄)² / Σ D, and so on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Σ D, in the unit of the image.
    pub flux: f64,
    /// x̄ = Σ D x / Σ D, pixels from the cutout's first column.
    pub x: f64,
    /// ȳ, pixels from the cutout's first row.
    pub y: f64,
    /// Mxx.
    pub xx: f64,
    /// Myy.
    pub yy: f64,
    /// Mxy.
    pub xy: f64,
}

impl Moments {
    /// The moments of a cutout with rows of `width` pixels; NaN where the flux
    /// is 0.
    #[must_use]
    pub fn new(cutout: &[f64], width: usize) -> Self {
        let pixels = || {
            let rows = cutout.chunks(width.max(1)).zip(0u32..);
            rows.flat_map(|(row, y)| {
                row.iter()
                    .zip(0u32..)
                    .map(move |(d, x)| (*d, f64::from(x), f64::from(y)))
            })
        };
        let (flux, sx, sy) = pixels().fold((0.0, 0.0, 0.0), |s, (d, x, y)| {
            (s.0 + d, s.1 + d * x, s.2 + d * y)
        });
        let (x0, y0) = (sx / flux, sy / flux);
        let (xx, yy, xy) = pixels().fold((0.0, 0.0, 0.0), |s, (d, x, y)| {
            let (dx, dy) = (x - x0, y - y0);
            (s.0 + d * dx * dx, s.1 + d * dy * dy, s.2 + d * dx * dy)
        });
        Self {
            flux,
            x: x0,
            y: y0,
            xx: xx / flux,
            yy: yy / flux,
            xy: xy / flux,
        }
    }

    /// The full width at half maximum of a round Gaussian with these second
    /// moments, 2 √(ln 2 · (Mxx + Myy)), pixels.
    #[must_use]
    pub fn fwhm(&self) -> f64 {
        2.0 * (std::f64::consts::LN_2 * (self.xx + self.yy)).sqrt()
    }

    /// √((Mxx − Myy)² + 4 Mxy²) / (Mxx + Myy): 0 for a round star, near 1
    /// for a line.
    #[must_use]
    pub fn roundness(&self) -> f64 {
        let difference = self.xx - self.yy;
        (difference * difference + 4.0 * self.xy * self.xy).sqrt() / (self.xx + self.yy)
    }

    /// The angle of the major axis, ½ atan2(2 Mxy, Mxx − Myy), degrees
    /// counter-clockwise from +x, in (−90, 90].
    #[must_use]
    pub fn orientation(&self) -> f64 {
        let angle = 0.5 * (2.0 * self.xy).atan2(self.xx - self.yy).to_degrees();
        // atan2 gives -180 degrees where Mxy is -0.
        if angle <= -90.0 { 90.0 } else { angle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gaussian(x0: f64, y0: f64, sigmas: (f64, f64), theta: f64) -> Vec<f64> {
        let (sin, cos) = theta.to_radians().sin_cos();
        let pixel = |i: usize| {
            let (dx, dy) = ((i % 61) as f64 - x0, (i / 61) as f64 - y0);
            let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
            (-0.5 * ((u / sigmas.0).powi(2) + (v / sigmas.1).powi(2))).exp()
        };
        (0..61 * 61).map(pixel).collect()
    }

    proptest! {
        #[test]
        fn gaussians_give_back_their_parameters(
            x0 in 28.0..32.0_f64,
            y0 in 28.0..32.0_f64,
            sigma in 2.5..3.5_f64,
            theta in -89.0..89.0_f64,
        ) {
            let minor = 0.6 * sigma;
            let moments = Moments::new(&gaussian(x0, y0, (sigma, minor), theta), 61);
            prop_assert!((moments.x - x0).abs() < 1e-6 && (moments.y - y0).abs() < 1e-6);
            let sum = sigma * sigma + minor * minor;
            prop_assert!((moments.xx + moments.yy - sum).abs() < 1e-4);
            prop_assert!((moments.fwhm() - 2.0 * (2.0_f64.ln() * sum).sqrt()).abs() < 1e-4);
            prop_assert!((moments.roundness() - (1.0 - 0.36) / (1.0 + 0.36)).abs() < 1e-4);
            prop_assert!((moments.orientation() - theta).abs() < 1e-2);
        }
    }

    #[test]
    fn the_angle_of_a_vertical_line_is_plus_90() {
        for xy in [0.0, -0.0] {
            let moments = Moments {
                flux: 1.0,
                x: 0.0,
                y: 0.0,
                xx: 1.0,
                yy: 2.0,
                xy,
            };
            assert_eq!(moments.orientation().to_bits(), 90.0_f64.to_bits());
        }
    }

    #[test]
    fn no_flux_gives_nan() {
        let moments = Moments::new(&[0.0; 9], 3);
        assert!(moments.x.is_nan() && moments.fwhm().is_nan() && moments.orientation().is_nan());
        assert!(Moments::new(&[], 0).x.is_nan());
    }
}
