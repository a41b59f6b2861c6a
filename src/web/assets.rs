//! The few files our pages load. Their names hold a hash of their content, so that browsers may keep them for good; they
//! are compressed once, at start. Nothing in them is secret, so that tells nobody anything.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::palette::Palette;
use super::response::Reply;
use super::{Problem, Web};
use crate::domain::hex;

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
    /// None if that would not make it smaller.
    gzip: Option<Bytes>,
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
        let hash = hex(&hash[..8]);
        let gzip = compressed(&content).filter(|gzip| gzip.len() < content.len());
        Self { name: format!("{stem}.{hash}.{extension}"), content_type, content, gzip }
    }
}

fn compressed(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    Some(encoder.finish().ok()?.into())
}

/// Whether a client takes gzip, by name (RFC 9110, §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let is_zero = |weight: &str| {
        let (name, value) = weight.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0_f32)
    };
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !is_zero(weight)
    })
}

impl Web {
    pub(super) fn asset(&self, name: &str, headers: &HeaderMap) -> Reply {
        let mut files = self.pages.assets.files.iter();
        let asset = files.find(|asset| asset.name == name).ok_or(Problem::NotFound)?;
        let gzip = asset.gzip.as_ref().filter(|_| takes_gzip(headers));
        let content = gzip.unwrap_or(&asset.content);
        let mut response = self.outbound.asset(asset.content_type.clone(), content.clone());
        let fields = response.headers_mut();
        fields.insert(VARY, const { HeaderValue::from_static("Accept-Encoding") });
        if gzip.is_some() {
            fields.insert(CONTENT_ENCODING, const { HeaderValue::from_static("gzip") });
        }
        Ok(response)
    }
}
