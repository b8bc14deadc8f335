//! Data for tests.

/// Values between −5 and 12 that look random, the same for the same seed.
pub(super) fn noise(n: usize, seed: u64) -> Vec<f64> {
    (0..n as u64)
        .map(|i| {
            let bits = (i + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (bits >> 40) as f64 / 1e6 - 5.0
        })
        .collect()
}
