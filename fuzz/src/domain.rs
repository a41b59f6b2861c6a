//! Of `src/domain` what the files use that are compiled here, and what reads addresses.

pub use passgate::domain::*;
