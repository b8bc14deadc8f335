//! libFuzzer on [`psfphot_fuzz::find`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::find(data));
