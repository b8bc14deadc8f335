//! Images, and positions on and off them.

use psfphot::image::{Frame, Image, Pixel};

use crate::bytes::{Bytes, Noise};

/// The most pixels along an axis: more than the bands in which images are
/// worked on have rows.
const LARGEST: usize = 72;

/// An image with or without errors and a mask.
#[derive(Debug)]
pub(crate) struct Field<T> {
    pub(crate) shape: (usize, usize),
    pub(crate) data: Vec<T>,
    error: Option<Vec<T>>,
    mask: Option<Vec<bool>>,
}

impl<T: Pixel> Field<T> {
    pub(crate) fn new(bytes: &mut Bytes<'_>) -> Self {
        let mut axis = || match bytes.byte() {
            0..=200 => 6 + bytes.below(34),
            201.. => bytes.below(LARGEST + 1),
        };
        let shape = (axis(), axis());
        let n = shape.0 * shape.1;
        let mut noise = bytes.noise();
        let mut data = stars(bytes, &mut noise, shape);
        spoil(bytes, &mut data);
        let error = bytes.maybe(|bytes| {
            let level = bytes.number(0.1, 10.0);
            let mut error = vec![level; n];
            spoil(bytes, &mut error);
            pixels(error)
        });
        let mask = bytes.maybe(|bytes| {
            let part = f64::from(bytes.byte()) / 255.0;
            let part = part.powi(3);
            (0..n).map(|_| noise.unit() < part).collect()
        });
        let data = pixels(data);
        Self {
            shape,
            data,
            error,
            mask,
        }
    }

    pub(crate) fn frame(&self) -> Frame<'_, T> {
        let image = |data| Image::new(data, self.shape).expect("as many values as pixels");
        let mut frame = Frame::new(image(&self.data));
        if let Some(error) = &self.error {
            frame = frame.with_error(image(error)).expect("one shape");
        }
        if let Some(mask) = &self.mask {
            let mask = Image::new(mask, self.shape).expect("as many values as pixels");
            frame = frame.with_mask(mask).expect("one shape");
        }
        frame
    }

    /// Whether no value, error or weight of it is extreme.
    pub(crate) fn is_tame(&self) -> bool {
        let tame = |values: &[T]| values.iter().all(|&v| Into::<f64>::into(v).abs() < 1e30);
        tame(&self.data) && self.error.as_deref().is_none_or(tame)
    }
}

fn pixels<T: Pixel>(values: Vec<f64>) -> Vec<T> {
    values.into_iter().map(T::from_f64).collect()
}

/// A constant, or stars of some width on a noisy level.
fn stars(bytes: &mut Bytes<'_>, noise: &mut Noise, (ny, nx): (usize, usize)) -> Vec<f64> {
    let level = bytes.number(-10.0, 100.0);
    if bytes.one_in(8) {
        return vec![level; ny * nx];
    }
    let sigma = bytes.between(0.3, 3.0);
    let n = bytes.below(7);
    let stars = bytes.list(n, |bytes| {
        let at = position(bytes, (ny, nx), &[]);
        (at, bytes.number(0.0, 1000.0))
    });
    let scale = bytes.number(0.0, 5.0);
    let value = |k: usize, noise: f64| {
        let (x, y) = ((k % nx) as f64, (k / nx) as f64);
        let star = |((cx, cy), peak): &((f64, f64), f64)| {
            let squared = (x - cx).powi(2) + (y - cy).powi(2);
            peak * (-squared / (2.0 * sigma * sigma)).exp()
        };
        level + scale * noise + stars.iter().map(star).sum::<f64>()
    };
    (0..ny * nx).map(|k| value(k, noise.normal())).collect()
}

/// Puts any numbers into some pixels.
fn spoil(bytes: &mut Bytes<'_>, values: &mut [f64]) {
    if values.is_empty() || !bytes.one_in(3) {
        return;
    }
    for _ in 0..bytes.below(12) {
        let k = bytes.below(values.len());
        values[k] = bytes.number(-100.0, 1e5);
    }
}

/// A position on an image or a little off it, that of another, or anything.
pub(crate) fn position(
    bytes: &mut Bytes<'_>,
    (ny, nx): (usize, usize),
    others: &[(f64, f64)],
) -> (f64, f64) {
    if !others.is_empty() && bytes.one_in(5) {
        return others[bytes.below(others.len())];
    }
    let (x, y) = (nx as f64 + 2.0, ny as f64 + 2.0);
    (bytes.number(-3.0, x), bytes.number(-3.0, y))
}

/// Up to `most` positions, as x and y.
pub(crate) fn positions(
    bytes: &mut Bytes<'_>,
    shape: (usize, usize),
    most: usize,
) -> (Vec<f64>, Vec<f64>) {
    let mut all = Vec::new();
    for _ in 0..bytes.below(most + 1) {
        let next = position(bytes, shape, &all);
        all.push(next);
    }
    all.into_iter().unzip()
}
