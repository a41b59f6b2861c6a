//! Of `src/domain` what reads addresses.

#[path = "../../src/domain/path.rs"]
pub mod path;
#[path = "../../src/domain/return_to.rs"]
pub mod return_to;

pub use path::RequestPath;
pub use return_to::ReturnTo;
