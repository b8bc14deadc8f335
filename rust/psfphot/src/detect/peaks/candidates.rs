//! The first look for peaks along a row, many pixels at once.

use std::ops::Range;

use crate::image::{Image, Pixel};
use crate::simd::dispatch;

/// Pixels looked at together.
const LANES: usize = 16;

/// What pixels of a row must exceed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Levels<'a> {
    /// All the same.
    Scalar(f64),
    /// Each its own, times a scale.
    Map(&'a [f64], f64),
}

impl Levels<'_> {
    /// That of the pixel `i`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of the kernel
    fn at(&self, i: usize) -> f64 {
        match self {
            Self::Scalar(level) => *level,
            Self::Map(levels, scale) => levels[i] * scale,
        }
    }
}

/// The row `y` of an image, and what its pixels must exceed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, T> {
    pub(super) image: Image<'a, T>,
    pub(super) mask: Option<Image<'a, bool>>,
    pub(super) y: usize,
    pub(super) levels: Levels<'a>,
}

/// Part of a row, and what its pixels are compared with.
#[derive(Debug, Clone, Copy)]
struct Part<'a, T> {
    row: &'a [T],
    levels: Levels<'a>,
    /// The neighbours of each pixel: as many slices as long as the row.
    around: [&'a [T]; 4],
    /// The masks of the rows above, here and below, with one more pixel at both
    /// ends; empty where there is no mask.
    masks: [&'a [bool]; 3],
}

impl<T: Pixel> Row<'_, T> {
    /// Adds to `places` those of the `columns` where there may be a peak, in order: all
    /// above their level but where a neighbour is larger.
    ///
    /// `sides` says which neighbours count: left, right, above, below. Next to masked
    /// pixels, which hide none, and at the ends of the row all above their level are
    /// given.
    pub(super) fn candidates(
        &self,
        columns: Range<usize>,
        sides: [bool; 4],
        places: &mut Vec<usize>,
    ) {
        let nx = self.image.shape().1;
        let row = self.image.row(self.y);
        let is_above = |x: &usize| row[*x].into() > self.levels.at(*x);
        // These have neighbours on both sides.
        let inner = columns.start.max(1)..columns.end.min(nx.saturating_sub(1));
        if inner.is_empty() {
            places.extend(columns.filter(is_above));
            return;
        }
        places.extend((columns.start..inner.start).filter(is_above));
        look(&self.part(inner.clone(), sides), inner.start, places);
        places.extend((inner.end..columns.end).filter(is_above));
    }

    /// The columns `inner`, which have neighbours on both sides.
    fn part(&self, inner: Range<usize>, sides: [bool; 4]) -> Part<'_, T> {
        let Self { image, y, .. } = *self;
        let (above, below) = (y.saturating_sub(1), (y + 1).min(image.shape().0 - 1));
        let around = [(y, 0), (y, 2), (above, 1), (below, 1)];
        let cut = |(y, by): (usize, usize)| &image.row(y)[inner.start + by - 1..inner.end + by - 1];
        let row = cut((y, 1));
        Part {
            row,
            levels: match self.levels {
                Levels::Scalar(level) => Levels::Scalar(level),
                Levels::Map(map, scale) => Levels::Map(&map[inner.clone()], scale),
            },
            // A side that does not count is the row, whose pixels do not exceed themselves.
            around: std::array::from_fn(|k| if sides[k] { cut(around[k]) } else { row }),
            masks: self.mask.map_or([&[][..]; 3], |mask| {
                [above, y, below].map(|y| &mask.row(y)[inner.start - 1..=inner.end])
            }),
        }
    }
}

dispatch! {
    /// Adds the candidates of a part of a row, counted from `first`.
    fn look[T: Pixel](part: &Part<'_, T>, first: usize, places: &mut Vec<usize>) = look_kernel[T]
}

#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
fn look_kernel<const FMA: bool, T: Pixel>(
    part: &Part<'_, T>,
    first: usize,
    places: &mut Vec<usize>,
) {
    let n = part.row.len();
    let blocked = n - n % LANES;
    for start in (0..blocked).step_by(LANES) {
        let above = above_levels(part, start);
        if above == [false; LANES] {
            continue;
        }
        let masked =
            |mask: &[bool]| !mask.is_empty() && mask[start..start + LANES + 2].contains(&true);
        let keep = if part.masks.iter().any(|mask| masked(mask)) {
            above
        } else {
            not_below(part, start, above)
        };
        let kept = keep.iter().enumerate().filter(|(_, keep)| **keep);
        places.extend(kept.map(|(i, _)| first + start + i));
    }
    let rest = (blocked..n).filter(|&i| part.row[i].into() > part.levels.at(i));
    places.extend(rest.map(|i| first + i));
}

/// Which pixels of a block exceed their level. (By loops: calls of `from_fn` are not
/// always inlined.)
#[inline(always)]
#[allow(clippy::inline_always)]
fn above_levels<T: Pixel>(part: &Part<'_, T>, start: usize) -> [bool; LANES] {
    let row = &part.row[start..start + LANES];
    let mut above = [false; LANES];
    match part.levels {
        Levels::Scalar(level) => {
            for (above, value) in above.iter_mut().zip(row) {
                *above = (*value).into() > level;
            }
        }
        Levels::Map(levels, scale) => {
            let levels = &levels[start..start + LANES];
            for (above, (value, level)) in above.iter_mut().zip(row.iter().zip(levels)) {
                *above = (*value).into() > level * scale;
            }
        }
    }
    above
}

/// Which of the pixels `above` their level no neighbour exceeds.
#[inline(always)]
#[allow(clippy::inline_always)]
fn not_below<T: Pixel>(part: &Part<'_, T>, start: usize, above: [bool; LANES]) -> [bool; LANES] {
    let row = &part.row[start..start + LANES];
    let mut keep = above;
    for around in part.around {
        let pairs = row.iter().zip(&around[start..start + LANES]);
        for (keep, (value, other)) in keep.iter_mut().zip(pairs) {
            // Not `value >= other`, which NaN would fail.
            let is_larger = other > value;
            *keep &= !is_larger;
        }
    }
    keep
}
