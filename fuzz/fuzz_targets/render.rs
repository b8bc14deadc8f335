//! libFuzzer on [`psfphot_fuzz::render`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::render(data));
