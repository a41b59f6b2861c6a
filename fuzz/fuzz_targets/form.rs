//! Forms and JSON posted to pages of ours, and forms that are kept.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::form(data));
