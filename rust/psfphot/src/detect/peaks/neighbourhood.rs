//! Where a peak must be the largest pixel.

use crate::Error;
use crate::image::Image;

/// The pixels dx = x0..=x1 of the row dy, counted from the central pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) dy: i64,
    pub(super) x0: i64,
    pub(super) x1: i64,
}

/// The pixels around a pixel among which it must be the largest.
#[derive(Debug, Clone)]
pub struct Neighbourhood {
    /// Nearest rows first, because they tell soonest that a pixel is no peak.
    pub(super) spans: Vec<Span>,
    /// Those of the eight adjacent pixels that belong to it.
    pub(super) adjacent: Vec<(i64, i64)>,
    /// For a disk, its radius; equal peaks within it are one.
    pub(super) separation: Option<f64>,
}

impl Neighbourhood {
    /// The pixels within `radius` of the central one. Of equal peaks within
    /// that distance only one is kept: of connected ones (a flat top) the pixel
    /// nearest to their centroid, and of the others that of the larger flat
    /// top, else the first one.
    ///
    /// `shape = (ny, nx)` is that of the image; larger radii are no different
    /// from its diagonal.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] unless the radius is positive.
    pub fn disk(radius: f64, shape: (usize, usize)) -> Result<Self, Error> {
        if radius.is_nan() || radius <= 0.0 {
            return Err(Error::invalid("radius", "be positive", radius));
        }
        let radius = radius.min((shape.0 as f64).hypot(shape.1 as f64) + 1.0);
        let squared = radius * radius;
        let half = radius as i64;
        let spans = (-half..=half).map(|dy| {
            // Exact where the circle passes through a pixel's centre, whatever
            // the square root's last bit.
            let inside = |dx: i64| (dx * dx + dy * dy) as f64 <= squared;
            let mut x1 = (squared - (dy * dy) as f64).max(0.0).sqrt() as i64;
            while !inside(x1) && x1 > 0 {
                x1 -= 1;
            }
            while inside(x1 + 1) {
                x1 += 1;
            }
            Span { dy, x0: -x1, x1 }
        });
        Ok(Self::from_spans(spans.collect(), Some(radius)))
    }

    /// The pixels where `footprint` is true, around its central one. All of
    /// several equal peaks are kept.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless `footprint` has `shape = (ny, nx)`.
    pub fn footprint(footprint: &[bool], shape: (usize, usize)) -> Result<Self, Error> {
        let image = Image::new(footprint, shape)?;
        let (cy, cx) = (shape.0 as i64 / 2, shape.1 as i64 / 2);
        let mut spans: Vec<Span> = Vec::new();
        for y in 0..shape.0 {
            let inside = (0i64..).zip(image.row(y)).filter(|(_, inside)| **inside);
            for (x, _) in inside {
                let (dy, dx) = (y as i64 - cy, x - cx);
                match spans.last_mut() {
                    Some(span) if span.dy == dy && span.x1 + 1 == dx => span.x1 = dx,
                    _ => spans.push(Span { dy, x0: dx, x1: dx }),
                }
            }
        }
        Ok(Self::from_spans(spans, None))
    }

    fn from_spans(mut spans: Vec<Span>, separation: Option<f64>) -> Self {
        spans.sort_by_key(|span| span.dy.abs());
        let holds = |dy: i64, dx: i64| {
            spans
                .iter()
                .any(|span| span.dy == dy && (span.x0..=span.x1).contains(&dx))
        };
        let adjacent = [
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (1, -1),
            (-1, 1),
            (-1, -1),
        ]
        .into_iter()
        .filter(|&(dy, dx)| holds(dy, dx))
        .collect();
        Self {
            spans,
            adjacent,
            separation,
        }
    }
}
