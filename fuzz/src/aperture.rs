//! Sums over apertures.

use psfphot::Error;
use psfphot::aperture::{
    Aperture, ApertureSum, Method, aperture_sums, circular_sums, pixel_overlap,
};
use psfphot::image::Pixel;

use crate::bytes::Bytes;
use crate::calls::{accepted, call};
use crate::field::{Field, positions};

/// A sum per position; areas are no larger than the circle and the image; of
/// finite numbers the sums are finite, and so are overlaps, within 0 and 1.
///
/// # Panics
/// Where the core breaks a promise.
pub fn aperture(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    overlap(&mut bytes);
    if bytes.one_in(3) {
        sums::<f32>(&mut bytes);
    } else {
        sums::<f64>(&mut bytes);
    }
}

fn overlap(bytes: &mut Bytes<'_>) {
    let (dx, dy) = (bytes.number(-5.0, 5.0), bytes.number(-5.0, 5.0));
    let radius = bytes.number(0.0, 5.0);
    let area = pixel_overlap(dx, dy, radius);
    if dx.is_finite() && dy.is_finite() && radius.is_finite() && radius >= 0.0 {
        assert!((0.0..=1.0).contains(&area), "{dx} {dy} {radius}: {area}");
    }
}

fn sums<T: Pixel>(bytes: &mut Bytes<'_>) {
    let field = Field::<T>::new(bytes);
    let (x, mut y) = positions(bytes, field.shape, 12);
    if bytes.one_in(32) {
        y.push(0.0);
    }
    let radius = bytes.number(0.3, 12.0);
    let area = |radius: f64| std::f64::consts::PI * radius * radius;
    let frame = field.frame();
    let found = call(bytes, None, |run| {
        circular_sums(&frame, &x, &y, radius, run)
    });
    check(&field, &x, &found, area(radius));

    let (outer, method) = (bytes.number(0.3, 15.0), method(bytes));
    let made = if bytes.one_in(2) {
        Aperture::annulus(radius, outer)
    } else {
        Aperture::circle(outer)
    };
    let Some(aperture) = accepted(made.and_then(|aperture| aperture.with_method(method))) else {
        return;
    };
    let found = call(bytes, None, |run| {
        aperture_sums(&frame, &x, &y, &aperture, run)
    });
    let most = match method {
        Method::Exact => area(outer),
        _ => f64::INFINITY, // counted by points
    };
    check(&field, &x, &found, most);
}

fn method(bytes: &mut Bytes<'_>) -> Method {
    match bytes.byte() % 3 {
        0 => Method::Exact,
        1 => Method::Center,
        _ => Method::Subpixel(u32::try_from(bytes.size(7)).unwrap_or(u32::MAX)),
    }
}

fn check<T: Pixel>(
    field: &Field<T>,
    x: &[f64],
    found: &Result<Vec<ApertureSum>, Error>,
    largest: f64,
) {
    let Ok(found) = found else {
        return;
    };
    assert_eq!(found.len(), x.len(), "a sum for each position");
    let n_pixels = (field.shape.0 * field.shape.1) as f64;
    let most = largest.min(n_pixels) * (1.0 + 1e-9) + 1e-9;
    for sum in found {
        assert!(
            sum.area.is_nan() || (0.0..=most).contains(&sum.area),
            "{sum:?}"
        );
        assert!(sum.error.is_nan() || sum.error >= 0.0, "{sum:?}");
        if field.is_tame() {
            assert!(
                !sum.sum.is_infinite() && !sum.error.is_infinite(),
                "{sum:?}"
            );
        }
    }
}
