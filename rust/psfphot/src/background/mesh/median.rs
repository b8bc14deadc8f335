//! The median of a mesh in a moving window.

use crate::image::Image;
use crate::{Error, Run};

/// Each node's median over a window of (rows, columns) around it; where the
/// window hangs over the edge, that of the nodes inside. NaN take no part.
///
/// # Errors
/// [`Error::InvalidArgument`] unless both sides are odd; [`Error::Cancelled`].
pub fn median_filter(
    nodes: Image<'_, f64>,
    window: (usize, usize),
    run: Run<'_>,
) -> Result<Vec<f64>, Error> {
    if window.0.is_multiple_of(2) || window.1.is_multiple_of(2) {
        let got = format!("{window:?}");
        return Err(Error::invalid("filter_size", "be odd", got));
    }
    let (ny, nx) = nodes.shape();
    let (half_y, half_x) = (window.0 / 2, window.1 / 2);
    let rows = run.map((0..ny).collect(), Vec::new, |values, y: usize| {
        let near_y = y.saturating_sub(half_y)..ny.min(y.saturating_add(half_y + 1));
        let medians = (0..nx).map(|x| {
            let near_x = x.saturating_sub(half_x)..nx.min(x.saturating_add(half_x + 1));
            values.clear();
            for row in near_y.clone() {
                let row = &nodes.row(row)[near_x.clone()];
                values.extend(row.iter().filter(|v| !v.is_nan()));
            }
            median(values)
        });
        Ok(medians.collect::<Vec<f64>>())
    })?;
    Ok(rows.concat())
}

/// The median of values without NaN, which are moved; NaN of none.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (below, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * lower + 0.5 * middle
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // these values are exact
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_off_at_the_edges_and_pass_over_nan() -> Result<(), Error> {
        let nodes = [1.0, 5.0, 2.0, 8.0, f64::NAN, 3.0];
        let filtered = median_filter(Image::new(&nodes, (2, 3))?, (1, 3), Run::new())?;
        assert_eq!(filtered, [3.0, 2.0, 3.5, 8.0, 5.5, 3.0]);
        let wide = median_filter(Image::new(&nodes, (2, 3))?, (99, usize::MAX), Run::new())?;
        assert_eq!(wide, [3.0; 6]);
        assert!(median_filter(Image::new(&nodes, (2, 3))?, (1, 2), Run::new()).is_err());
        Ok(())
    }
}
