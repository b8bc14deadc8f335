//! The local background: a sigma-clipped median in an annulus around a source.

use std::cmp::Ordering;

use crate::image::{Frame, Pixel, PixelBox};
use crate::run::chunks;
use crate::{Error, Run};

/// Sources per task: about a millisecond of work.
const CHUNK: usize = 32;

/// Values beyond this many standard deviations from the median are clipped.
const CLIP_SIGMA: f64 = 3.0;

/// Clipping stops after so many rounds, or when a round clips nothing.
const CLIP_ROUNDS: usize = 10;

/// The ring of pixels in which a local background is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annulus {
    inner: f64,
    outer: f64,
}

impl Annulus {
    /// The pixels whose centres are at least `inner_radius` and less than
    /// `outer_radius` pixels away from the position.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless 0 < inner < outer < ∞.
    pub fn new(inner_radius: f64, outer_radius: f64) -> Result<Self, Error> {
        Error::check_positive("inner_radius", inner_radius)?;
        Error::check_positive("outer_radius", outer_radius)?;
        if outer_radius <= inner_radius {
            let expected = "be greater than inner_radius";
            return Err(Error::invalid("outer_radius", expected, outer_radius));
        }
        Ok(Self {
            inner: inner_radius,
            outer: outer_radius,
        })
    }

    /// Collects the usable values around a position.
    fn collect<T: Pixel>(&self, frame: &Frame<'_, T>, (cx, cy): (f64, f64), into: &mut Vec<f64>) {
        into.clear();
        let reach = self.outer;
        let window = PixelBox::spanning((cx - reach, cx + reach), (cy - reach, cy + reach))
            .intersection(&frame.data().bounds());
        let (inner, outer) = (self.inner * self.inner, self.outer * self.outer);
        for y in window.y0..window.y1 {
            let dy = y as f64 - cy;
            let row = frame.row_values(y as usize, window.columns());
            for (x, value) in (window.x0..window.x1).zip(row) {
                let dx = x as f64 - cx;
                let r2 = dx * dx + dy * dy;
                if r2 >= inner && r2 < outer {
                    into.extend(value);
                }
            }
        }
    }
}

/// The sigma-clipped median of the annulus around each position.
///
/// Masked and non-finite pixels do not take part; errors are not looked at.
/// The clipping is that of `astropy.stats.SigmaClip(sigma=3, maxiters=10)`:
/// values beyond 3 standard deviations (about the mean, divided by n) from the
/// median are dropped, until nothing is dropped or for 10 rounds. NaN where no
/// pixel is left or the position is not finite.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::Cancelled`].
pub fn local_background<T: Pixel>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    annulus: &Annulus,
    run: Run<'_>,
) -> Result<Vec<f64>, Error> {
    Error::check_len("y", x.len(), y.len())?;
    let levels = run.map(chunks(x.len(), CHUNK), Vec::new, |values, range| {
        run.advance(range.len());
        range
            .map(|i| {
                // An annulus can be as large as the image.
                run.check()?;
                annulus.collect(frame, (x[i], y[i]), values);
                Ok(clipped_median(values))
            })
            .collect::<Result<Vec<_>, Error>>()
    })?;
    Ok(levels.concat())
}

/// The median of what sigma clipping leaves of finite values; NaN of none.
///
/// The values are sorted once: then every round's median is at hand, and what
/// it leaves is a range.
pub(crate) fn clipped_median(values: &mut [f64]) -> f64 {
    // Twice as fast as `total_cmp`, and an order because none is NaN.
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let mut kept = &*values;
    for _ in 0..CLIP_ROUNDS {
        let (centre, width) = (median(kept), CLIP_SIGMA * standard_deviation(kept));
        let start = kept.partition_point(|&v| v < centre - width);
        let end = kept.partition_point(|&v| v <= centre + width);
        // Rounding can leave nothing of values that are all but equal.
        let Some(left) = kept.get(start..end).filter(|left| !left.is_empty()) else {
            break;
        };
        if left.len() == kept.len() {
            break;
        }
        kept = left;
    }
    median(kept)
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.get(half.wrapping_sub(1)), sorted.get(half)) {
        (_, Some(&middle)) if sorted.len() % 2 == 1 => middle,
        // Half of each, so that the sum cannot overflow.
        (Some(&low), Some(&high)) => 0.5 * low + 0.5 * high,
        _ => f64::NAN,
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = sum(values, |v| v) / n;
    (sum(values, |v| (v - mean) * (v - mean)) / n).sqrt()
}

/// Σ f(v) in eight interleaved sums, which the compiler vectorises.
fn sum(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (blocks, rest) = values.as_chunks::<8>();
    for block in blocks {
        for (lane, &v) in lanes.iter_mut().zip(block) {
            *lane += f(v);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&v| f(v)).sum::<f64>()
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::run::CancelAfter;
    use proptest::prelude::*;

    /// Word for word what the documentation says, on plain vectors.
    fn clipped_median_by_definition(values: &[f64]) -> f64 {
        let mut kept = values.to_vec();
        for _ in 0..10 {
            let n = kept.len() as f64;
            let mean = kept.iter().sum::<f64>() / n;
            let variance = kept.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let centre = plain_median(&kept);
            let before = kept.len();
            kept.retain(|v| (v - centre).abs() <= 3.0 * variance.sqrt());
            if kept.len() == before {
                break;
            }
        }
        plain_median(&kept)
    }

    fn plain_median(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
    }

    proptest! {
        #[test]
        fn clipping_follows_its_definition(
            mut values in prop::collection::vec(prop_oneof![9 => -1.0..1.0, 1 => -50.0..90.0], 1..300),
        ) {
            let expected = clipped_median_by_definition(&values);
            prop_assert_eq!(clipped_median(&mut values), expected);
        }
    }

    #[test]
    fn equal_and_extreme_values_have_a_median() {
        assert_eq!(clipped_median(&mut [0.1; 7]), 0.1);
        assert_eq!(clipped_median(&mut [1e308, 1e308, -1e308]), 1e308);
        assert_eq!(clipped_median(&mut [1e308, 1e308]), 1e308);
        assert!(clipped_median(&mut []).is_nan());
    }

    #[test]
    fn the_inner_edge_belongs_to_the_annulus_and_the_outer_does_not() -> Result<(), Error> {
        let annulus = Annulus::new(3.0, 5.0)?;
        for (x, y, inside) in [
            (13, 10, true),
            (10, 7, true),
            (15, 10, false),
            (13, 14, false),
        ] {
            let mut data = vec![f64::NAN; 400];
            data[y * 20 + x] = 7.0;
            let frame = Frame::new(Image::new(&data, (20, 20))?);
            let level = local_background(&frame, &[10.0], &[10.0], &annulus, Run::new())?;
            assert_eq!(level[0] == 7.0, inside, "{x} {y}");
        }
        Ok(())
    }

    #[test]
    fn positions_without_pixels_have_no_background() -> Result<(), Error> {
        let data = [1.0_f32; 400];
        let mut mask = [false; 400];
        mask[..200].fill(true);
        let frame =
            Frame::new(Image::new(&data, (20, 20))?).with_mask(Image::new(&mask, (20, 20))?)?;
        let xs = [10.0, 10.0, -50.0, f64::NAN, 1e300, f64::INFINITY];
        let ys = [15.0, 2.0, 5.0, 5.0, 5.0, 5.0];
        let annulus = Annulus::new(2.0, 4.0)?;
        let levels = local_background(&frame, &xs, &ys, &annulus, Run::new())?;
        assert_eq!(levels[0], 1.0);
        assert!(levels[1..].iter().all(|level| level.is_nan()));
        Ok(())
    }

    #[test]
    fn a_run_can_be_cancelled_between_two_sources() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?);
        let annulus = Annulus::new(0.5, 1e9)?;
        let levels = |monitor: &CancelAfter| {
            let run = Run::new().with_monitor(monitor).serial();
            local_background(&frame, &[1.0; 3], &[1.0; 3], &annulus, run)
        };
        assert_eq!(levels(&CancelAfter::new(100)), Ok(vec![1.0; 3]));
        assert_eq!(levels(&CancelAfter::new(2)), Err(Error::Cancelled));
        Ok(())
    }

    #[test]
    fn bad_radii_are_named() {
        let message = |inner, outer| Annulus::new(inner, outer).unwrap_err().to_string();
        assert!(message(0.0, 1.0).starts_with("inner_radius must"));
        assert!(message(f64::NAN, 1.0).starts_with("inner_radius must"));
        assert!(message(1.0, f64::INFINITY).starts_with("outer_radius must be positive"));
        assert!(message(2.0, 2.0).starts_with("outer_radius must be greater"));
    }
}
