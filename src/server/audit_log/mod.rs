//! The audit log: what matters to security, one JSON object a line, in files that are only ever added to, a file a month.
//!
//! ```text
//! {"n":7,"time":"2026-11-27T17:34:05.123Z","prev":"5f…","event":"signed-in","member":"…","client":"192.0.2.7",…}
//! ```
//!
//! **The chain** (SECURITY: OPS-11). Each line is numbered and holds the SHA-256 of the line before, so no line can be changed
//! or taken out unless all that follow are made anew; the file `head` has number and digest of the last line that the disk has,
//! so the end can't be cut off unless that is changed as well. Whoever can write all these files can do both, unless the
//! head that `passgate audit verify` prints is compared with one that was noted elsewhere.
//!
//! Nothing waits for it. Lines that can't be written, on a full disk say, are counted, and the count is a line of its own
//! once there is room.

mod chain;
mod layer;
mod writer;

#[cfg(test)]
mod tests;

pub use chain::{AuditLine, Broken, Chain, read_chain};
pub(super) use layer::AuditLayer;
pub(super) use writer::AuditWriter;

/// The folder of the audit log inside the data folder.
pub const FOLDER: &str = "audit";

/// Events of this target go into the audit log.
const TARGET: &str = "passgate::audit";
