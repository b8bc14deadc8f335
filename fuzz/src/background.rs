//! Local backgrounds.

use psfphot::Run;
use psfphot::background::{Annulus, Centre, Clip, Estimator, Level, Spread, local_background};
use psfphot::image::Pixel;

use crate::bytes::Bytes;
use crate::calls::{accepted, call};
use crate::field::{Field, positions};

/// A level per position, NaN where the annulus has no value; a mean or median
/// lies among the values.
///
/// # Panics
/// Where the core breaks a promise.
pub fn background(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(3) {
        levels::<f32>(&mut bytes);
    } else {
        levels::<f64>(&mut bytes);
    }
}

fn levels<T: Pixel>(bytes: &mut Bytes<'_>) {
    let field = Field::<T>::new(bytes);
    let (x, y) = positions(bytes, field.shape, 12);
    let annulus = Annulus::new(bytes.number(0.5, 6.0), bytes.number(3.0, 20.0));
    let Some(annulus) = accepted(annulus) else {
        return;
    };
    let (frame, estimator) = (field.frame(), estimator(bytes));
    let levels = call(bytes, Some(x.len()), |run| {
        local_background(&frame, &x, &y, &annulus, &estimator, run)
    });
    let levels = levels.expect("valid arguments");
    assert_eq!(levels.len(), x.len(), "a level for each position");
    for ((&x, &y), measured) in x.iter().zip(&y).zip(&levels) {
        let level = measured.level;
        let values = annulus.values(&frame, (x, y), Run::new());
        let values = values.expect("not cancelled");
        assert!(values.iter().all(|value| value.is_finite()));
        if values.is_empty() {
            assert!(level.is_nan(), "{level} of no values at {x}, {y}");
        } else if field.is_tame() && estimator.clip.is_none() {
            check(&estimator, &values, level);
        }
    }
}

fn check(estimator: &Estimator, values: &[f64], level: f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Half of the least number is none.
    let slack = 1e-9 * low.abs().max(high.abs()) + f64::MIN_POSITIVE;
    if matches!(estimator.level, Level::Mean | Level::Median) {
        let among = low - slack..=high + slack;
        assert!(among.contains(&level), "{level} is not within {among:?}");
    }
}

fn estimator(bytes: &mut Bytes<'_>) -> Estimator {
    let level = match bytes.byte() % 5 {
        0 => Level::Mean,
        1 => Level::Median,
        2 => Level::Mode {
            median_factor: bytes.number(0.0, 3.0),
            mean_factor: bytes.number(0.0, 3.0),
        },
        3 => Level::SExtractor,
        _ => Level::BiweightLocation {
            c: bytes.number(1.0, 9.0),
            start: bytes.maybe(|bytes| bytes.number(0.0, 100.0)),
        },
    };
    let clip = bytes.maybe(|bytes| Clip {
        lower: bytes.number(0.5, 4.0),
        upper: bytes.number(0.5, 4.0),
        rounds: bytes.size(10),
        centre: if bytes.one_in(2) {
            Centre::Mean
        } else {
            Centre::Median
        },
        spread: if bytes.one_in(2) {
            Spread::MadStd
        } else {
            Spread::Std
        },
    });
    Estimator { level, clip }
}
