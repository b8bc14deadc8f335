#![allow(
    clippy::needless_range_loop,
    reason = "rows and columns are counted as in the formulas"
)]

use proptest::prelude::*;

use super::*;
use crate::run::CancelAfter;
use crate::solve::factor_determined;

/// A positive definite matrix with the given links, and the same row by row.
fn matrix<const P: usize>(n: usize, links: &[(u32, u32)], values: &[f64]) -> (Blocks<P>, Vec<f64>) {
    let mut pairs: Vec<_> = links
        .iter()
        .map(|&(a, b)| (a % n as u32, b % n as u32))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| (a.max(b), a.min(b)))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut blocks = Blocks::new(n, pairs);
    let order = n * P;
    let mut dense = vec![0.0; order * order];
    let mut next = values.iter().cycle();
    let pairs = blocks.pairs().to_vec();
    for (&(row, column), block) in pairs.iter().zip(&mut blocks.values) {
        for (i, values) in block.iter_mut().enumerate() {
            for (j, slot) in values.iter_mut().enumerate() {
                let value = *next.next().unwrap();
                *slot = value;
                let (a, b) = (row as usize * P + i, column as usize * P + j);
                dense[a * order + b] = value;
                dense[b * order + a] = value;
            }
        }
    }
    for (member, block) in blocks.diagonal.iter_mut().enumerate() {
        for (i, values) in block.iter_mut().enumerate() {
            let a = member * P + i;
            let sum: f64 = dense[a * order..(a + 1) * order]
                .iter()
                .map(|v| v.abs())
                .sum();
            values[i] = sum + 1.0;
            dense[a * order + a] = sum + 1.0;
        }
    }
    (blocks, dense)
}

fn is_inverse<const P: usize>(n: usize, links: &[(u32, u32)], values: &[f64]) {
    let (blocks, dense) = matrix::<P>(n, links, values);
    let order = n * P;
    let mut factor = Llt::new(&blocks, Run::new()).unwrap();
    assert_eq!(
        factor.factor(&blocks, &[], Run::new()),
        Ok(Outcome::Factored)
    );
    let mut inverse = vec![0.0; order * order];
    for k in 0..order {
        let mut x = vec![[0.0; P]; n];
        x[k / P][k % P] = 1.0;
        factor.solve(&mut x);
        inverse[k * order..(k + 1) * order].copy_from_slice(x.as_flattened());
        for i in 0..order {
            let product: f64 = (0..order)
                .map(|j| dense[i * order + j] * x.as_flattened()[j])
                .sum();
            assert!((product - f64::from(u8::from(i == k))).abs() < 1e-11);
        }
    }
    factor.invert(Run::new()).unwrap();
    let diagonal = (0..n).map(|i| (i, i));
    let pairs = blocks.pairs().iter();
    let stored = pairs.flat_map(|&(a, b)| [(a as usize, b as usize), (b as usize, a as usize)]);
    for (row, column) in diagonal.chain(stored) {
        let block = factor.inverse(row, column).unwrap();
        for i in 0..P {
            for j in 0..P {
                let expected = inverse[(row * P + i) * order + column * P + j];
                assert!((block[i][j] - expected).abs() < 1e-12);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn factors_solve_and_invert(
        n in 1_usize..12,
        links in prop::collection::vec((0_u32..12, 0_u32..12), 0..30),
        values in prop::collection::vec(-1.0..1.0, 7..60),
    ) {
        is_inverse::<1>(n, &links, &values);
        is_inverse::<3>(n, &links, &values);
        is_inverse::<4>(n, &links, &values);
    }
}

#[test]
fn a_degenerate_pair_is_held_and_the_rest_is_not() -> Result<(), Error> {
    // Members 0 and 2 say the same, 3 says nothing, 1 is by itself.
    let mut blocks = Blocks::<1>::new(4, vec![(1, 0), (2, 0)]);
    blocks.diagonal = vec![[[4.0]], [[2.0]], [[9.0]], [[0.0]]];
    blocks.values = vec![[[0.0]], [[6.0]]];
    let mut factor = Llt::new(&blocks, Run::new())?;
    let mut held = vec![false; 4];
    let is_determined = factor_determined(&mut factor, &blocks, &mut held, Run::new())?;
    assert_eq!(is_determined, [false, true, false, false]);
    assert_eq!(held, [true, false, true, true]);
    factor.invert(Run::new())?;
    assert!((factor.inverse(1, 1).unwrap()[0][0] - 0.5).abs() < 1e-15);
    Ok(())
}

#[test]
fn held_parameters_have_the_rows_of_the_identity() -> Result<(), Error> {
    let mut blocks = Blocks::<2>::new(2, vec![(1, 0)]);
    blocks.diagonal = vec![[[4.0, 1.0], [1.0, 3.0]]; 2];
    blocks.values = vec![[[0.5, 0.25], [0.125, 0.75]]];
    let mut factor = Llt::new(&blocks, Run::new())?;
    let held = [false, true, false, false];
    assert_eq!(
        factor.factor(&blocks, &held, Run::new())?,
        Outcome::Factored
    );
    let mut x = vec![[1.0, 7.0], [0.0, 0.0]];
    factor.solve(&mut x);
    assert!((x[0][1] - 7.0).abs() < 1e-15);
    let product = |row: [f64; 3]| row[0] * x[0][0] + row[1] * x[1][0] + row[2] * x[1][1];
    assert!((product([4.0, 0.5, 0.125]) - 1.0).abs() < 1e-14);
    assert!(product([0.5, 4.0, 1.0]).abs() < 1e-14);
    assert!(product([0.125, 1.0, 3.0]).abs() < 1e-14);
    Ok(())
}

#[test]
fn threads_change_no_bit_and_a_cancelled_run_stops() -> Result<(), Error> {
    let links: Vec<(u32, u32)> = (0..3000).map(|k| (k, k / 2 * 2 + 1)).collect();
    let (blocks, _) = chain(&links);
    let solved = |run: Run<'_>| -> Result<_, Error> {
        let mut factor = Llt::new(&blocks, run)?;
        factor.factor(&blocks, &[], run)?;
        let mut x: Vec<[f64; 2]> = (0..3000).map(|k| [f64::from(k), 1.0]).collect();
        factor.solve(&mut x);
        Ok(x)
    };
    assert_eq!(solved(Run::new())?, solved(Run::new().serial())?);
    let monitor = CancelAfter::new(3);
    let run = Run::new().with_monitor(&monitor);
    assert_eq!(solved(run).err(), Some(Error::Cancelled));
    Ok(())
}

/// As `matrix`, without the rows, which are too many.
fn chain(links: &[(u32, u32)]) -> (Blocks<2>, usize) {
    let mut pairs: Vec<_> = links.iter().filter(|(a, b)| a != b).copied().collect();
    for pair in &mut pairs {
        *pair = (pair.0.max(pair.1), pair.0.min(pair.1));
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut blocks = Blocks::new(links.len(), pairs);
    blocks.values.fill([[0.3, 0.1], [-0.2, 0.4]]);
    blocks.diagonal.fill([[3.0, 0.5], [0.5, 2.0]]);
    let n = blocks.values.len();
    (blocks, n)
}

/// The pairs of neighbours in a square of members, diagonal ones included.
fn lattice(side: u32) -> Vec<(u32, u32)> {
    let member = |x: u32, y: u32| y * side + x;
    let mut pairs = Vec::new();
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        let before = [(-1, 0), (-1, -1), (0, -1), (1, -1)];
        for (dx, dy) in before {
            let other = (x.checked_add_signed(dx), y.checked_add_signed(dy));
            if let (Some(i), Some(j)) = other
                && i < side
            {
                pairs.push((member(x, y), member(i, j)));
            }
        }
    }
    pairs
}

/// A matrix of a lattice whose larger supernodes are above those that threads share.
fn large() -> Blocks<3> {
    let side = 50;
    let mut blocks = Blocks::new((side * side) as usize, lattice(side));
    for (k, block) in blocks.values.iter_mut().enumerate() {
        for (l, value) in block.as_flattened_mut().iter_mut().enumerate() {
            *value = ((k * 9 + l) as f64).sin();
        }
    }
    blocks
        .diagonal
        .fill([[30.0, 1.0, 2.0], [1.0, 31.0, 0.0], [2.0, 0.0, 29.0]]);
    blocks
}

#[test]
fn a_large_matrix_is_factored_and_inverted_with_the_same_bits_by_all_threads() -> Result<(), Error>
{
    let blocks = large();
    let mut factors = Vec::new();
    for run in [Run::new(), Run::new().serial()] {
        let mut factor = Llt::new(&blocks, run)?;
        assert!(factor.division.groups.len() > 1 && !factor.division.tops.is_empty());
        assert_eq!(factor.factor(&blocks, &[], run)?, Outcome::Factored);
        factors.push(factor);
    }
    assert_eq!(factors[0].values, factors[1].values);
    // Columns of the inverse, one of them of the member that is eliminated last.
    let n = blocks.n();
    let last = factors[0].pattern.order[n - 1] as usize;
    for member in [0, n / 2, last] {
        let mut x = vec![[0.0; 3]; n];
        x[member][1] = 1.0;
        factors[0].solve(&mut x);
        let mut product = blocks.times(&x);
        product[member][1] -= 1.0;
        assert!(product.as_flattened().iter().all(|v| v.abs() < 1e-12));
        let mut inverse = Llt::new(&blocks, Run::new())?;
        inverse.factor(&blocks, &[], Run::new())?;
        inverse.invert(Run::new())?;
        let near = blocks.pairs().iter();
        let near = near.filter(|(a, b)| [*a as usize, *b as usize].contains(&member));
        for &(a, b) in near.chain([&(member as u32, member as u32)]) {
            let other = if a as usize == member { b } else { a } as usize;
            let block = inverse.inverse(other, member).unwrap();
            for i in 0..3 {
                assert!((block[i][1] - x[other][i]).abs() < 1e-13);
            }
        }
    }
    for (factor, run) in factors.iter_mut().zip([Run::new(), Run::new().serial()]) {
        factor.invert(run)?;
    }
    assert_eq!(factors[0].values, factors[1].values);
    Ok(())
}

#[test]
fn a_combination_that_only_the_last_pivot_shows_is_found() -> Result<(), Error> {
    let side = 60;
    let mut blocks = Blocks::<1>::new((side * side) as usize, lattice(side));
    blocks.values.fill([[-1.0]]);
    blocks.diagonal.fill([[9.0]]);
    let mut factor = Llt::new(&blocks, Run::new())?;
    assert!(!factor.division.tops.is_empty());
    assert_eq!(factor.factor(&blocks, &[], Run::new())?, Outcome::Factored);
    // Without its last pivot the matrix is singular: what it takes to nothing is the last
    // column of its inverse, which is largest at that member and falls around it.
    let last = factor.pattern.order[blocks.n() - 1];
    let pivot = factor.values.last().unwrap();
    blocks.diagonal[last as usize][0][0] -= pivot * pivot;
    let Outcome::Indefinite(nulls) = factor.factor(&blocks, &[], Run::new())? else {
        panic!("the matrix is singular");
    };
    let [null] = &nulls[..] else {
        panic!("{} null vectors", nulls.len());
    };
    assert_eq!(null.member, last as usize);
    for &(a, b) in blocks
        .pairs()
        .iter()
        .filter(|(a, b)| *a == last || *b == last)
    {
        assert!(null.members.contains(&(a as usize)) && null.members.contains(&(b as usize)));
    }
    let largest = |of: &dyn Fn(usize) -> usize| {
        let distance = |m: usize| of(m).abs_diff(of(last as usize));
        null.members.iter().map(|&m| distance(m)).max()
    };
    let side = side as usize;
    assert!(largest(&|m| m % side).max(largest(&|m| m / side)) < Some(20));
    Ok(())
}
