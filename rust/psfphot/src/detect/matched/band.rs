//! Some rows of an image as weights and weighted data, with margins.

use std::ops::Range;

use super::correlation::LANES;
use crate::image::{Frame, Pixel};
use crate::simd::dispatch;

/// A thread's buffers: some rows with the margins of a window around them.
#[derive(Debug, Default)]
pub(super) struct Band {
    /// Weights, 0 where a pixel cannot be used.
    pub(super) weight: Vec<f64>,
    /// Data times weights.
    pub(super) weighted: Vec<f64>,
    /// Whether all pixels of a row can be used.
    pub(super) is_whole: Vec<bool>,
    pub(super) work: Vec<f64>,
    pub(super) sums: [Vec<f64>; 5],
}

impl Band {
    /// From one row of a band to the next, in an image of `nx` columns.
    pub(super) fn stride(nx: usize, half_width: usize) -> usize {
        nx + 2 * half_width + LANES
    }

    /// Takes some rows, with margins of `half_width` pixels; `equal` is the
    /// weight of all usable pixels if they have the same.
    pub(super) fn fill<T: Pixel>(
        &mut self,
        frame: &Frame<'_, T>,
        equal: Option<f64>,
        half_width: usize,
        rows: Range<usize>,
    ) {
        let (ny, nx) = frame.data().shape();
        let (half, stride) = (half_width, Self::stride(nx, half_width));
        let n_padded = rows.len() + 2 * half;
        // The margins at the sides stay zero once they are.
        for plane in [&mut self.weight, &mut self.weighted] {
            plane.resize(plane.len().max(n_padded * stride), 0.0);
        }
        self.is_whole.clear();
        for i in 0..n_padded {
            let columns = i * stride + half..i * stride + half + nx;
            let weight = &mut self.weight[columns.clone()];
            let weighted = &mut self.weighted[columns];
            // Counted from the top of the margin.
            let y = rows.start + i;
            if (half..ny + half).contains(&y) {
                fill_row(frame, equal, y - half, weight, weighted);
                self.is_whole.push(weight.iter().all(|w| *w > 0.0));
            } else {
                weight.fill(0.0);
                weighted.fill(0.0);
                self.is_whole.push(false);
            }
        }
    }
}

/// The weights of a row of the image, and its data times weights.
fn fill_row<T: Pixel>(
    frame: &Frame<'_, T>,
    equal: Option<f64>,
    y: usize,
    weight: &mut [f64],
    weighted: &mut [f64],
) {
    match frame.error() {
        None => weight.fill(equal.unwrap_or(1.0)),
        Some(error) => weights_of(error.row(y), equal, weight),
    }
    if let Some(mask) = frame.mask() {
        for (w, masked) in weight.iter_mut().zip(mask.row(y)) {
            *w = if *masked { 0.0 } else { *w };
        }
    }
    products(frame.data().row(y), weight, weighted);
}

dispatch! {
    /// 1/error² for each error, or `equal`; 0 for those that cannot be used.
    fn weights_of [T: Pixel] (errors: &[T], equal: Option<f64>, weights: &mut [f64])
        = weights_of_kernel [T]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn weights_of_kernel<const FMA: bool, T: Pixel>(
    errors: &[T],
    equal: Option<f64>,
    weights: &mut [f64],
) {
    for (weight, &error) in weights.iter_mut().zip(errors) {
        let error: f64 = error.into();
        let inverse = 1.0 / (error * error);
        let usable = error > 0.0 && inverse > 0.0 && inverse < f64::INFINITY;
        let value = equal.unwrap_or(inverse);
        *weight = if usable { value } else { 0.0 };
    }
}

dispatch! {
    /// Data times weights; both are 0 where that is not finite.
    fn products [T: Pixel] (data: &[T], weights: &mut [f64], products: &mut [f64])
        = products_kernel [T]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn products_kernel<const FMA: bool, T: Pixel>(
    data: &[T],
    weights: &mut [f64],
    products: &mut [f64],
) {
    for ((weight, product), &value) in weights.iter_mut().zip(products).zip(data) {
        let value: f64 = value.into();
        let usable = (*weight * value).abs() < f64::INFINITY;
        *product = if usable { *weight * value } else { 0.0 };
        *weight = if usable { *weight } else { 0.0 };
    }
}
