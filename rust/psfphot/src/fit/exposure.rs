//! The planes of one image: what all fits, counts and measures of quality read.

use crate::bands::{Bands, CACHED};
use crate::image::{Frame, Pixel, PixelBox, PixelState};
use crate::{Error, Run};

/// The weight of a pixel that is left out for its error alone. In every sum it
/// is the 0 of the other bad pixels; only its sign tells it apart.
const BAD_ERROR: f64 = -0.0;

/// One image as planes of its residuals and weights, wherever its pixel type
/// and its bad pixels matter no more.
///
/// There are planes (16 bytes a pixel) only over the bands of rows that hold
/// some box, and in them values only in the boxes. A [`Frame`] is asked once for
/// each of these pixels, however many boxes hold it.
#[derive(Debug)]
pub(crate) struct Exposure {
    image: PixelBox,
    has_error: bool,
    bands: Vec<Option<Band>>,
}

/// Some whole rows of the planes.
#[derive(Debug)]
struct Band {
    /// The data minus all that has been subtracted of them; 0 in bad pixels.
    residual: Vec<f64>,
    /// 1/error² (1 without errors); 0 in bad pixels.
    weight: Vec<f64>,
}

/// How many pixels of a box can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Pixels with a weight.
    pub(crate) good: usize,
    /// Pixels left out for their error alone.
    pub(crate) bad_errors: usize,
}

impl Exposure {
    /// The planes of `frame` in `boxes`, which lie on the image.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(crate) fn new<T: Pixel>(
        frame: &Frame<'_, T>,
        boxes: &[PixelBox],
        run: Run<'_>,
    ) -> Result<Self, Error> {
        let (n_rows, width) = frame.data().shape();
        let bands = Bands::new(boxes, n_rows, CACHED);
        let fill = |(): &mut (), number: usize| {
            let touching = bands.boxes(number).iter().map(|&i| boxes[i]);
            let window = bands.window(number, width);
            let parts: Vec<_> = touching.map(|b| b.intersection(&window)).collect();
            Ok((!parts.is_empty()).then(|| Band::new(frame, window, parts)))
        };
        let tasks = (0..bands.len()).collect();
        Ok(Self {
            image: frame.data().bounds(),
            has_error: frame.has_error(),
            bands: run.map(tasks, || (), fill)?,
        })
    }

    /// The box of all pixels of the image.
    pub(crate) fn image(&self) -> PixelBox {
        self.image
    }

    /// Whether weights are 1/error², or 1 for want of errors.
    pub(crate) fn has_error(&self) -> bool {
        self.has_error
    }

    /// The rows of a box, from top to bottom: residuals and weights. The weights
    /// of bad pixels are 0 or −0.
    pub(crate) fn rows(&self, window: PixelBox) -> impl Iterator<Item = (&[f64], &[f64])> {
        let (columns, width) = (window.columns(), self.image.width());
        let rows = if columns.is_empty() {
            0..0
        } else {
            window.y0 as usize..window.y1 as usize
        };
        rows.filter_map(move |y| {
            let band = self.bands[y / CACHED].as_ref()?;
            let first = y % CACHED * width;
            let range = first + columns.start..first + columns.end;
            Some((&band.residual[range.clone()], &band.weight[range]))
        })
    }

    /// Counts the pixels of a box.
    pub(crate) fn count(&self, window: PixelBox) -> Count {
        let mut count = Count::default();
        for (_, weights) in self.rows(window) {
            for weight in weights {
                count.good += usize::from(*weight > 0.0);
                count.bad_errors += usize::from(weight.is_sign_negative());
            }
        }
        count
    }
}

impl Band {
    /// The rows of `window`, filled in its `parts`.
    fn new<T: Pixel>(frame: &Frame<'_, T>, window: PixelBox, mut parts: Vec<PixelBox>) -> Self {
        // Zeroed memory costs nothing before it is written to.
        let mut band = Self {
            residual: vec![0.0; window.len()],
            weight: vec![0.0; window.len()],
        };
        parts.sort_unstable_by_key(|part| part.x0);
        // Up to where each row is filled, as the parts come from left to right.
        let mut filled = vec![0; window.height()];
        for part in parts {
            for y in part.y0..part.y1 {
                let row = (y - window.y0) as usize;
                let columns = part.columns().start.max(filled[row])..part.columns().end;
                if !columns.is_empty() {
                    filled[row] = columns.end;
                    let first = row * window.width() + columns.start;
                    band.fill(first, frame.row_states(y as usize, columns));
                }
            }
        }
        band
    }

    /// Fills pixels of a row.
    fn fill(&mut self, first: usize, states: impl Iterator<Item = PixelState>) {
        let planes = self.residual[first..]
            .iter_mut()
            .zip(&mut self.weight[first..]);
        for ((residual, plane), state) in planes.zip(states) {
            match state {
                PixelState::Good { value, weight } => (*residual, *plane) = (value, weight),
                PixelState::BadError => *plane = BAD_ERROR,
                PixelState::Outside | PixelState::Masked | PixelState::NonFinite => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;
    use proptest::prelude::*;

    const SHAPE: (usize, usize) = (100, 23);

    /// Every kind of bad pixel among good ones.
    fn planes() -> (Vec<f32>, Vec<f32>, Vec<bool>) {
        let n = SHAPE.0 * SHAPE.1;
        let value = |k: usize| if k % 7 == 3 { f32::NAN } else { k as f32 };
        let error = |k: usize| {
            if k % 5 == 2 {
                0.0
            } else {
                0.5 + (k % 3) as f32
            }
        };
        let mask = |k: usize| k % 11 == 4;
        (
            (0..n).map(value).collect(),
            (0..n).map(error).collect(),
            (0..n).map(mask).collect(),
        )
    }

    proptest! {
        #[test]
        fn planes_are_the_pixels_of_the_frame(
            corners in prop::collection::vec((-5_i64..25, -5_i64..105, 0_i64..9, 0_i64..70), 1..9),
        ) {
            let (data, error, mask) = planes();
            let frame = Frame::new(Image::new(&data, SHAPE).unwrap())
                .with_error(Image::new(&error, SHAPE).unwrap())
                .unwrap()
                .with_mask(Image::new(&mask, SHAPE).unwrap())
                .unwrap();
            let boxes: Vec<_> = corners
                .iter()
                .map(|&(x, y, w, h)| PixelBox::new(x, x + w, y, y + h))
                .map(|pixels| pixels.intersection(&frame.data().bounds()))
                .collect();
            let exposure = Exposure::new(&frame, &boxes, Run::new()).unwrap();
            for &pixels in &boxes {
                let mut expected = Count::default();
                let planes = exposure.rows(pixels).flat_map(|(r, w)| r.iter().zip(w));
                prop_assert_eq!(planes.clone().count(), pixels.len());
                for ((x, y), (&residual, &weight)) in pixels.pixels().zip(planes) {
                    match frame.pixel(x, y) {
                        PixelState::Good { value, weight: w } => {
                            expected.good += 1;
                            prop_assert_eq!((residual, weight), (value, w));
                        }
                        state => {
                            expected.bad_errors += usize::from(state == PixelState::BadError);
                            prop_assert_eq!((residual, weight), (0.0, 0.0));
                        }
                    }
                }
                prop_assert_eq!(exposure.count(pixels), expected);
            }
        }
    }

    #[test]
    fn only_bands_with_a_box_have_planes() -> Result<(), Error> {
        let data = vec![1.0; SHAPE.0 * SHAPE.1];
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let boxes = [PixelBox::new(2, 7, 62, 66), PixelBox::default()];
        let exposure = Exposure::new(&frame, &boxes, Run::new())?;
        let has_planes: Vec<_> = exposure.bands.iter().map(Option::is_some).collect();
        assert_eq!(has_planes, [false, true, true, false]);
        Ok(())
    }
}
