//! The few files our pages load. Their names hold a hash of their content, so that browsers may keep them for good.

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::palette::Palette;
use super::response::Reply;
use super::{Problem, Web};

const STYLE: &str = include_str!("../../assets/passgate.css");
const SCRIPT: &str = include_str!("../../assets/passgate.js");
const PASSKEYS: &str = include_str!("../../assets/passkeys.js");
const MARK: &str = include_str!("../../assets/mark.svg");

const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// The files, ready to be sent.
pub(super) struct Assets {
    files: [Asset; 4],
}

struct Asset {
    name: String,
    content_type: HeaderValue,
    content: Bytes,
}

impl Assets {
    /// The files, in the site's colours.
    pub(super) fn new(palette: &Palette) -> Self {
        let style = palette.style(STYLE);
        let mark = palette.picture(MARK);
        Self {
            files: [
                Asset::new(
                    "passgate",
                    "css",
                    const { HeaderValue::from_static("text/css; charset=utf-8") },
                    style.into(),
                ),
                Asset::new("passgate", "js", JAVASCRIPT, SCRIPT.into()),
                Asset::new("passkeys", "js", JAVASCRIPT, PASSKEYS.into()),
                Asset::new(
                    "passgate",
                    "svg",
                    const { HeaderValue::from_static("image/svg+xml") },
                    mark.into(),
                ),
            ],
        }
    }

    /// The names of the style sheet, the two scripts and the mark.
    pub(super) fn names(&self) -> [&str; 4] {
        self.files.each_ref().map(|asset| asset.name.as_str())
    }
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: HeaderValue, content: Bytes) -> Self {
        let hash = Sha256::digest(&content);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("{stem}.{hash}.{extension}"), content_type, content }
    }
}

impl Web {
    pub(super) fn asset(&self, name: &str) -> Reply {
        let mut files = self.pages.assets.files.iter();
        let asset = files.find(|asset| asset.name == name).ok_or(Problem::NotFound)?;
        Ok(self.outbound.asset(asset.content_type.clone(), asset.content.clone()))
    }
}
