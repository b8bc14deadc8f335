//! libFuzzer on [`psfphot_fuzz::system`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::system(data));
