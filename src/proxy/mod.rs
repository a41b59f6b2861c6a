//! Floor 3: the pingora adapter.
pub mod options;
