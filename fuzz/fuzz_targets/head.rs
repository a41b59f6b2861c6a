//! The head of a request: judged alike however it is cut, and as the engine reads it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::head(data));
