//! Work on the pixels around many positions.

use crate::bands;
use crate::run::chunks;
use crate::{Error, Run};

/// Maps positions to results, in the order of the positions, `size` at a time.
///
/// They are worked on in bands of rows, so that neighbours share the pixels
/// that are in the cache. `scratch` is as in [`Run::map`].
pub(crate) fn map_positions<S, R: Send + Clone>(
    run: Run<'_>,
    (x, y): (&[f64], &[f64]),
    size: usize,
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, (f64, f64)) -> Result<R, Error> + Sync + Send,
) -> Result<Vec<R>, Error> {
    Error::check_len("y", x.len(), y.len())?;
    let order = bands::order(x, y);
    let results = run.map(chunks(order.len(), size), scratch, |space, range| {
        run.advance(range.len());
        order[range]
            .iter()
            .map(|&i| {
                // What lies around one position can be as large as the image.
                run.check()?;
                Ok((i, work(space, (x[i], y[i]))?))
            })
            .collect::<Result<Vec<_>, Error>>()
    })?;
    let mut sorted = vec![None; order.len()];
    for (i, result) in results.into_iter().flatten() {
        sorted[i] = Some(result);
    }
    Ok(sorted.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn results_are_in_the_order_of_the_positions(
            positions in prop::collection::vec((-1e3..1e3_f64, prop_oneof![
                9 => -1e3..1e3_f64, 1 => Just(f64::NAN), 1 => Just(1e300)
            ]), 0..60),
            size in 1..20_usize,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = positions.iter().copied().unzip();
            let bits = |(x, y): (f64, f64)| (x.to_bits(), y.to_bits());
            let found = map_positions(Run::new(), (&x, &y), size, || (), |(), p| Ok(bits(p)));
            let expected: Vec<_> = positions.into_iter().map(bits).collect();
            prop_assert_eq!(found.unwrap(), expected);
        }
    }
}
