//! Programs that nobody here wrote: four web applications behind the gateway, three proxies that ask it, two databases it
//! reads members from, an authority it gets certificates from, eight servers that have to understand alike what it forwards,
//! the three that tell PHP of it, and tools that look at it from outside.
//!
//! They are installed by `tests/setup.sh apps` and started by the tests themselves, on ports of their own, with data of
//! their own, and end with the test.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, as it should")]

#[expect(dead_code, reason = "shared with tests/it, which uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;

mod acme;
mod bridge;
mod databases;
mod disguises;
mod dokuwiki;
mod forward_auth;
mod front;
mod generated;
mod program;
mod promises;
#[expect(dead_code, reason = "shared with tests/process, which uses all of it")]
#[path = "../process/site.rs"]
mod site;
mod spirit;
mod tools;
mod transcript;
mod understood;
