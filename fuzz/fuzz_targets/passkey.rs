//! What an authenticator answers, as a browser posts it: JSON, and CBOR within.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::passkey(data));
