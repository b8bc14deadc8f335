//! A symmetric matrix in blocks, of which only those of some pairs are stored.

/// One block, row by row.
pub(crate) type Block<const P: usize> = [[f64; P]; P];

/// A symmetric matrix of P × P blocks, one row of blocks for each member: the
/// diagonal, and those below it that are not zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks<const P: usize> {
    pub(crate) diagonal: Vec<Block<P>>,
    /// (row, column) of each other block, row > column.
    pairs: Vec<(u32, u32)>,
    pub(crate) values: Vec<Block<P>>,
}

impl<const P: usize> Blocks<P> {
    /// Of `n` members and the pairs (row, column), row > column, each once; all
    /// zero.
    pub(crate) fn new(n: usize, pairs: Vec<(u32, u32)>) -> Self {
        Self {
            diagonal: vec![[[0.0; P]; P]; n],
            values: vec![[[0.0; P]; P]; pairs.len()],
            pairs,
        }
    }

    /// Number of members.
    pub(crate) fn n(&self) -> usize {
        self.diagonal.len()
    }

    /// (row, column) of each block below the diagonal.
    pub(crate) fn pairs(&self) -> &[(u32, u32)] {
        &self.pairs
    }

    /// Takes out the pairs that are not kept.
    pub(crate) fn retain(&mut self, is_kept: &[bool]) {
        let mut keeps = is_kept.iter();
        self.pairs.retain(|_| keeps.next() == Some(&true));
        let mut keeps = is_kept.iter();
        self.values.retain(|_| keeps.next() == Some(&true));
    }

    /// The matrix times a vector.
    pub(crate) fn times(&self, vector: &[[f64; P]]) -> Vec<[f64; P]> {
        let mut product = vec![[0.0; P]; vector.len()];
        for (k, block) in self.diagonal.iter().enumerate() {
            for i in 0..P {
                for j in 0..P {
                    product[k][i] += block[i][j] * vector[k][j];
                }
            }
        }
        for (&(a, b), block) in self.pairs.iter().zip(&self.values) {
            let (a, b) = (a as usize, b as usize);
            for i in 0..P {
                for j in 0..P {
                    product[a][i] += block[i][j] * vector[b][j];
                    product[b][j] += block[i][j] * vector[a][i];
                }
            }
        }
        product
    }
}
