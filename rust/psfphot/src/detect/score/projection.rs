//! The part of a new star that its known neighbours cannot take.

use std::collections::HashMap;

use super::Field;
use super::near::{Block, FREE, MOST, Near, NearStars};
use crate::image::PixelBox;

const LARGEST: usize = MOST * FREE;

/// A direction of which the others leave less than this is theirs (its normal
/// matrix has ones on the diagonal): a star twice in the list, say.
const DEPENDENT: f64 = 1e-9;

/// What a new star at a place would be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Projected {
    pub(super) z: f64,
    pub(super) q: f64,
    pub(super) flux: f64,
}

/// The factor of the normal matrix of the stars near a place. Neighbouring
/// places have the same stars, as a rule: it is kept from one to the next.
#[derive(Debug)]
pub(super) struct Projector {
    /// Which stars, in the order of the matrix.
    stars: [u32; MOST],
    n: usize,
    /// Lower triangle, row by row; a direction that depends on the others has a
    /// zero on the diagonal.
    factor: [f64; LARGEST * LARGEST],
    /// The gradient, solved by the factor.
    solved: [f64; LARGEST],
    /// Blocks of the stars of one image, or of one part of it.
    blocks: HashMap<(u32, u32), Block>,
}

impl Default for Projector {
    fn default() -> Self {
        Self {
            stars: [u32::MAX; MOST],
            n: 0,
            factor: [0.0; LARGEST * LARGEST],
            solved: [0.0; LARGEST],
            blocks: HashMap::new(),
        }
    }
}

impl Projector {
    /// Makes z and q of the sum and the information at the pixels of a window,
    /// which is as wide as the image.
    pub(super) fn project(
        &mut self,
        stars: &NearStars,
        field: &Field<'_>,
        window: PixelBox,
        pixels: &mut [[f32; 2]],
    ) {
        self.forget();
        let width = window.width();
        let mut near = vec![Near::default(); width];
        for (y, row) in (window.y0..window.y1).zip(pixels.chunks_mut(width.max(1))) {
            stars.near_row(y, field.reach, &mut near);
            for (x, (pixel, near)) in row.iter_mut().zip(&near).enumerate() {
                let [sum, information] = *pixel;
                if near.members().is_empty() || !sum.is_finite() {
                    *pixel = [sum / information.sqrt(), 1.0];
                    continue;
                }
                let values = field.kernel_at(x, y as usize);
                let place = (field.window(x as f64, y as f64), values);
                let alone = (f64::from(sum), f64::from(information));
                let score = self.score(stars, near, place, alone);
                *pixel = [score.z as f32, score.q as f32];
            }
        }
    }

    /// Forgets the stars of another image or part of it.
    pub(super) fn forget(&mut self) {
        self.stars = [u32::MAX; MOST];
        self.n = 0;
        self.blocks.clear();
    }

    /// What a star with the PSF's values in a window would be beside the stars near
    /// it; `alone` is what it would be without them.
    pub(super) fn score(
        &mut self,
        stars: &NearStars,
        near: &Near,
        place: (PixelBox, &[f32]),
        (sum, information): (f64, f64),
    ) -> Projected {
        let members = near.members();
        if self.n != members.len() || self.stars[..self.n] != *members {
            self.refactor(stars, members);
        }
        let mut right = [0.0; LARGEST];
        for (part, overlap) in right
            .chunks_exact_mut(FREE)
            .zip(stars.overlaps(near, place))
        {
            part.copy_from_slice(&overlap);
        }
        let m = self.n * FREE;
        self.solve(&mut right[..m]);
        let pairs = right[..m].iter().zip(&self.solved[..m]);
        let sum = sum - pairs.map(|(v, u)| v * u).sum::<f64>();
        let left = information - right[..m].iter().map(|v| v * v).sum::<f64>();
        let q = left / information;
        if q.is_nan() || q <= DEPENDENT {
            let nothing = if information > 0.0 { 0.0 } else { f64::NAN };
            return Projected {
                z: nothing,
                q: 0.0,
                flux: nothing,
            };
        }
        Projected {
            z: sum / left.sqrt(),
            q,
            flux: sum / left,
        }
    }

    fn refactor(&mut self, stars: &NearStars, members: &[u32]) {
        self.n = members.len();
        self.stars[..self.n].copy_from_slice(members);
        let m = self.n * FREE;
        for (i, &a) in members.iter().enumerate() {
            self.solved[i * FREE..(i + 1) * FREE].copy_from_slice(&stars.gradient(a));
            for (j, &b) in members[..=i].iter().enumerate() {
                let block = self
                    .blocks
                    .entry((a, b))
                    .or_insert_with(|| stars.block(a, b));
                for (row, values) in block.iter().enumerate() {
                    let start = (i * FREE + row) * LARGEST + j * FREE;
                    self.factor[start..start + FREE].copy_from_slice(values);
                }
            }
        }
        self.decompose(m);
        let mut solved = self.solved;
        self.solve(&mut solved[..m]);
        self.solved = solved;
    }

    /// Cholesky's decomposition in place, dependent directions left out.
    fn decompose(&mut self, m: usize) {
        for i in 0..m {
            for j in 0..=i {
                let (a, b) = (i * LARGEST, j * LARGEST);
                let mut value = self.factor[a + j];
                for k in 0..j {
                    value -= self.factor[a + k] * self.factor[b + k];
                }
                self.factor[a + j] = if i == j {
                    if value > DEPENDENT { value.sqrt() } else { 0.0 }
                } else if self.factor[b + j] > 0.0 {
                    value / self.factor[b + j]
                } else {
                    0.0
                };
            }
        }
    }

    /// Solves L v = right in place; dependent directions get 0.
    fn solve(&self, right: &mut [f64]) {
        for i in 0..right.len() {
            let row = &self.factor[i * LARGEST..=i * LARGEST + i];
            let known: f64 = row[..i].iter().zip(&right[..i]).map(|(l, v)| l * v).sum();
            let pivot = row[i];
            right[i] = if pivot > 0.0 {
                (right[i] - known) / pivot
            } else {
                0.0
            };
        }
    }
}
