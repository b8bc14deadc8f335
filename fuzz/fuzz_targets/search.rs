//! libFuzzer on [`psfphot_fuzz::search`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::search(data));
