//! libFuzzer on [`psfphot_fuzz::aperture`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| psfphot_fuzz::aperture(data));
