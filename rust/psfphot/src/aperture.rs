//! Sums over circular apertures and annuli.

mod overlap;
mod quadrant;

pub use overlap::Method;
pub use quadrant::pixel_overlap;

use std::ops::Range;

use overlap::Columns;
use quadrant::Circle;

use crate::image::{Frame, Pixel, PixelBox};
use crate::positions::map_positions;
use crate::{Error, Run};

/// Sources per task: about a tenth of a millisecond of work.
const CHUNK: usize = 256;

/// The most points per pixel and axis of [`Method::Subpixel`]: with more, one
/// pixel's points could keep a thread for minutes.
const MAX_SUBPIXELS: u32 = 10_000;

/// In a box of more pixels than this an aperture is taken to have some, without
/// a look at all of them: a ring that has none is thinner than a thousandth of
/// its radius.
const LARGEST_EMPTY: usize = 1 << 20;

/// An aperture of more pixels than this is a mistake: their weights are 2 GiB.
const MOST_WEIGHTS: usize = 1 << 28;

/// A circle or an annulus, and how pixels on its edge are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aperture {
    outer: f64,
    /// Radius of the hole; 0 for none.
    inner: f64,
    method: Method,
}

impl Aperture {
    /// A circle of `radius` pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless `radius` is positive and finite.
    pub fn circle(radius: f64) -> Result<Self, Error> {
        Error::check_positive("radius", radius)?;
        Ok(Self {
            outer: radius,
            inner: 0.0,
            method: Method::Exact,
        })
    }

    /// The ring between two circles of `inner_radius` and `outer_radius`
    /// pixels.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless 0 < inner < outer < ∞.
    pub fn annulus(inner_radius: f64, outer_radius: f64) -> Result<Self, Error> {
        check_radii(inner_radius, outer_radius)?;
        let inner = inner_radius;
        Self::circle(outer_radius).map(|circle| Self { inner, ..circle })
    }

    /// With another method than [`Method::Exact`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for 0 or more than 10,000 points per axis.
    pub fn with_method(mut self, method: Method) -> Result<Self, Error> {
        if let Method::Subpixel(n) = method
            && !(1..=MAX_SUBPIXELS).contains(&n)
        {
            let expected = format!("be between 1 and {MAX_SUBPIXELS}");
            return Err(Error::invalid("subpixels", expected, n));
        }
        self.method = method;
        Ok(self)
    }

    /// The pixels that it can touch around a position.
    fn bounds(&self, centre: (f64, f64)) -> PixelBox {
        if !(centre.0.is_finite() && centre.1.is_finite()) {
            return PixelBox::default();
        }
        // A cast saturates, and no image reaches that far.
        let first = |c: f64| (c - self.outer + 0.5).floor() as i64;
        let last = |c: f64| (c + self.outer + 0.5).ceil() as i64;
        PixelBox::new(
            first(centre.0),
            last(centre.0),
            first(centre.1),
            last(centre.1),
        )
    }

    /// The weights of the pixels around a position, row by row, and the box that
    /// holds them. Where the centre is not finite the box is empty.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are more than 2²⁸ pixels.
    pub fn weights(&self, centre: (f64, f64)) -> Result<(PixelBox, Vec<f64>), Error> {
        let all = self.bounds(centre);
        if all.len() > MOST_WEIGHTS {
            let expected = format!("touch at most {MOST_WEIGHTS} pixels");
            return Err(Error::invalid("radius", expected, self.outer));
        }
        let mut stencil = Stencil::default();
        stencil.lay(self, centre, &all);
        let mut weights = Vec::with_capacity(all.len());
        for y in all.y0..all.y1 {
            stencil.weigh_row(self, y as f64 - centre.1);
            // The rings' difference can be below 0 by rounding.
            weights.extend(stencil.weights.iter().map(|weight| weight.max(0.0)));
        }
        Ok((all, weights))
    }

    /// Whether any pixel of its box has a weight.
    fn has_weight(
        &self,
        centre: (f64, f64),
        all: PixelBox,
        stencil: &mut Stencil,
        run: Run<'_>,
    ) -> Result<bool, Error> {
        if all.len() > LARGEST_EMPTY {
            return Ok(true);
        }
        stencil.lay(self, centre, &all);
        for y in all.y0..all.y1 {
            run.check()?;
            let touched = stencil.weigh_row(self, y as f64 - centre.1);
            if stencil.weights[touched].iter().any(|&weight| weight > 0.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The weights of an aperture's pixels, a row at a time.
#[derive(Debug, Default)]
struct Stencil {
    /// Those of the last row.
    weights: Vec<f64>,
    outer: Columns,
    inner: Columns,
}

impl Stencil {
    /// Lays an aperture on the columns of a window.
    fn lay(&mut self, aperture: &Aperture, centre: (f64, f64), window: &PixelBox) {
        let n = window.width();
        self.weights.resize(n, 0.0);
        for (radius, columns) in [
            (aperture.outer, &mut self.outer),
            (aperture.inner, &mut self.inner),
        ] {
            if radius > 0.0 {
                columns.lay(Circle::new(radius), aperture.method, centre.0, window.x0, n);
            }
        }
    }

    /// Weighs the row at `dy` from the centre; outside of the returned range
    /// the weights are 0.
    fn weigh_row(&mut self, aperture: &Aperture, dy: f64) -> Range<usize> {
        let Self {
            weights,
            outer,
            inner,
        } = self;
        weights.fill(0.0);
        let method = aperture.method;
        let touched = Circle::new(aperture.outer).add_row(method, dy, outer, 1.0, weights);
        if aperture.inner > 0.0 {
            Circle::new(aperture.inner).add_row(method, dy, inner, -1.0, weights);
        }
        touched
    }
}

/// An [`Error::InvalidArgument`] unless 0 < inner < outer < ∞.
pub(crate) fn check_radii(inner_radius: f64, outer_radius: f64) -> Result<(), Error> {
    Error::check_positive("inner_radius", inner_radius)?;
    Error::check_positive("outer_radius", outer_radius)?;
    if outer_radius <= inner_radius {
        let expected = "be greater than inner_radius";
        return Err(Error::invalid("outer_radius", expected, outer_radius));
    }
    Ok(())
}

/// The sum over an aperture. Weights are the parts of pixels in the aperture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApertureSum {
    /// Σ value · weight, in the image's unit. NaN where the aperture does not
    /// overlap the image or its centre is not finite, 0 where it does but no
    /// pixel can be used.
    pub sum: f64,
    /// √(Σ error² · weight²), in the image's unit. NaN like the sum, and
    /// without errors.
    pub error: f64,
    /// Σ weight of the pixels that entered the sum, in pixels: the area that
    /// a background per pixel has to be multiplied by. Where the aperture does
    /// not overlap the image, NaN of [`aperture_sums`] and 0 of
    /// [`circular_sums`].
    pub area: f64,
}

/// Sums of the image over an aperture around each position.
///
/// Masked pixels are left out. A value or error that is not finite makes the
/// sum or its error so, where the pixel's weight is not 0.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::Cancelled`].
pub fn aperture_sums<T: Pixel>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    aperture: &Aperture,
    run: Run<'_>,
) -> Result<Vec<ApertureSum>, Error> {
    sums::<T, false>(frame, x, y, aperture, run)
}

/// Sums of the image over a circle of `radius` pixels around each position, by
/// exact overlaps.
///
/// Other than [`aperture_sums`], it leaves pixels that are not finite out, like
/// masked ones.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `x` and `y` differ in length;
/// [`Error::InvalidArgument`] unless `radius` is positive and finite;
/// [`Error::Cancelled`].
pub fn circular_sums<T: Pixel>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    radius: f64,
    run: Run<'_>,
) -> Result<Vec<ApertureSum>, Error> {
    sums::<T, true>(frame, x, y, &Aperture::circle(radius)?, run)
}

fn sums<T: Pixel, const FINITE: bool>(
    frame: &Frame<'_, T>,
    x: &[f64],
    y: &[f64],
    aperture: &Aperture,
    run: Run<'_>,
) -> Result<Vec<ApertureSum>, Error> {
    map_positions(run, (x, y), CHUNK, Stencil::default, |stencil, position| {
        sum::<T, FINITE>(frame, position, aperture, stencil, run)
    })
}

fn sum<T: Pixel, const FINITE: bool>(
    frame: &Frame<'_, T>,
    centre: (f64, f64),
    aperture: &Aperture,
    stencil: &mut Stencil,
    run: Run<'_>,
) -> Result<ApertureSum, Error> {
    let whole = aperture.bounds(centre);
    let window = whole.intersection(&frame.data().bounds());
    let columns = window.columns();
    stencil.lay(aperture, centre, &window);
    let (mut total, mut variance, mut area) = (0.0, 0.0, 0.0);
    let mut on_image = false;
    for y in window.y0..window.y1 {
        // All rows are asked for at once: else the sum waits for the memory at
        // each of them, for half of its time.
        std::hint::black_box(frame.data().get(window.x0, y));
    }
    for y in window.y0..window.y1 {
        run.check()?;
        let touched = stencil.weigh_row(aperture, y as f64 - centre.1);
        let pixels = columns.start + touched.start..columns.start + touched.end;
        let row = y as usize;
        let values = &frame.data().row(row)[pixels.clone()];
        let mask = frame.mask().map(|mask| &mask.row(row)[pixels.clone()]);
        let errors = frame.error().map(|error| &error.row(row)[pixels]);
        let weights = &stencil.weights[touched];
        // Without branches: which weights are 0 is hard to guess. (The rings'
        // difference can be below 0 by rounding.)
        for (k, (&weight, &value)) in weights.iter().zip(values).enumerate() {
            let value: f64 = value.into();
            let is_masked = mask.is_some_and(|mask| mask[k]);
            #[allow(clippy::needless_bitwise_bool)] // `&&` branches
            let is_used = (weight > 0.0) & !is_masked & (!FINITE | value.is_finite());
            on_image |= weight > 0.0;
            total += if is_used { weight * value } else { 0.0 };
            area += if is_used { weight } else { 0.0 };
            if let Some(errors) = errors
                && is_used
            {
                variance += (weight * errors[k].into()).powi(2);
            }
        }
    }
    // A small circle can be on the image without having any pixel's centre.
    if !on_image && !window.is_empty() {
        on_image = !aperture.has_weight(centre, whole, stencil, run)?;
    }
    let or_nan = |value: f64, is_known: bool| if is_known { value } else { f64::NAN };
    Ok(ApertureSum {
        sum: or_nan(total, on_image),
        error: or_nan(variance.sqrt(), on_image && frame.has_error()),
        area: or_nan(area, on_image || FINITE),
    })
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;
    use crate::image::Image;
    use crate::run::CancelAfter;
    use proptest::prelude::*;
    use std::f64::consts::PI;

    #[test]
    fn bad_pixels_leave_sum_and_area() -> Result<(), Error> {
        let mut data = vec![2.0_f32; 20 * 20];
        data[10 * 20 + 10] = f32::NAN;
        let mut mask = vec![false; 400];
        mask[10 * 20 + 11] = true;
        let zero = vec![0.0_f32; 400];
        let frame = Frame::new(Image::new(&data, (20, 20))?)
            .with_error(Image::new(&zero, (20, 20))?)?
            .with_mask(Image::new(&mask, (20, 20))?)?;
        let xs = [10.0, -2.4, -2.5, -2.2, f64::NAN, 1e300];
        let ys = [10.0, 10.0, 10.0, -2.2, 1.0, 1.0];
        let sums = circular_sums(&frame, &xs, &ys, 2.0, Run::new())?;
        let area = 4.0 * PI - 2.0;
        assert!((sums[0].area - area).abs() < 1e-13 && (sums[0].sum - 2.0 * area).abs() < 1e-13);
        assert!(sums[1].sum > 0.0 && sums[1].area < 0.2);
        for sum in &sums[2..] {
            assert!(sum.sum.is_nan() && sum.area == 0.0);
        }
        assert!(circular_sums(&frame, &xs, &ys, f64::INFINITY, Run::new()).is_err());
        Ok(())
    }

    #[test]
    fn weights_are_what_the_sums_use() -> Result<(), Error> {
        for method in [Method::Exact, Method::Center, Method::Subpixel(5)] {
            let ring = Aperture::annulus(1.2, 3.4)?.with_method(method)?;
            let (window, weights) = ring.weights((10.3, 9.6))?;
            assert_eq!(weights.len(), window.len());
            assert!(weights.iter().all(|&weight| (0.0..=1.0).contains(&weight)));
            let frame = Frame::new(Image::new(&[1.0; 400], (20, 20))?);
            let area = aperture_sums(&frame, &[10.3], &[9.6], &ring, Run::new())?[0].area;
            assert!((weights.iter().sum::<f64>() - area).abs() < 1e-12);
        }
        assert_eq!(Aperture::circle(1.0)?.weights((f64::NAN, 0.0))?.1, []);
        assert!(Aperture::circle(1e9)?.weights((0.0, 0.0)).is_err());
        Ok(())
    }

    #[test]
    fn a_run_can_be_cancelled_between_two_sources() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?);
        let sums = |monitor: &CancelAfter| {
            let run = Run::new().with_monitor(monitor).serial();
            circular_sums(&frame, &[1.0; 3], &[1.0; 3], 1e9, run).map(|sums| sums.len())
        };
        assert_eq!(sums(&CancelAfter::new(100)), Ok(3));
        assert_eq!(sums(&CancelAfter::new(2)), Err(Error::Cancelled));
        // Three positions of three rows each.
        assert_eq!(sums(&CancelAfter::new(9)), Err(Error::Cancelled));
        Ok(())
    }

    #[test]
    fn a_fully_masked_aperture_sums_to_zero() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 9], (3, 3))?)
            .with_mask(Image::new(&[true; 9], (3, 3))?)?;
        let sums = circular_sums(&frame, &[1.0], &[1.0], 1.0, Run::new())?;
        assert_eq!((sums[0].sum, sums[0].area), (0.0, 0.0));
        Ok(())
    }

    /// Sums of a smooth image of 40 x 40 pixels moved by whole pixels.
    fn sums_of_ramp(offset: (f64, f64), scale: f64, aperture: &Aperture) -> Vec<ApertureSum> {
        let value = |i: usize| scale * (3.0 + (i % 40) as f64 - 0.7 * (i / 40) as f64);
        let data: Vec<f64> = (0..1600).map(value).collect();
        let error: Vec<f64> = data.iter().map(|v| v.abs().sqrt()).collect();
        let frame = Frame::new(Image::new(&data, (40, 40)).unwrap())
            .with_error(Image::new(&error, (40, 40)).unwrap())
            .unwrap();
        let (x, y) = ([20.2 + offset.0], [19.7 + offset.1]);
        aperture_sums(&frame, &x, &y, aperture, Run::new()).unwrap()
    }

    proptest! {
        #[test]
        fn sums_move_with_the_image_and_scale_with_the_flux(
            radius in 0.6..8.0_f64,
            hole in 0.05..0.95_f64,
            (dx, dy) in (-5..=5_i32, -5..=5_i32),
            method in prop_oneof![
                Just(Method::Exact), Just(Method::Center), Just(Method::Subpixel(4))
            ],
        ) {
            for aperture in [Aperture::circle(radius), Aperture::annulus(hole * radius, radius)] {
                let aperture = aperture.unwrap().with_method(method).unwrap();
                let here = sums_of_ramp((0.0, 0.0), 1.0, &aperture)[0];
                let there = sums_of_ramp((f64::from(dx), f64::from(dy)), 1.0, &aperture)[0];
                // The ramp is linear: moving adds its slope times the area.
                let expected = here.sum + (f64::from(dx) - 0.7 * f64::from(dy)) * here.area;
                prop_assert!((there.sum - expected).abs() < 1e-9, "{} {}", there.sum, expected);
                prop_assert!((there.area - here.area).abs() < 1e-10);
                let scaled = sums_of_ramp((0.0, 0.0), 9.0, &aperture)[0];
                prop_assert!((scaled.sum - 9.0 * here.sum).abs() < 1e-9 * here.sum.abs().max(1.0));
                prop_assert!((scaled.error - 3.0 * here.error).abs() < 1e-9);
                let area = PI * (radius * radius - aperture.inner * aperture.inner);
                prop_assert!(method != Method::Exact || (here.area - area).abs() < 1e-11);
            }
        }
    }

    #[test]
    fn errors_add_in_quadrature_with_their_weights() -> Result<(), Error> {
        let frame = Frame::new(Image::new(&[1.0; 4], (2, 2))?)
            .with_error(Image::new(&[1.0, 2.0, 3.0, 4.0], (2, 2))?)?;
        let aperture = Aperture::circle(0.3)?;
        // A circle that is cut in four by the pixels' edges.
        let sums = aperture_sums(&frame, &[0.5], &[0.5], &aperture, Run::new())?;
        let part: f64 = PI * 0.09 / 4.0;
        assert!((sums[0].error - part * 30.0_f64.sqrt()).abs() < 1e-15);
        assert!((sums[0].area - 4.0 * part).abs() < 1e-15);
        Ok(())
    }

    #[test]
    fn bad_values_spoil_sums_but_masked_ones_do_not() -> Result<(), Error> {
        let mut data = [1.0; 25];
        let mut error = [1.0; 25];
        (data[12], error[13]) = (f64::NAN, f64::INFINITY);
        let frame =
            Frame::new(Image::new(&data, (5, 5))?).with_error(Image::new(&error, (5, 5))?)?;
        let aperture = Aperture::circle(1.5)?;
        let sums = |frame: &Frame<'_, f64>| {
            aperture_sums(
                frame,
                &[2.0, 0.0, 9.0],
                &[2.0, 0.0, 0.0],
                &aperture,
                Run::new(),
            )
        };
        let plain = sums(&frame)?;
        assert!(plain[0].sum.is_nan() && plain[0].error == f64::INFINITY);
        assert!(plain[1].sum.is_finite() && plain[1].error.is_finite());
        assert!(plain[2].sum.is_nan() && plain[2].area.is_nan());
        let mut mask = [false; 25];
        (mask[12], mask[13]) = (true, true);
        let masked = sums(&frame.with_mask(Image::new(&mask, (5, 5))?)?)?;
        assert!((masked[0].sum - masked[0].area).abs() < 1e-15 && masked[0].area > 4.0);
        assert!(masked[0].error.is_finite());
        Ok(())
    }

    #[test]
    fn bad_apertures_are_named() -> Result<(), Error> {
        let message = |aperture: Result<Aperture, Error>| aperture.unwrap_err().to_string();
        assert!(message(Aperture::circle(0.0)).starts_with("radius must be positive"));
        assert!(message(Aperture::annulus(f64::NAN, 1.0)).starts_with("inner_radius must"));
        assert!(message(Aperture::annulus(2.0, 2.0)).starts_with("outer_radius must be greater"));
        for n in [0, MAX_SUBPIXELS + 1] {
            let bad = Aperture::circle(1.0)?.with_method(Method::Subpixel(n));
            assert!(message(bad).starts_with("subpixels must be between 1 and"));
        }
        Ok(())
    }
}
