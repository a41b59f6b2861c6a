//! The integration tests: one binary, real sockets on free ports of loopback, no sleeps.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, as it should")]

mod acme;
mod app_passwords;
mod bridge;
mod documents;
mod engine;
mod faults;
mod forward_auth;
mod http2;
mod identity;
mod kept;
mod passkeys;
mod paths;
mod proxy_protocol;
mod questions;
mod required;
mod sample;
mod second_factor;
mod sign_in;
mod support;
mod supporting;
mod throttle;
mod tls;
mod trailers;
mod transparency;
mod tunnels;
mod upstreams;
mod wire;
