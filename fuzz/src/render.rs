//! Rendering sources.

use psfphot::image::PixelBox;
use psfphot::psf::Psf;
use psfphot::render::{RenderSource, render as render_onto};

use crate::bytes::Bytes;
use crate::calls::call;
use crate::field::position;
use crate::psfs::{psf, shape};

/// The numbers of sources add up; sources that are skipped leave no trace, and
/// pixels off all boxes keep their values.
///
/// # Panics
/// Where the core breaks a promise.
pub fn render(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let Some(psf) = psf(&mut bytes) else {
        return;
    };
    // More rows than a band has.
    let size = (bytes.below(150), bytes.below(40));
    let n = bytes.below(12);
    let shapes = bytes.list(n, |bytes| shape(bytes, &*psf));
    let places = bytes.list(n, |bytes| position(bytes, size, &[]));
    let sources: Vec<_> = places
        .iter()
        .zip(&shapes)
        .map(|(&place, shape)| source(&mut bytes, place, shape))
        .collect();
    let window = bytes.maybe(|bytes| (bytes.size(30), bytes.size(30)));
    let level = bytes.between(-1.0, 1.0);
    let blank = vec![level; size.0 * size.1];
    let drawn = call(&mut bytes, Some(n), |run| {
        let mut image = blank.clone();
        let skipped = render_onto(&mut image, size, &*psf, &sources, window, run)?;
        Ok((image, skipped))
    });
    let (image, skipped) = drawn.expect("valid arguments");
    assert!(skipped.not_finite + skipped.off_image <= n, "{skipped:?}");
    let is_finite = |source: &&RenderSource<'_>| {
        let numbers = [source.flux, source.x, source.y, source.background];
        let shape = source.shape.unwrap_or_default();
        numbers.iter().chain(shape).all(|v| v.is_finite())
    };
    let usable = sources.iter().filter(is_finite);
    assert_eq!(skipped.not_finite, n - usable.clone().count());
    let boxes: Vec<PixelBox> = usable.map(|source| pixels(&*psf, source, window)).collect();
    let all = PixelBox::new(0, size.1 as i64, 0, size.0 as i64);
    let on_image = |pixels: &&PixelBox| !pixels.intersection(&all).is_empty();
    let n_drawn = boxes.iter().filter(on_image).count();
    assert_eq!(n - n_drawn, skipped.not_finite + skipped.off_image);
    for ((x, y), value) in all.pixels().zip(image) {
        if !boxes.iter().any(|pixels| pixels.contains(x, y)) {
            assert_eq!(value.to_bits(), level.to_bits(), "off all boxes: {x}, {y}");
        }
    }
}

fn source<'a>(bytes: &mut Bytes<'_>, (x, y): (f64, f64), shape: &'a [f64]) -> RenderSource<'a> {
    let source = RenderSource::new(bytes.number(-10.0, 1000.0), x, y)
        .with_background(bytes.number(-1.0, 1.0));
    if bytes.one_in(2) {
        source.with_shape(shape)
    } else {
        source
    }
}

fn pixels(psf: &dyn Psf, source: &RenderSource<'_>, window: Option<(usize, usize)>) -> PixelBox {
    match window {
        Some(size) => PixelBox::around(source.x, source.y, size),
        None => psf.support(psfphot::psf::Placement {
            x: source.x,
            y: source.y,
            shape: source.shape.unwrap_or_else(|| psf.shape()),
        }),
    }
}
