//! The built program as a process of its own: what operators type and what they get. Each test has a folder with a
//! configuration, ports the system chose (read from the `ready` event), and ends what it has started.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has failed, as it should")]

mod audit;
mod backup;
mod canary;
mod commands;
mod crash;
mod cut;
mod descriptors;
mod failing_disk;
mod faults;
mod full_disk;
mod import;
mod joining;
mod killed_calls;
mod mail;
mod mail_queue;
mod mail_server;
mod memory;
mod readme;
mod reloading;
mod running;
mod scale;
mod second_factor;
mod secrets;
mod site;
mod small_machine;
mod start;
mod stop;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "the integration tests use all of it; these need a part")]
mod support;
mod synced;
mod thin_disk;
mod throttle;
