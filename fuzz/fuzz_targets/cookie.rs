//! Whose request it is by its cookies, and what of them goes on.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::cookie(data));
