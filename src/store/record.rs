//! What a record is as bytes: its version and JSON. An unknown version or field is refused rather than lost at the next write.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the records written.
const VERSION: u8 = 1;

/// The bytes of a record.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    #[expect(clippy::expect_used, reason = "strings, numbers and lists of them, into memory")]
    serde_json::to_writer(&mut bytes, record).expect("a record is JSON");
    bytes
}

/// The record in these bytes, or what is wrong with them.
pub(super) fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, String> {
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|error| format!("a record: {error}")),
        Some((version, _)) => Err(format!("a record is of version {version}, only {VERSION} is known")),
        None => Err("a record is empty".to_owned()),
    }
}
