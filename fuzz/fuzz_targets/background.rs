//! libFuzzer on [`psfphot_fuzz::background`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::background(data));
