//! What a matrix without a factor does not determine.

use crate::solve::blocks::Blocks;
use crate::solve::{NOTABLE, Null};

use super::Panels;

/// The combination of parameters that the matrix takes to (almost) nothing, where the
/// pivot of a column of a supernode failed: the solution of Lᵀ v = e above that row.
pub(super) fn null<const P: usize>(
    panels: &Panels<'_>,
    node: usize,
    column: usize,
    matrix: &Blocks<P>,
) -> Null {
    let pattern = panels.pattern;
    let nodes = &pattern.nodes;
    let subtree = nodes[node].subtree.clone();
    let first = nodes[subtree.start].columns.start;
    let last = nodes[node].columns.start * P + column - first * P;
    let mut v = vec![0.0; last + 1];
    v[last] = 1.0;
    for number in subtree.rev() {
        let own = &nodes[number];
        let (height, width) = (own.height() * P, own.width() * P);
        let start = (own.columns.start - first) * P;
        let panel = panels.panel(number);
        let end = width.min(last - start);
        for c in (0..end).rev() {
            let below = &panel[c * height..(c + 1) * height];
            let mut sum = 0.0;
            for (l, v) in below[c + 1..width].iter().zip(&v[start + c + 1..]) {
                sum -= l * v;
            }
            for (l, &row) in below[width..].chunks_exact(P).zip(pattern.rows(number)) {
                let at = (row as usize - first) * P;
                for (l, v) in l.iter().zip(v.iter().skip(at)) {
                    sum -= l * v;
                }
            }
            v[start + c] = sum / below[c];
        }
    }
    let member = |k: usize| pattern.order[first + k] as usize;
    // In units in which every parameter has the same weight.
    let part = |(k, v): (usize, &[f64])| {
        let diagonal = &matrix.diagonal[member(k)];
        let parts = v.iter().enumerate();
        let parts = parts.map(|(a, v)| v.abs() * diagonal[a][a].sqrt());
        parts.fold(0.0, f64::max)
    };
    let parts: Vec<f64> = v.chunks(P).enumerate().map(part).collect();
    let largest = parts.iter().copied().fold(0.0, f64::max);
    let notable = (0..parts.len()).filter(|&k| parts[k] > NOTABLE * largest);
    Null {
        member: member(last / P),
        members: notable.map(member).collect(),
    }
}
