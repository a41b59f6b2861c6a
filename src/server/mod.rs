//! Floor 5: the process around the gateway.
pub mod control;
pub mod options;
