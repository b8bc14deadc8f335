//! Finding stars.

use psfphot::Error;
use psfphot::detect::{
    DaoFinder, Found, IrafFinder, Kernel, Neighbourhood, PeakSearch, Selection, StarFinder,
    Threshold,
};
use psfphot::image::{Image, Pixel};

use crate::bytes::Bytes;
use crate::calls::{accepted, call};
use crate::field::{Field, position};

/// Peaks are pixels above the threshold that are not masked. Of the sources of
/// a finder there are no more than were measured and asked for; their positions
/// and fluxes are finite, and those of the finders with kernels of their own
/// are on the image.
///
/// # Panics
/// Where the core breaks a promise.
pub fn find(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(3) {
        find_in::<f32>(&mut bytes);
    } else {
        find_in::<f64>(&mut bytes);
    }
}

fn find_in<T: Pixel>(bytes: &mut Bytes<'_>) {
    let field = Field::<T>::new(bytes);
    let map: Option<Vec<f64>> = bytes.one_in(4).then(|| {
        let level = bytes.number(0.0, 30.0);
        vec![level; field.data.len()]
    });
    let threshold = match &map {
        Some(map) => Threshold::Map(Image::new(map, field.shape).expect("one shape")),
        None => Threshold::Scalar(bytes.number(0.0, 30.0)),
    };
    let (n, shape) = (bytes.below(6), field.shape);
    let given = bytes.maybe(|bytes| bytes.list(n, |bytes| position(bytes, shape, &[])));
    match bytes.byte() % 4 {
        0 => peaks(bytes, &field, threshold),
        1 => dao(bytes, &field, threshold, given.as_deref()),
        2 => iraf(bytes, &field, threshold, given.as_deref()),
        _ => star(bytes, &field, threshold),
    }
}

fn peaks<T: Pixel>(bytes: &mut Bytes<'_>, field: &Field<T>, threshold: Threshold<'_>) {
    let made = if bytes.one_in(2) {
        let shape = (bytes.below(8), bytes.below(8));
        let footprint = bytes.list(shape.0 * shape.1, |bytes| bytes.one_in(2));
        Neighbourhood::footprint(&footprint, shape)
    } else {
        Neighbourhood::disk(bytes.number(0.5, 12.0), field.shape)
    };
    let Some(neighbourhood) = accepted(made) else {
        return;
    };
    let frame = field.frame();
    let search = PeakSearch::new(&neighbourhood, threshold)
        .with_scale(bytes.number(0.5, 2.0))
        .with_mask(frame.mask())
        .with_border((bytes.size(4), bytes.size(4)));
    let Ok(peaks) = call(bytes, None, |run| search.find(frame.data(), run)) else {
        return;
    };
    for peak in &peaks {
        let (x, y) = (peak.x as i64, peak.y as i64);
        let value = frame.data().get(x, y).map(Into::<f64>::into);
        assert_eq!(value, Some(peak.value), "the image at the peak");
        let masked = frame.mask().and_then(|mask| mask.get(x, y));
        assert_ne!(masked, Some(true), "a masked peak");
    }
    let places = |peak: &psfphot::detect::Peak| (peak.y, peak.x);
    assert!(peaks.is_sorted_by_key(places), "row by row");
}

fn dao<T: Pixel>(
    bytes: &mut Bytes<'_>,
    field: &Field<T>,
    threshold: Threshold<'_>,
    given: Option<&[(f64, f64)]>,
) {
    let (selection, most) = selection(bytes);
    let finder = DaoFinder::new(bytes.number(0.8, 6.0))
        .with_ellipse(bytes.number(0.2, 1.0), bytes.number(0.0, 180.0))
        .with_sigma_radius(bytes.number(0.5, 3.0))
        .with_selection(selection)
        .with_scale_threshold(bytes.one_in(2))
        .with_sharpness_range(bytes.range(-1.0, 3.0))
        .with_roundness_range(bytes.range(-2.0, 2.0));
    let frame = field.frame();
    let found = call(bytes, None, |run| match given {
        Some(given) => finder.measure(&frame, threshold, given, run),
        None => finder.find(&frame, threshold, run),
    });
    check(
        &found,
        most,
        field.data.len().max(given.map_or(0, <[_]>::len)),
    );
    for source in found.iter().flat_map(|found| &found.sources) {
        assert_on_image((source.x, source.y), field.shape);
        assert!(
            source.flux.is_finite() && source.peak.is_finite(),
            "{source:?}"
        );
        assert!(source.sharpness.is_finite(), "{source:?}");
    }
}

fn iraf<T: Pixel>(
    bytes: &mut Bytes<'_>,
    field: &Field<T>,
    threshold: Threshold<'_>,
    given: Option<&[(f64, f64)]>,
) {
    let (selection, most) = selection(bytes);
    let finder = IrafFinder::new(bytes.number(0.8, 6.0))
        .with_sigma_radius(bytes.number(0.5, 3.0))
        .with_selection(selection)
        .with_sharpness_range(bytes.range(0.0, 3.0))
        .with_roundness_range(bytes.range(0.0, 1.0))
        .with_min_n_pixels(bytes.size(9));
    let frame = field.frame();
    let found = call(bytes, None, |run| match given {
        Some(given) => finder.measure(&frame, given, run),
        None => finder.find(&frame, threshold, run),
    });
    check(
        &found,
        most,
        field.data.len().max(given.map_or(0, <[_]>::len)),
    );
    for source in found.iter().flat_map(|found| &found.sources) {
        assert_on_image((source.x, source.y), field.shape);
        assert!(source.flux.is_finite() && source.flux > 0.0, "{source:?}");
        assert!(source.n_pixels > 0, "{source:?}");
    }
}

fn star<T: Pixel>(bytes: &mut Bytes<'_>, field: &Field<T>, threshold: Threshold<'_>) {
    let shape = (bytes.below(10), bytes.below(10));
    let values = bytes.list(shape.0 * shape.1, |bytes| bytes.number(0.0, 1.0));
    let Some(kernel) = accepted(Kernel::from_values(&values, shape)) else {
        return;
    };
    let (selection, most) = selection(bytes);
    let finder = StarFinder::new(kernel).with_selection(selection);
    let frame = field.frame();
    let found = call(bytes, None, |run| finder.find(&frame, threshold, run));
    check(&found, most, field.data.len());
    for star in found.iter().flat_map(|found| &found.sources) {
        let numbers = [star.x, star.y, star.fwhm, star.roundness, star.flux];
        assert!(numbers.iter().all(|v| v.is_finite()), "{star:?}");
    }
}

/// A selection, and how many sources it leaves at most.
fn selection(bytes: &mut Bytes<'_>) -> (Selection, usize) {
    let most = bytes.maybe(|bytes| bytes.size(4));
    let selection = Selection::new()
        .with_min_separation(bytes.maybe(|bytes| bytes.number(0.0, 12.0)))
        .with_exclude_border(bytes.one_in(3))
        .with_peak_max(bytes.maybe(|bytes| bytes.number(0.0, 1000.0)))
        .with_n_brightest(most);
    (selection, most.unwrap_or(usize::MAX))
}

fn check<S>(found: &Result<Found<S>, Error>, most: usize, n_places: usize) {
    if let Ok(found) = found {
        let n = found.sources.len();
        assert!(n <= most, "{n} sources, {most} asked for");
        assert!(n <= found.n_measured && found.n_measured <= n_places);
    }
}

fn assert_on_image((x, y): (f64, f64), (ny, nx): (usize, usize)) {
    let within = |at: f64, n: usize| (-0.5..=n as f64 - 0.5).contains(&at);
    assert!(within(x, nx) && within(y, ny), "({x}, {y}) on {ny} x {nx}");
}
