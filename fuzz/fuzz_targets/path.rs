//! A request's target, and the one form in which it is judged and forwarded.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::path(data));
