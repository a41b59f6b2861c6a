//! Files that hang on posts, in memory. When there is no room the oldest go.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::reading::Upload;

/// Bytes of all files together.
const ROOM: usize = 256 << 20;

/// Types a browser may show in place; all others are offered for saving.
const SHOWN: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// One file. Never changes, so it is shared while it is sent.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// Seconds since 1970.
    pub(super) stored_at: u64,
}

impl Attachment {
    /// Whether browsers show it in place.
    pub(super) fn is_shown(&self) -> bool {
        SHOWN.contains(&self.content_type)
    }
}

/// All files, by number.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    files: BTreeMap<u64, Arc<Attachment>>,
    last: u64,
    bytes: usize,
}

impl Attachments {
    pub(super) fn find(&self, id: u64) -> Option<Arc<Attachment>> {
        self.files.get(&id).cloned()
    }

    /// Keeps a file and gives it a number.
    pub(super) fn keep(&mut self, upload: Upload, now: u64) -> u64 {
        self.make_room(upload.bytes.len());
        self.last += 1;
        self.bytes += upload.bytes.len();
        let content_type = SHOWN
            .into_iter()
            .find(|shown| upload.content_type.eq_ignore_ascii_case(shown))
            .unwrap_or("application/octet-stream");
        let Upload { name, bytes, .. } = upload;
        let file = Attachment { id: self.last, name, content_type, bytes, stored_at: now };
        self.files.insert(self.last, Arc::new(file));
        self.last
    }

    fn make_room(&mut self, wanted: usize) {
        while self.bytes + wanted > ROOM {
            let Some((_, oldest)) = self.files.pop_first() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(content_type: &str, bytes: Bytes) -> Upload {
        Upload { name: "a".into(), content_type: content_type.into(), bytes }
    }

    #[test]
    fn only_pictures_keep_their_type() {
        let mut files = Attachments::default();
        for (given, kept) in [("image/PNG", "image/png"), ("text/html", "application/octet-stream")] {
            let id = files.keep(upload(given, Bytes::new()), 0);
            assert_eq!(files.find(id).unwrap().content_type, kept);
        }
    }

    #[test]
    fn the_oldest_file_goes_when_there_is_no_room() {
        let mut files = Attachments::default();
        let eighth = Bytes::from(vec![0; ROOM / 8]);
        let ids: Vec<u64> = (0..9).map(|_| files.keep(upload("", eighth.clone()), 0)).collect();
        assert!(files.find(ids[0]).is_none());
        assert!(files.find(ids[1]).is_some());
        assert!(files.find(ids[8]).is_some());
    }
}
