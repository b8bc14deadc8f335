//! Rendering: adding the images of many sources to an image.

use crate::bands::{Bands, RENDERED};
use crate::image::{Patch, PixelBox};
use crate::psf::{Placement, Psf};
use crate::{Error, Run};

/// A source to be rendered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderSource<'a> {
    /// Total flux, in the image's unit.
    pub flux: f64,
    /// Column of the centre, pixels.
    pub x: f64,
    /// Row of the centre, pixels.
    pub y: f64,
    /// A level added to every pixel of the source's box, in the image's unit.
    pub background: f64,
    /// The source's own shape parameters, in the order of
    /// [`Psf::shape_names`]; `None` takes the PSF's.
    pub shape: Option<&'a [f64]>,
}

impl<'a> RenderSource<'a> {
    /// A source of the PSF's own shape, without background.
    #[must_use]
    pub fn new(flux: f64, x: f64, y: f64) -> Self {
        Self {
            flux,
            x,
            y,
            background: 0.0,
            shape: None,
        }
    }

    /// With a level that is added over the source's box.
    #[must_use]
    pub fn with_background(mut self, background: f64) -> Self {
        self.background = background;
        self
    }

    /// With shape parameters of its own.
    #[must_use]
    pub fn with_shape(mut self, shape: &'a [f64]) -> Self {
        self.shape = Some(shape);
        self
    }

    pub(crate) fn is_finite(&self) -> bool {
        [self.flux, self.x, self.y, self.background]
            .iter()
            .chain(self.shape.unwrap_or_default())
            .all(|value| value.is_finite())
    }

    pub(crate) fn placement(&self, psf: &'a dyn Psf) -> Placement<'a> {
        Placement {
            x: self.x,
            y: self.y,
            shape: self.shape.unwrap_or_else(|| psf.shape()),
        }
    }
}

/// Sources that were asked for and are not in the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Some parameter is not finite.
    pub not_finite: usize,
    /// No pixel of the box is on the image.
    pub off_image: usize,
}

/// Adds `sources` to `image`, of `shape = (ny, nx)`, row by row.
///
/// Each source is evaluated at the pixel centres of the box of
/// `window_shape = (ny, nx)` pixels around it ([`PixelBox::around`]), or of
/// the PSF's support. A source of which any parameter is not finite, or whose
/// box is off the image, is skipped; their numbers are returned.
///
/// The image is worked on in bands of rows, in each the sources one after
/// another, so that the result is the same, bit by bit, for any number of
/// threads.
///
/// # Errors
/// [`Error::ShapeMismatch`] if `image` does not have ny·nx elements or a
/// source's shape another number of parameters than the PSF;
/// [`Error::Cancelled`], and then the image is partly done.
pub fn render(
    image: &mut [f64],
    shape: (usize, usize),
    psf: &dyn Psf,
    sources: &[RenderSource<'_>],
    window_shape: Option<(usize, usize)>,
    run: Run<'_>,
) -> Result<Skipped, Error> {
    let (ny, nx) = shape;
    Error::check_len("image", ny.saturating_mul(nx), image.len())?;
    for own in sources.iter().filter_map(|source| source.shape) {
        Error::check_len("source shape", psf.shape_names().len(), own.len())?;
    }
    let bounds = PixelBox::new(0, nx as i64, 0, ny as i64);
    let window = |source: &RenderSource<'_>| match window_shape {
        Some(size) => PixelBox::around(source.x, source.y, size),
        None => psf.support(source.placement(psf)),
    };
    let boxes: Vec<PixelBox> = sources
        .iter()
        .map(|source| {
            if source.is_finite() {
                window(source).intersection(&bounds)
            } else {
                PixelBox::default()
            }
        })
        .collect();
    let bands = Bands::new(&boxes, ny, RENDERED);
    let n_empty = boxes.iter().filter(|b| b.is_empty()).count();
    run.advance(n_empty);

    let tasks = image.chunks_mut((RENDERED * nx).max(1)).enumerate();
    let add_to = |profile: &mut Vec<f64>, (number, pixels)| {
        let band = bands.window(number, nx);
        let mut patch = Patch::new(band, pixels);
        for &i in bands.boxes(number) {
            run.check()?;
            let (source, part) = (&sources[i], boxes[i].intersection(&band));
            // Only grows; `fill` writes every element that is read.
            if profile.len() < part.len() {
                profile.resize(part.len(), 0.0);
            }
            psf.fill(source.placement(psf), part, profile);
            patch.add(part, profile, source.flux, source.background);
            run.advance(usize::from(part.y0 == boxes[i].y0));
        }
        Ok(())
    };
    run.map(tasks.collect(), Vec::new, add_to)?;
    let not_finite = sources.iter().filter(|s| !s.is_finite()).count();
    Ok(Skipped {
        not_finite,
        off_image: n_empty - not_finite,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psf::CircularGaussianPrf;
    use proptest::prelude::*;

    const SHAPE: (usize, usize) = (200, 70);

    fn rendered(
        sources: &[RenderSource<'_>],
        window: Option<(usize, usize)>,
        run: Run<'_>,
    ) -> Vec<f64> {
        let psf = CircularGaussianPrf::new(2.5).unwrap();
        let mut image = vec![0.0; SHAPE.0 * SHAPE.1];
        render(&mut image, SHAPE, &psf, sources, window, run).unwrap();
        image
    }

    fn one_by_one(sources: &[RenderSource<'_>], window: (usize, usize)) -> Vec<f64> {
        let psf = CircularGaussianPrf::new(2.5).unwrap();
        let mut image = vec![0.0; SHAPE.0 * SHAPE.1];
        for source in sources {
            let pixels = PixelBox::around(source.x, source.y, window);
            for y in 0..SHAPE.0 as i64 {
                for x in (0..SHAPE.1 as i64).filter(|&x| pixels.contains(x, y)) {
                    let value = psf.value(source.placement(&psf), x as f64, y as f64);
                    image[y as usize * SHAPE.1 + x as usize] +=
                        source.flux * value + source.background;
                }
            }
        }
        image
    }

    fn source() -> impl Strategy<Value = RenderSource<'static>> {
        (1.0..1e3, -20.0..90.0, -20.0..220.0, -1.0..1.0)
            .prop_map(|(flux, x, y, b)| RenderSource::new(flux, x, y).with_background(b))
    }

    proptest! {
        #[test]
        fn an_image_is_the_sum_of_its_sources(
            sources in prop::collection::vec(source(), 0..30),
            window in (1..90_usize, 1..30_usize),
        ) {
            let image = rendered(&sources, Some(window), Run::new());
            let expected = one_by_one(&sources, window);
            for (value, expected) in image.iter().zip(&expected) {
                prop_assert!((value - expected).abs() < 1e-10);
            }
            let serial = rendered(&sources, Some(window), Run::new().serial());
            prop_assert_eq!(image, serial);
        }
    }

    #[test]
    fn the_flux_is_there_and_parameters_that_are_not_finite_are_skipped() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let good = RenderSource::new(5.0, 30.2, 64.1);
        let sources = [
            good,
            RenderSource::new(f64::NAN, 30.0, 64.0),
            RenderSource::new(1.0, f64::INFINITY, 64.0),
            RenderSource::new(1.0, 30.0, f64::NAN),
            good.with_background(f64::NAN),
            good.with_shape(&[f64::NAN]),
            RenderSource::new(1.0, 1e300, 64.0),
        ];
        let mut image = vec![0.0; SHAPE.0 * SHAPE.1];
        let progress = crate::run::Progress::default();
        let run = Run::new().with_monitor(&progress);
        let skipped = render(&mut image, SHAPE, &psf, &sources, None, run)?;
        let expected = Skipped {
            not_finite: 5,
            off_image: 1,
        };
        assert_eq!((skipped, progress.done()), (expected, sources.len()));
        assert!((image.iter().sum::<f64>() - 5.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn sources_may_have_shapes_of_their_own() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let wide = [RenderSource::new(1.0, 30.0, 64.0).with_shape(&[6.0])];
        let peak = rendered(&wide, None, Run::new())
            .into_iter()
            .fold(0.0, f64::max);
        let expected = CircularGaussianPrf::new(6.0)?;
        let at = wide[0].placement(&psf);
        assert!((peak - expected.value(at, 30.0, 64.0)).abs() < 1e-15);

        let wrong = [RenderSource::new(1.0, 0.0, 0.0).with_shape(&[])];
        assert!(render(&mut [0.0], (1, 1), &psf, &wrong, None, Run::new()).is_err());
        Ok(())
    }

    #[test]
    fn empty_images_and_boxes_stay_empty() -> Result<(), Error> {
        let psf = CircularGaussianPrf::new(2.5)?;
        let one = [RenderSource::new(1.0, 0.0, 0.0)];
        for shape in [(0, 0), (0, 5), (5, 0)] {
            let skipped = render(&mut [], shape, &psf, &one, None, Run::new())?;
            assert_eq!((skipped.not_finite, skipped.off_image), (0, 1));
        }
        assert!(render(&mut [0.0], (2, 1), &psf, &one, None, Run::new()).is_err());
        assert!(
            rendered(&one, Some((0, 3)), Run::new())
                .iter()
                .all(|&v| v == 0.0)
        );
        Ok(())
    }
}
