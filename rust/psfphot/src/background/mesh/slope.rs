//! Meshes that slope: what fills and smooths their nodes leaves the slope what it is.

use super::median::median_filter;
use crate::image::Image;
use crate::{Error, Run};

/// Gives excluded nodes beside others what lies in line with these: halfway
/// between two, or else as far beyond one as another lies before it.
pub(super) fn continue_nodes(
    nodes: &mut [f64],
    excluded: &[bool],
    (rows, columns): (usize, usize),
) {
    const AXES: [(i64, i64); 4] = [(0, 1), (1, 0), (1, 1), (1, -1)];
    let known = nodes.to_vec();
    for k in (0..nodes.len()).filter(|&k| excluded[k]) {
        let at = |steps: i64, (dy, dx): (i64, i64)| {
            let row = (k / columns) as i64 + steps * dy;
            let column = (k % columns) as i64 + steps * dx;
            let inside = (0..rows as i64).contains(&row) && (0..columns as i64).contains(&column);
            let other = (row * columns as i64 + column) as usize;
            (inside && !excluded[other]).then(|| known[other])
        };
        let between: Vec<f64> = AXES
            .into_iter()
            .filter_map(|axis| Some(0.5 * (at(1, axis)? + at(-1, axis)?)))
            .collect();
        let beyond = || {
            let sides = AXES.into_iter().flat_map(|axis| [(1, axis), (-1, axis)]);
            sides.filter_map(|(side, axis)| Some(2.0 * at(side, axis)? - at(2 * side, axis)?))
        };
        let estimates = if between.is_empty() {
            beyond().collect()
        } else {
            between
        };
        if !estimates.is_empty() {
            nodes[k] = estimates.iter().sum::<f64>() / estimates.len() as f64;
        }
    }
}

/// The 3 × 3 median of a mesh that goes on beyond its edges turned by half a
/// turn about the outer nodes, so that a slope stays what it is.
pub(super) fn smooth(
    nodes: &[f64],
    (rows, columns): (usize, usize),
    run: Run<'_>,
) -> Result<Vec<f64>, Error> {
    let at = |row: usize, column: usize| nodes[row * columns + column];
    // Padded line k of n + 2: the node itself, or twice the edge less the next.
    let line = |k: usize, n: usize| {
        let edge = k.clamp(1, n) - 1;
        let inner = match k {
            0 => 1.min(n - 1),
            _ if k > n => n.saturating_sub(2),
            _ => edge,
        };
        (edge, inner)
    };
    let mut padded = Vec::with_capacity((rows + 2) * (columns + 2));
    for j in 0..rows + 2 {
        for i in 0..columns + 2 {
            let ((row, inner_row), (column, inner_column)) = (line(j, rows), line(i, columns));
            padded.push(2.0 * at(row, column) - at(inner_row, inner_column));
        }
    }
    let filtered = median_filter(Image::new(&padded, (rows + 2, columns + 2))?, (3, 3), run)?;
    Ok((1..=rows)
        .flat_map(|j| filtered[j * (columns + 2)..][1..=columns].to_vec())
        .collect())
}
