//! The elements of an inverse where the factor has some.

use crate::simd::dispatch;
use crate::solve::blocks::Block;
use crate::solve::small::{inverse_of_lower, subtract_plain, subtract_transposed};
use crate::{Error, Run};

use super::numeric::{PATIENCE, Part};

/// Buffers that all columns use.
struct Buffers<const P: usize> {
    /// Lᵢⱼ Lⱼⱼ⁻¹ of a column.
    scaled: Vec<Block<P>>,
    /// The column of the inverse.
    sums: Vec<Block<P>>,
    /// For each row its place among them, or none.
    place: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<const P: usize> Part<'_, P> {
    /// Makes the factor the inverse on its own pattern, column by column from the
    /// last (Takahashi, Fagan & Chen 1973; Erisman & Tinney 1975, Commun. ACM 18,
    /// 177): with Y = Lᵢⱼ Lⱼⱼ⁻¹, Zᵢⱼ = −Σₖ Zᵢₖ Yₖ over the rows of the column, all
    /// of whose pairs are in the pattern.
    pub(super) fn invert(&mut self, run: Run<'_>) -> Result<(), Error> {
        let n = self.columns.len();
        let mut buffers = Buffers {
            scaled: Vec::new(),
            sums: Vec::new(),
            place: vec![NONE; n],
        };
        for range in crate::run::chunks(n, PATIENCE).into_iter().rev() {
            run.check()?;
            for j in range.rev() {
                invert_column(self, &mut buffers, j);
            }
        }
        Ok(())
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // a kernel
fn invert_column_kernel<const FMA: bool, const P: usize>(
    part: &mut Part<'_, P>,
    buffers: &mut Buffers<P>,
    j: usize,
) {
    let Buffers {
        scaled,
        sums,
        place,
    } = buffers;
    let column = part.column(j);
    let inverse = inverse_of_lower(&part.diagonal[j]);
    scaled.clear();
    sums.clear();
    for (number, entry) in (0_u32..).zip(column.clone()) {
        place[part.row(entry)] = number;
        let mut block = [[0.0; P]; P];
        subtract_plain::<FMA, P>(&mut block, &part.values[entry], &inverse);
        // The negative of what is in the formula.
        scaled.push(block);
        sums.push([[0.0; P]; P]);
    }
    // Σ Zᵢₖ (−Yₖ), of which the kernels subtract the negative.
    for (number, entry) in column.clone().enumerate() {
        let k = part.row(entry);
        subtract_plain::<FMA, P>(&mut sums[number], &part.diagonal[k], &scaled[number]);
        for below in part.column(k) {
            let other = place[part.row(below)];
            if other != NONE {
                let z = &part.values[below];
                subtract_plain::<FMA, P>(&mut sums[other as usize], z, &scaled[number]);
                subtract_transposed::<FMA, P>(&mut sums[number], z, &scaled[other as usize]);
            }
        }
    }
    let mut own = [[0.0; P]; P];
    let negative = inverse.map(|row| row.map(|v| -v));
    subtract_transposed::<FMA, P>(&mut own, &inverse, &negative);
    for (number, entry) in column.enumerate() {
        place[part.row(entry)] = NONE;
        // `sums` is the negative of Z as `scaled` is of Y.
        let z = sums[number].map(|row| row.map(|v| -v));
        subtract_transposed::<FMA, P>(&mut own, &scaled[number].map(|r| r.map(|v| -v)), &z);
        part.values[entry] = z;
    }
    part.diagonal[j] = own;
}

dispatch! {
    fn invert_column[const P: usize](part: &mut Part<'_, P>, buffers: &mut Buffers<P>, j: usize)
        = invert_column_kernel[P]
}
