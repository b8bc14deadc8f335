//! libFuzzer on [`psfphot_fuzz::fit`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::fit(data));
