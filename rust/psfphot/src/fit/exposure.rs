//! The planes of one image: what all fits, counts and measures of quality read.

use std::ops::Range;

use crate::bands::Bands;
use crate::image::{CACHED, Frame, Pixel, PixelBox, PixelState};
use crate::simd::prefetch;
use crate::{Error, Run};

/// The weight of a pixel that is left out for its error alone. In every sum it
/// is the 0 of the other bad pixels; only its sign tells it apart.
const BAD_ERROR: f64 = -0.0;

/// Neighbouring rows hold about the same spans: a place in one is first sought so
/// many spans around that in the other, as the whole row is far from the cache
/// (searching it took half of the time of [`Exposure::count`], 40,000 stars).
const REACH: usize = 8;

/// One image as planes of its residuals and weights, wherever its pixel type
/// and its bad pixels matter no more.
///
/// There are planes (16 bytes a pixel) only where there is some box, in the bands
/// of rows that hold one. A [`Frame`] is asked once for each of these pixels,
/// however many boxes hold it.
#[derive(Debug)]
pub(crate) struct Exposure {
    image: PixelBox,
    has_error: bool,
    bands: Vec<Option<Band>>,
}

/// The pixels of some rows that lie in a box, row by row.
#[derive(Debug)]
struct Band {
    /// The data minus all that has been subtracted of them; 0 in bad pixels.
    residual: Vec<f64>,
    /// 1/error² (1 without errors); 0 in bad pixels.
    weight: Vec<f64>,
    /// The pixels of each row.
    rows: Vec<Vec<Span>>,
}

/// Neighbouring pixels of a row.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// The element of the planes that is the first of them.
    offset: usize,
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
    /// of bad pixels are 0 or −0. What lies in none of the boxes that the planes
    /// were made for is left out.
    pub(crate) fn rows(&self, window: PixelBox) -> impl Iterator<Item = (&[f64], &[f64])> {
        let columns = window.columns();
        let rows = if columns.is_empty() {
            0..0
        } else {
            window.y0 as usize..window.y1 as usize
        };
        // Boxes are about everywhere: the first row is sought from there.
        let place = columns.start as f64 / self.image.width().max(1) as f64;
        let mut near = None;
        rows.filter_map(move |y| {
            let band = self.bands.get(y / CACHED)?.as_ref()?;
            let spans = band.rows.get(y % CACHED)?;
            let guess = near.unwrap_or((place * spans.len() as f64) as usize);
            let after = spans_before(spans, columns.start, guess);
            near = Some(after);
            band.pixels(spans.get(after.checked_sub(1)?)?, columns.clone())
        })
    }

    /// Asks for the pixels of a box, which are read soon.
    pub(crate) fn prefetch(&self, window: PixelBox) {
        for (residuals, weights) in self.rows(window) {
            prefetch(residuals);
            prefetch(weights);
        }
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
    /// The rows of `window`, in its `parts`.
    fn new<T: Pixel>(frame: &Frame<'_, T>, window: PixelBox, mut parts: Vec<PixelBox>) -> Self {
        parts.sort_unstable_by_key(|part| part.x0);
        let mut rows: Vec<Vec<Span>> = vec![Vec::new(); window.height()];
        for part in parts {
            let Range { start, end } = part.columns();
            for y in part.y0..part.y1 {
                let spans = &mut rows[(y - window.y0) as usize];
                match spans.last_mut() {
                    // Those that touch are one too: a box may hold parts of both.
                    Some(last) if start <= last.end => last.end = last.end.max(end),
                    _ => spans.push(Span {
                        start,
                        end,
                        offset: 0,
                    }),
                }
            }
        }
        let mut n = 0;
        for span in rows.iter_mut().flatten() {
            span.offset = n;
            n += span.end - span.start;
        }
        let (mut residual, mut weight) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (y, spans) in (window.y0 as usize..).zip(&rows) {
            for span in spans {
                frame.prefetch_row(y, span.start..span.end);
            }
            for span in spans {
                for state in frame.row_states(y, span.start..span.end) {
                    let (value, w) = match state {
                        PixelState::Good { value, weight } => (value, weight),
                        PixelState::BadError => (0.0, BAD_ERROR),
                        PixelState::Outside | PixelState::Masked | PixelState::NonFinite => {
                            (0.0, 0.0)
                        }
                    };
                    residual.push(value);
                    weight.push(w);
                }
            }
        }
        Self {
            residual,
            weight,
            rows,
        }
    }

    /// Residuals and weights in some columns of a row, of which a span begins before them.
    fn pixels(&self, span: &Span, columns: Range<usize>) -> Option<(&[f64], &[f64])> {
        if columns.end > span.end {
            return None;
        }
        let first = span.offset + (columns.start - span.start);
        let range = first..first + columns.len();
        Some((self.residual.get(range.clone())?, self.weight.get(range)?))
    }
}

/// How many spans of a row begin at a column or before it; probably about `guess`.
fn spans_before(spans: &[Span], column: usize, guess: usize) -> usize {
    let begins = |span: &Span| span.start <= column;
    let (low, high) = (
        guess.saturating_sub(REACH).min(spans.len()),
        guess.saturating_add(REACH).min(spans.len()),
    );
    let is_within = spans[..low].last().is_none_or(begins)
        && spans[high..].first().is_none_or(|span| !begins(span));
    if is_within {
        low + spans[low..high].partition_point(begins)
    } else {
        spans.partition_point(begins)
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
                let rows = exposure.rows(pixels).flat_map(|(r, w)| r.iter().zip(w));
                let planes: Vec<_> = rows.collect();
                prop_assert_eq!(planes.len(), pixels.len());
                for ((x, y), &(&residual, &weight)) in pixels.pixels().zip(&planes) {
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
    fn planes_are_where_the_boxes_are() -> Result<(), Error> {
        let data = vec![1.0; SHAPE.0 * SHAPE.1];
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let boxes = [
            PixelBox::new(2, 7, 62, 66),
            PixelBox::new(3, 8, 62, 66),
            PixelBox::default(),
        ];
        let exposure = Exposure::new(&frame, &boxes, Run::new())?;
        let has_planes: Vec<_> = exposure.bands.iter().map(Option::is_some).collect();
        assert_eq!(has_planes, [false, true, true, false]);
        let n: usize = exposure
            .bands
            .iter()
            .flatten()
            .map(|b| b.weight.len())
            .sum();
        assert_eq!(n, 4 * 6);
        assert_eq!(exposure.rows(PixelBox::new(7, 9, 62, 66)).count(), 0);
        Ok(())
    }
}
