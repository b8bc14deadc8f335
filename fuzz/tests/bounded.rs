//! Every target with some hundred random inputs, always the same ones.
//!
//! `PROPTEST_CASES` says how many, `PROPTEST_RNG_SEED` which. A failure shows
//! the least bytes that fail.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use psfphot_fuzz::TARGETS;

/// Inputs of a target, where nobody asks for more: all take some seconds.
const CASES: u32 = 1000;

/// One in so many of them where each takes long.
const SLOW: [(&str, u32); 3] = [("epsf", 5), ("search", 5), ("system", 40)];

/// Bytes of an input: hardly a target uses more.
const LONGEST: usize = 600;

fn config(name: &str) -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        let slow = SLOW.iter().find(|(other, _)| *other == name);
        config.cases = CASES / slow.map_or(1, |(_, part)| *part);
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

fn run(name: &str) {
    let (_, target) = TARGETS
        .iter()
        .find(|(other, _)| *other == name)
        .expect("a target");
    let inputs = prop::collection::vec(any::<u8>(), 0..LONGEST);
    let result = TestRunner::new(config(name)).run(&inputs, |data| {
        target(&data);
        Ok(())
    });
    if let Err(TestError::Fail(reason, data)) = result {
        panic!("{name} fails with {data:?}: {reason}");
    }
}

#[test]
fn aperture() {
    run("aperture");
}

#[test]
fn background() {
    run("background");
}

#[test]
fn epsf() {
    run("epsf");
}

#[test]
fn find() {
    run("find");
}

#[test]
fn fit() {
    run("fit");
}

#[test]
fn group() {
    run("group");
}

#[test]
fn matching() {
    run("matching");
}

#[test]
fn render() {
    run("render");
}

#[test]
fn search() {
    run("search");
}

#[test]
fn system() {
    run("system");
}
