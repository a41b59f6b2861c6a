//! An authentication gateway in front of an unmodified web application.
//!
//! | floor | modules | may import |
//! | --- | --- | --- |
//! | 0 | [`domain`], [`sample`] | nothing of ours |
//! | 1 | [`policy`], [`store`] (traits), [`database`], [`seal`] | floor 0 |
//! | 2 | [`auth`], [`bridge`], store adapters | floors 0 and 1; they see only the store's traits |
//! | 3 | [`web`], [`proxy`] | floors 0 to 2; `proxy` may call `web`, never the reverse |
//! | 4 | [`config`] | option types of all floors below |
//! | 5 | [`app`], [`server`], [`cli`] | all |
//!
//! `ARCHITECTURE.md` walks three requests through them; `tests/floors.rs` keeps the table true.

pub mod app;
pub mod auth;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod database;
pub mod domain;
pub mod policy;
pub mod proxy;
pub mod sample;
pub mod seal;
pub mod server;
pub mod store;
pub mod web;
