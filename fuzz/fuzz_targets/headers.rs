//! What of a request's fields reaches the application: nothing that says who is there.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::headers(data));
