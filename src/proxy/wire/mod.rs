//! HTTP/1.1 as bytes (RFC 9112): what is read strictly before the engine sees it, and where messages end.
//!
//! All of it is pure: bytes in, a verdict out, however they are cut. No streams, no clocks, no engine; `connection` drives
//! it. The engine mends what it can (two lengths, bare line feeds, raw blanks in targets); whoever sends such a thing
//! means to be read in two ways, so here it is refused.

mod answer;
mod body;
mod chunks;
mod head;
mod refusal;

pub(super) use answer::Answer;
pub(super) use body::Body;
pub(super) use chunks::{Chunks, Extensions};
pub(super) use head::{Framing, Head, HeadReader};
pub(super) use refusal::Refusal;
