//! Gauss–Legendre quadrature over a pixel.

use std::f64::consts::PI;

use crate::Error;

/// More nodes than this serve no PSF: 20 give every one that is as wide as a
/// pixel to rounding.
const MAX_NODES: usize = 200;

/// The nodes and weights of `n` points for the interval (−½, ½), by Newton's
/// method on the Legendre polynomial (Press et al. 2007, Numerical Recipes,
/// §4.6.1). The weights sum to 1.
///
/// # Errors
/// [`Error::InvalidArgument`] unless `n` is from 1 to 200.
pub(super) fn gauss_legendre(n: usize) -> Result<Vec<(f64, f64)>, Error> {
    if !(1..=MAX_NODES).contains(&n) {
        let expected = format!("be an integer from 1 to {MAX_NODES}");
        return Err(Error::invalid("n_nodes", expected, n));
    }
    Ok((0..n).map(|k| rule(n, k)).collect())
}

/// Node `k` of `n` and its weight.
fn rule(n: usize, k: usize) -> (f64, f64) {
    if 2 * k + 1 == n {
        let (_, derivative) = legendre(n, 0.0);
        return (0.0, 1.0 / (derivative * derivative));
    }
    // The asymptotic root, from the left.
    let mut x = -(PI * (k as f64 + 0.75) / (n as f64 + 0.5)).cos();
    for _ in 0..10 {
        let (value, derivative) = legendre(n, x);
        let step = value / derivative;
        x -= step;
        if step.abs() < 1e-15 {
            break;
        }
    }
    let (_, derivative) = legendre(n, x);
    (0.5 * x, 1.0 / ((1.0 - x * x) * derivative * derivative))
}

/// The Legendre polynomial of degree `n` > 0 and its derivative, |x| < 1.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (
            value,
            ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
        );
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() -> Result<(), Error> {
        for n in [1, 2, 3, 9, 16, 64, 200] {
            let nodes = gauss_legendre(n)?;
            assert!(nodes.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for power in 0..(2 * n).min(40) as i32 {
                let sum: f64 = nodes.iter().map(|(x, w)| w * (2.0 * x).powi(power)).sum();
                let exact = f64::from((power + 1) % 2) / f64::from(power + 1);
                assert!((sum - exact).abs() < 4e-15, "{n} {power} {sum} {exact}");
            }
        }
        Ok(())
    }

    #[test]
    fn numbers_of_nodes_that_make_no_sense_are_refused() {
        for n in [0, MAX_NODES + 1, usize::MAX] {
            let message = gauss_legendre(n).map_err(|e| e.to_string());
            assert!(message.is_err_and(|m| m.starts_with("n_nodes must be an integer from 1")));
        }
    }
}
