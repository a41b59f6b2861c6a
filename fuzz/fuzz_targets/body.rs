//! Where a message ends, however its bytes are cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::body(data));
