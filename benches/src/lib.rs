//! Benchmarks of the core crate; see `benches/`.
