#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| bellini_fuzz::coding(data));
