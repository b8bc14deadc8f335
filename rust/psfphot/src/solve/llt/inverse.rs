//! The elements of an inverse where the factor has some.

use crate::solve::dense::{Shape, Strips, View, subtract_product};
use crate::{Error, Run};

use super::pattern::Pattern;
use super::{Llt, Panels};

/// Makes a factor the inverse on its own pattern, supernode by supernode from the last
/// (Takahashi, Fagan & Chen 1973; Erisman & Tinney 1975, Commun. ACM 18, 177): with the
/// columns k of a supernode, its rows r and `Y = L_rk L_kk⁻¹`,
///
/// `Z_rk = −Z_rr Y`, `Z_kk = L_kk⁻ᵀ L_kk⁻¹ − Yᵀ Z_rk`;
///
/// `Z_rr` is in the panels of the supernodes above.
pub(super) fn invert<const P: usize>(factor: &mut Llt<P>, run: Run<'_>) -> Result<(), Error> {
    let tops = factor.division.tops.clone();
    let mut number_of = vec![usize::MAX; factor.pattern.nodes.len()];
    for (number, &top) in tops.iter().enumerate() {
        number_of[top] = number;
    }
    let (below, mut above) = factor.split();
    let mut buffers = Buffers::default();
    for k in (0..above.len()).rev() {
        let (own, later) = above[k..].split_at_mut(1);
        let panel_of = |node: usize| &*later[number_of[node] - k - 1].values;
        invert_node::<P>(&mut own[0], tops[k], &panel_of, &mut buffers, run)?;
    }
    let above: Vec<&[f64]> = above.iter().map(|panels| &*panels.values).collect();
    let work = |buffers: &mut Buffers, panels: Panels<'_>| {
        for node in panels.nodes.clone().rev() {
            let end = panels.nodes.end;
            let size = panels.range(node).end;
            let (values, later) = panels.values.split_at_mut(size);
            let mut own = Panels {
                nodes: panels.nodes.start..node + 1,
                values,
                ..panels
            };
            let starts = panels.starts;
            let panel_of = |other: usize| {
                if other < end {
                    &later[starts[other] - starts[node + 1]..starts[other + 1] - starts[node + 1]]
                } else {
                    above[number_of[other]]
                }
            };
            invert_node::<P>(&mut own, node, &panel_of, buffers, run)?;
        }
        Ok(())
    };
    run.map(below, Buffers::default, work)?;
    Ok(())
}

/// Buffers that all supernodes use.
#[derive(Default)]
struct Buffers {
    strips: Strips,
    /// `L_kk⁻¹`, and its negative.
    root: Vec<f64>,
    minus_root: Vec<f64>,
    /// −Y.
    minus_y: Vec<f64>,
    z_rr: Vec<f64>,
    /// `−Z_kr`: a row of it for each column of the panel.
    minus_z: Vec<f64>,
    z_kk: Vec<f64>,
    /// Where the rows of a supernode are in the one that is looked at.
    places: Vec<u32>,
}

/// The panel of a supernode, whose ancestors' are those of the inverse.
fn invert_node<'a, const P: usize>(
    panels: &mut Panels<'_>,
    number: usize,
    panel_of: &impl Fn(usize) -> &'a [f64],
    buffers: &mut Buffers,
    run: Run<'_>,
) -> Result<(), Error> {
    run.check()?;
    let pattern = panels.pattern;
    let node = &pattern.nodes[number];
    let (height, width) = (node.height() * P, node.width() * P);
    let n_rows = height - width;
    let panel = panels.panel_mut(number);
    let Buffers {
        strips,
        root,
        minus_root,
        minus_y,
        z_rr,
        minus_z,
        z_kk,
        places,
    } = buffers;
    invert_triangle(panel, height, width, root);
    minus_root.clear();
    minus_root.extend(root.iter().map(|v| -v));
    let square = Shape::Rectangle(width);
    let roots =
        [&*root, &*minus_root].map(|v| View::of_columns(v, width, width, width).transposed());
    zeros(z_kk, width * width);
    subtract_product(z_kk, square, roots[0], roots[1], strips, run)?;
    if n_rows > 0 {
        gather::<P>(pattern, number, panel_of, places, z_rr);
        zeros(minus_y, n_rows * width);
        let below = View::of_columns(&panel[width..], height, n_rows, width);
        let shape = Shape::Rectangle(n_rows);
        subtract_product(minus_y, shape, below, roots[0], strips, run)?;
        // −Y holds for Y, and Z_rr for its transpose: −(−Yᵀ) Z_rr = −Z_kr.
        zeros(minus_z, n_rows * width);
        let y = View::of_columns(minus_y, n_rows, n_rows, width).transposed();
        let z = View::of_columns(z_rr, n_rows, n_rows, n_rows);
        subtract_product(minus_z, square, y, z, strips, run)?;
        // Yᵀ Z_rk is the product of both negatives.
        let z = View::of_columns(minus_z, width, width, n_rows);
        subtract_product(z_kk, square, y, z, strips, run)?;
    }
    for (c, column) in panel.chunks_exact_mut(height).enumerate() {
        let (own, below) = column.split_at_mut(width);
        own.copy_from_slice(&z_kk[c * width..(c + 1) * width]);
        for (value, row) in below.iter_mut().zip(minus_z.chunks_exact(width)) {
            *value = -row[c];
        }
    }
    Ok(())
}

fn zeros(values: &mut Vec<f64>, n: usize) {
    values.clear();
    values.resize(n, 0.0);
}

/// The inverse of the triangle at the head of a panel.
fn invert_triangle(panel: &[f64], height: usize, n: usize, inverse: &mut Vec<f64>) {
    zeros(inverse, n * n);
    for j in 0..n {
        let column = &mut inverse[j * n..(j + 1) * n];
        column[j] = 1.0;
        for t in j..n {
            let l = &panel[t * height..t * height + n];
            let value = column[t] / l[t];
            column[t] = value;
            for (target, l) in column[t + 1..].iter_mut().zip(&l[t + 1..]) {
                *target -= l * value;
            }
        }
    }
}

/// Copies the part of the inverse that is of a supernode's rows from the panels above it.
fn gather<'a, const P: usize>(
    pattern: &Pattern,
    number: usize,
    panel_of: &impl Fn(usize) -> &'a [f64],
    places: &mut Vec<u32>,
    z_rr: &mut Vec<f64>,
) {
    let n = pattern.nodes[number].n_rows();
    let order = n * P;
    zeros(z_rr, order * order);
    places.clear();
    places.extend(0..n as u32);
    let (mut node, mut done) = (number, 0);
    while done < n
        && let Some(parent) = pattern.nodes[node].parent
    {
        let in_parent = pattern.places(node);
        for place in &mut places[done..] {
            *place = in_parent[*place as usize];
        }
        let width = pattern.nodes[parent].width();
        let height = pattern.nodes[parent].height() * P;
        let panel = panel_of(parent);
        while done < n && (places[done] as usize) < width {
            for l in 0..P {
                let own = done * P + l;
                let column = &panel[(places[done] as usize * P + l) * height..][..height];
                for (k, &place) in places.iter().enumerate().skip(done) {
                    let block = &column[place as usize * P..][..P];
                    z_rr[own * order + k * P..][..P].copy_from_slice(block);
                    for (i, value) in block.iter().enumerate() {
                        z_rr[(k * P + i) * order + own] = *value;
                    }
                }
            }
            done += 1;
        }
        for place in &mut places[done..] {
            *place -= width as u32;
        }
        node = parent;
    }
}
