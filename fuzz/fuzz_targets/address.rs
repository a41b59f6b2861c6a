//! Whose address counts: the PROXY protocol and `X-Forwarded-For`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::address(data));
