//! The search of an image convolved with a kernel, band by band.
//!
//! Each band of rows is convolved, searched and measured while it is in the cache, with
//! the rows above and below that tell of its peaks, which are convolved again for the
//! next one. So no plane as large as the image is made, whose fresh pages would take
//! longer than to convolve it.

use std::ops::Range;

use super::convolve::{Convolution, Padded};
use super::finder::{ConvolvedImage, KernelFinder, select, usable_kernel};
use super::peaks::{Peak, PeakSearch, Threshold, constant};
use super::{Found, Kernel};
use crate::Error;
use crate::image::{Frame, Image, Pixel};
use crate::run::{Run, chunks};

/// Rows of a band, or twice those that tell of its peaks on either side if these are
/// more, so that no row is convolved more than twice.
const SEARCHED: usize = 64;

/// Finds the stars of an image: measures at the peaks of the convolved image.
pub(super) fn find<F: KernelFinder, T: Pixel>(
    finder: &F,
    frame: &Frame<'_, T>,
    threshold: Threshold<'_>,
    run: Run<'_>,
) -> Result<Found<F::Source>, Error> {
    let kernel = &usable_kernel(finder)?;
    let (data, selection) = (frame.data(), finder.selection());
    let neighbourhood = selection.neighbourhood(kernel, finder.separation(), data.shape())?;
    let search = selection
        .search(kernel, &neighbourhood, threshold)
        .with_scale(finder.scale(kernel))
        .with_mask(frame.mask());
    search.check(data.shape())?;
    let sweep = Sweep::new(finder, kernel, search, data, threshold);
    Ok(select(finder, sweep.stars(run)?, data.shape()))
}

/// A finder on an image.
struct Sweep<'a, F, T> {
    finder: &'a F,
    kernel: &'a Kernel,
    search: PeakSearch<'a>,
    data: Image<'a, T>,
    convolution: Convolution<'a, T>,
    threshold: Threshold<'a>,
    /// Rows above and below a pixel that tell whether it is a peak, and its heights.
    reach: usize,
}

impl<'a, F: KernelFinder, T: Pixel> Sweep<'a, F, T> {
    /// `search` and `threshold` must be right for an image of this shape.
    fn new(
        finder: &'a F,
        kernel: &'a Kernel,
        search: PeakSearch<'a>,
        data: Image<'a, T>,
        threshold: Threshold<'a>,
    ) -> Self {
        Self {
            finder,
            kernel,
            search,
            data,
            convolution: Convolution::new(data, kernel),
            threshold,
            reach: search.reach().max(kernel.center().0),
        }
    }

    /// All that are measured, row by row.
    fn stars(&self, run: Run<'_>) -> Result<Vec<F::Source>, Error> {
        let bands = chunks(self.data.shape().0, SEARCHED.max(2 * self.reach));
        let bands = run.map(bands, Workspace::default, |work, band| {
            self.band(&band, work)
        })?;
        Ok(kept(&self.search, bands))
    }

    /// Convolves, searches and measures a band of rows.
    fn band(
        &self,
        band: &Range<usize>,
        work: &mut Workspace<T, F::Cutouts>,
    ) -> Result<Band<F::Source, T>, Error> {
        let (ny, nx) = self.data.shape();
        let (first_row, end) = (
            band.start.saturating_sub(self.reach),
            (band.end + self.reach).min(ny),
        );
        let rows = &mut work.convolved;
        rows.resize((end - first_row) * nx, T::from_f64(0.0));
        let has_gaps = self.convolution.fill(first_row, rows, &mut work.padded);
        let convolved = Image::new(rows, (end - first_row, nx))?;
        let searched = self.search.rows(ny);
        let within = |y: usize| y.clamp(band.start, band.end);
        let rows = within(searched.start)..within(searched.end);
        let peaks = self
            .search
            .find_in_rows(convolved, first_row, rows, &mut work.places);
        let image = ConvolvedImage {
            kernel: self.kernel,
            data: self.data,
            convolved,
            first_row,
            has_gaps,
        };
        let gauge = self.finder.gauge(image, self.threshold);
        let mut measure = |at| self.finder.measure_one(&gauge, at, &mut work.cutouts);
        let stars = peaks
            .into_iter()
            .map(|peak| (peak, measure((peak.x, peak.y))));
        Ok(Band {
            stars: stars.collect(),
            value: constant(convolved),
        })
    }
}

/// A thread's buffers.
#[derive(Debug)]
struct Workspace<T, C> {
    padded: Padded,
    convolved: Vec<T>,
    places: Vec<usize>,
    cutouts: C,
}

impl<T, C: Default> Default for Workspace<T, C> {
    fn default() -> Self {
        Self {
            padded: Padded::default(),
            convolved: Vec::new(),
            places: Vec::new(),
            cutouts: C::default(),
        }
    }
}

/// What a band of rows has.
struct Band<S, T> {
    /// Its peaks, and what was measured there.
    stars: Vec<(Peak, Option<S>)>,
    /// The value of its pixels and those within reach, if it is one.
    value: Option<T>,
}

/// What was measured at those of all peaks that are kept.
fn kept<S, T: PartialEq>(search: &PeakSearch<'_>, bands: Vec<Band<S, T>>) -> Vec<S> {
    let is_constant = |band: &Band<S, T>| band.value.is_some() && band.value == bands[0].value;
    if bands.iter().all(is_constant) {
        return Vec::new();
    }
    let stars = bands.iter().flat_map(|band| &band.stars);
    let peaks = search.resolve(stars.map(|(peak, _)| *peak).collect());
    let mut peaks = peaks.into_iter().peekable();
    let stars = bands.into_iter().flat_map(|band| band.stars);
    stars
        .filter_map(|(peak, star)| peaks.next_if_eq(&peak).and(star))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::convolve::{Convolved, convolve};
    use crate::detect::finder::measure_pixels;
    use crate::detect::samples::noise;
    use crate::detect::{DaoFinder, IrafFinder, Neighbourhood, Selection, StarFinder};
    use proptest::prelude::*;

    /// The definition: the whole image is convolved, then searched, then measured.
    fn step_by_step<F: KernelFinder, T: Pixel>(
        finder: &F,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
    ) -> Result<Found<F::Source>, Error> {
        let (kernel, data, run) = (&finder.kernel()?, frame.data(), Run::new());
        let Convolved { values, has_gaps } = convolve(data, kernel, run)?;
        let convolved = Image::new(&values, data.shape())?;
        let selection = finder.selection();
        let hood = selection.neighbourhood(kernel, finder.separation(), data.shape())?;
        let peaks = selection
            .search(kernel, &hood, threshold)
            .with_scale(finder.scale(kernel))
            .with_mask(frame.mask())
            .find(convolved, run)?;
        let image = ConvolvedImage {
            kernel,
            data,
            convolved,
            first_row: 0,
            has_gaps,
        };
        let pixels: Vec<_> = peaks.iter().map(|peak| (peak.x, peak.y)).collect();
        let gauge = finder.gauge(image, threshold);
        measure_pixels(finder, &gauge, data.shape(), &pixels, run)
    }

    /// Compares with the definition; how many stars were measured.
    fn compare<F: KernelFinder, T: Pixel>(
        finder: &F,
        frame: &Frame<'_, T>,
        threshold: Threshold<'_>,
    ) -> Result<usize, Error>
    where
        F::Source: std::fmt::Debug,
    {
        let expected = step_by_step(finder, frame, threshold)?;
        for run in [Run::new(), Run::new().serial()] {
            let found = find(finder, frame, threshold, run)?;
            // As text, in which NaN is NaN and all else has its bits.
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        }
        Ok(expected.n_measured)
    }

    /// All finders with a kernel on an image with rows and pixels that are not finite,
    /// flat tops, and a mask; how many stars were measured.
    fn compare_all<T: Pixel>(
        data: &[T],
        mask: &[bool],
        shape: (usize, usize),
        (fwhm, level): (f64, f64),
        selection: &Selection,
    ) -> Result<usize, Error> {
        let frame = Frame::new(Image::new(data, shape)?).with_mask(Image::new(mask, shape)?)?;
        let levels: Vec<f64> = noise(data.len(), 9)
            .iter()
            .map(|v| level + 0.1 * v)
            .collect();
        let dao = DaoFinder::new(fwhm).with_selection(selection.clone());
        let iraf = IrafFinder::new(fwhm).with_selection(selection.clone());
        let kernel = Kernel::from_values(&[1.0, 2.0, 3.0, 9.0, 4.0, 0.0, -1.0, 2.0], (4, 2))?;
        let star = StarFinder::new(kernel).with_selection(selection.clone());
        let mut n = 0;
        for threshold in [
            Threshold::Scalar(level),
            Threshold::Map(Image::new(&levels, shape)?),
        ] {
            n += compare(&dao, &frame, threshold)?;
            n += compare(&iraf, &frame, threshold)?;
            n += compare(&star, &frame, threshold)?;
        }
        Ok(n)
    }

    /// Whole numbers, so that pixels are equal, some NaN and infinite ones, a row and a
    /// saturated square of each; one pixel of 17 is masked.
    fn bad_image(shape: (usize, usize), seed: u64) -> (Vec<f64>, Vec<bool>) {
        let n = shape.0 * shape.1;
        let pixels = noise(2 * n, seed);
        let mut data: Vec<f64> = pixels[..n].iter().map(|v| v.round()).collect();
        for (k, value) in data.iter_mut().enumerate() {
            let (x, y) = (k % shape.1, k / shape.1);
            match (seed as usize + k * 7919) % 211 {
                0 => *value = f64::NAN,
                1 => *value = f64::INFINITY,
                _ if y % 90 == 57 => *value = f64::NAN,
                _ if (60..69).contains(&(y % 130)) && x < 9 => *value = 40.0,
                _ => (),
            }
        }
        let mask = pixels[n..].iter().map(|v| *v < -4.0).collect();
        (data, mask)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bands_have_the_stars_of_the_whole_image(
            shape in (1..300_usize, 1..50_usize),
            fwhm in 1.0..6.0_f64,
            level in -3.0..6.0_f64,
            separation in prop::option::of(0.0..90.0_f64),
            border in proptest::bool::ANY,
            seed in 0..1000_u64,
        ) {
            let (data, mask) = bad_image(shape, seed);
            let selection = Selection::new()
                .with_exclude_border(border)
                .with_min_separation(separation.map(|s| if s < 9.0 { 0.0 } else { s / 3.0 }));
            compare_all(&data, &mask, shape, (fwhm, level), &selection)?;
            let single: Vec<f32> = data.iter().map(|v| *v as f32).collect();
            compare_all(&single, &mask, shape, (fwhm, level), &selection)?;
        }
    }

    #[test]
    fn images_of_a_row_or_a_column_and_smaller_than_the_kernel() -> Result<(), Error> {
        let mut n = 0;
        for shape in [(1, 1), (1, 200), (200, 1), (2, 3), (3, 64), (129, 2)] {
            for separation in [None, Some(0.0), Some(1.0), Some(f64::INFINITY)] {
                let (data, mask) = bad_image(shape, 5);
                let selection = Selection::new().with_min_separation(separation);
                n += compare_all(&data, &mask, shape, (4.0, 0.5), &selection)?;
            }
        }
        assert!(n > 100, "{n}");
        Ok(())
    }

    #[test]
    fn an_image_of_one_value_has_no_stars_in_any_band() -> Result<(), Error> {
        let hood = Neighbourhood::footprint(&[true], (1, 1))?;
        let search = PeakSearch::new(&hood, Threshold::Scalar(1.0));
        let band = |(y, value)| {
            let peak = |x| Peak { x, y, value: 3.0 };
            let stars = vec![(peak(0), Some((0, y))), (peak(1), None)];
            Band { stars, value }
        };
        let of = |values: [Option<f64>; 2]| {
            let bands = (0..).zip(values).map(band);
            kept(&search, bands.collect())
        };
        assert_eq!(of([Some(3.0), Some(3.0)]), []);
        for values in [[Some(3.0), Some(4.0)], [Some(3.0), None], [None, None]] {
            assert_eq!(of(values), [(0, 0), (0, 1)]);
        }
        Ok(())
    }
}
