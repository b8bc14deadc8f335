//! libFuzzer on [`psfphot_fuzz::matching`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::matching(data));
