//! What lies in the store: read, or refused with a reason, and written as it was read.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::record(data));
