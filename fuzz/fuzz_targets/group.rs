//! libFuzzer on [`psfphot_fuzz::group`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::group(data));
