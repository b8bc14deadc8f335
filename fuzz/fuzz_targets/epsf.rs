//! libFuzzer on [`psfphot_fuzz::epsf`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::epsf(data));
