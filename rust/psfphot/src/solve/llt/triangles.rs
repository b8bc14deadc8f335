//! Systems of equations, with the factor.

use super::pattern::Pattern;

/// Solves A x = b in place, in the order of elimination.
pub(super) fn solve<const P: usize>(
    pattern: &Pattern,
    starts: &[usize],
    values: &[f64],
    x: &mut [f64],
) {
    let n_nodes = pattern.nodes.len();
    for number in 0..n_nodes {
        let node = &pattern.nodes[number];
        let (height, width) = (node.height() * P, node.width() * P);
        let columns = values[starts[number]..].chunks_exact(height).take(width);
        let start = node.columns.start * P;
        for (c, column) in columns.enumerate() {
            let own = x[start + c] / column[c];
            x[start + c] = own;
            let inside = x[start + c + 1..start + width].iter_mut();
            for (x, l) in inside.zip(&column[c + 1..]) {
                *x -= l * own;
            }
            for (l, &row) in column[width..].chunks_exact(P).zip(pattern.rows(number)) {
                let at = row as usize * P;
                for (x, l) in x[at..at + P].iter_mut().zip(l) {
                    *x -= l * own;
                }
            }
        }
    }
    for number in (0..n_nodes).rev() {
        let node = &pattern.nodes[number];
        let (height, width) = (node.height() * P, node.width() * P);
        let start = node.columns.start * P;
        for c in (0..width).rev() {
            let column = &values[starts[number] + c * height..][..height];
            let mut own = x[start + c];
            for (x, l) in x[start + c + 1..start + width].iter().zip(&column[c + 1..]) {
                own -= l * x;
            }
            for (l, &row) in column[width..].chunks_exact(P).zip(pattern.rows(number)) {
                let at = row as usize * P;
                for (x, l) in x[at..at + P].iter().zip(l) {
                    own -= l * x;
                }
            }
            x[start + c] = own / column[c];
        }
    }
}
