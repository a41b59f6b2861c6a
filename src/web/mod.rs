//! Floor 3: pages.
pub mod options;
