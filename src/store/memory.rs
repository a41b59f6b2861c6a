//! The reference implementation on maps.
/// x
#[derive(Debug, Default)]
pub struct MemoryStore {}
