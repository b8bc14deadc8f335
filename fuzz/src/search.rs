//! Finding stars with the PSF: the matched filter, cosmic rays, the score beside stars
//! that are known.

use psfphot::detect::{
    Acceptance, CosmicRays, MatchedFinder, ProjectedScore, Selection, measured_fwhm,
};
use psfphot::image::{Frame, Pixel};
use psfphot::psf::Psf;

use crate::bytes::Bytes;
use crate::calls::{accepted, call};
use crate::field::{Field, position, positions};
use crate::psfs::psf;

/// Maps have the image's pixels. Of the sources found there are no more than were
/// measured and asked for, and their fluxes and positions are finite; pixels that are
/// masked are no cosmic rays; what is scored as a new star scores enough.
///
/// # Panics
/// Where the core breaks a promise.
pub fn search(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(3) {
        search_in::<f32>(&mut bytes);
    } else {
        search_in::<f64>(&mut bytes);
    }
}

fn search_in<T: Pixel>(bytes: &mut Bytes<'_>) {
    let Some(psf) = psf(bytes) else {
        return;
    };
    let field = Field::<T>::new(bytes);
    let frame = field.frame();
    let middle = position(bytes, field.shape, &[]);
    if let Some(fwhm) = accepted(measured_fwhm(&*psf, middle)) {
        assert!(fwhm > 0.0 && fwhm.is_finite(), "fwhm {fwhm}");
    }
    match bytes.byte() % 3 {
        0 => matched(bytes, &*psf, &frame),
        1 => cosmic(bytes, &*psf, &frame),
        _ => score(bytes, &*psf, &frame),
    }
}

fn matched<T: Pixel>(bytes: &mut Bytes<'_>, psf: &dyn Psf, frame: &Frame<'_, T>) {
    let most = bytes.maybe(|bytes| bytes.size(4));
    let selection = Selection::new()
        .with_min_separation(bytes.maybe(|bytes| bytes.number(0.0, 12.0)))
        .with_exclude_border(bytes.one_in(3))
        .with_peak_max(bytes.maybe(|bytes| bytes.number(0.0, 1000.0)))
        .with_n_brightest(most);
    let finder = MatchedFinder::new(psf, bytes.number(1.0, 8.0))
        .with_error(bytes.maybe(|bytes| bytes.number(0.1, 10.0)))
        .with_fwhm(bytes.maybe(|bytes| bytes.number(0.8, 6.0)))
        .with_half_width(bytes.maybe(|bytes| bytes.size(8)))
        .with_sky(!bytes.one_in(3))
        .with_min_coverage(bytes.number(0.0, 1.0))
        .with_selection(selection);
    let n_pixels = frame.data().as_slice().len();
    if let Ok(maps) = call(bytes, None, |run| finder.maps(frame, run)) {
        assert_eq!(maps.amplitude.len(), n_pixels);
        assert_eq!(maps.error.len(), n_pixels);
        assert!(!maps.error.iter().any(|&error| error < 0.0), "{maps:?}");
    }
    let n = bytes.below(6);
    let shape = frame.data().shape();
    let given = bytes.maybe(|bytes| bytes.list(n, |bytes| position(bytes, shape, &[])));
    let found = call(bytes, None, |run| match &given {
        Some(given) => finder.measure(frame, given, run),
        None => finder.find(frame, run),
    });
    let Ok(found) = found else {
        return;
    };
    assert!(found.sources.len() <= most.unwrap_or(usize::MAX));
    assert!(found.sources.len() <= found.n_measured);
    assert!(found.n_measured <= n_pixels.max(n));
    for source in &found.sources {
        let numbers = [source.x, source.y, source.flux];
        assert!(numbers.iter().all(|v| v.is_finite()), "{source:?}");
        assert!(
            source.flux_err.is_nan() || source.flux_err >= 0.0,
            "{source:?}"
        );
    }
}

fn cosmic<T: Pixel>(bytes: &mut Bytes<'_>, psf: &dyn Psf, frame: &Frame<'_, T>) {
    let finder = CosmicRays::new(psf)
        .with_n_sigma(bytes.number(1.0, 8.0))
        .with_margin(bytes.number(1.0, 2.0))
        .with_error(bytes.maybe(|bytes| bytes.number(0.1, 10.0)))
        .with_half_width(bytes.maybe(|bytes| bytes.size(8)))
        .with_rounds(bytes.below(6));
    let Ok(bad) = call(bytes, None, |run| finder.find(frame, run)) else {
        return;
    };
    assert_eq!(bad.len(), frame.data().as_slice().len());
    if let Some(mask) = frame.mask() {
        let both = mask.as_slice().iter().zip(&bad).any(|(&a, &b)| a && b);
        assert!(!both, "a masked pixel is bad");
    }
}

fn score<T: Pixel>(bytes: &mut Bytes<'_>, psf: &dyn Psf, frame: &Frame<'_, T>) {
    let shape = frame.data().shape();
    let (x, y) = positions(bytes, shape, 12);
    let Some(score) = accepted(ProjectedScore::new(psf, &x, &y)) else {
        return;
    };
    let score = score
        .with_reach(bytes.maybe(|bytes| bytes.number(1.0, 12.0)))
        .with_fwhm(bytes.maybe(|bytes| bytes.number(0.8, 6.0)));
    let n_pixels = frame.data().as_slice().len();
    let Ok(maps) = call(bytes, None, |run| score.maps(frame, run)) else {
        return;
    };
    assert_eq!((maps.z.len(), maps.q.len()), (n_pixels, n_pixels));
    let n = bytes.below(6);
    let places = bytes.list(n, |bytes| position(bytes, shape, &[]));
    let at = call(bytes, None, |run| score.at(frame, &places, run));
    assert_eq!(at.expect("the arguments of the maps").len(), n);
    let accept = Acceptance {
        n_sigma: bytes.number(1.0, 8.0),
        min_q: bytes.number(0.0, 0.5),
        min_distance: bytes.number(0.0, 1.0),
        min_separation: bytes.number(0.0, 2.0),
        is_scaled: bytes.one_in(3),
    };
    let Ok(found) = call(bytes, None, |run| score.search(frame, &accept, run)) else {
        return;
    };
    assert!(found.len() <= n_pixels);
    for new in &found {
        assert!(new.z >= accept.n_sigma * new.width, "{new:?}");
        assert!(new.q >= accept.min_q, "{new:?}");
    }
}
