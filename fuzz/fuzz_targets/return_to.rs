//! Where signing in leads: never off the site.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| passgate_fuzz::return_to(data));
