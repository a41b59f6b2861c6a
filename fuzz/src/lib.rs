//! What must be true of any bytes, for the parts of passgate that read them first. Each function panics when it is not.
//!
//! What is private there is compiled here from its own files, which are pure.

#![allow(dead_code, unreachable_pub, unused_imports, reason = "of the files only what is fuzzed is used")]

mod address;
mod auth;
mod config;
mod domain;
mod headers;
#[path = "../../benches/measure/hot.rs"]
mod hot;
mod passkey;
mod proxy;
mod web;

pub use address::address;
pub use auth::cookie;
pub use config::config;
pub use headers::headers;
pub use passkey::passkey;
pub use passgate::store::fuzzing::record;
pub use proxy::{body, head};
pub use web::form;

/// The canonical form of a target is canonical, stays below the root, and says what its parts say.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(path) = domain::RequestPath::parse(text) else { return };
    let target = path.target().into_owned();
    let again = domain::RequestPath::parse(&target).expect("what is forwarded can be read");
    assert_eq!((again.decoded(), again.query()), (path.decoded(), path.query()));
    assert_eq!(again.target(), target);
    assert!(path.decoded().starts_with('/') && !path.decoded().contains("//"));
    assert!(!path.decoded().split('/').any(|segment| segment == ".." || segment == "."));
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
}

/// Wherever a form says to go on, browsers stay on the site.
pub fn return_to(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let site = url::Url::parse("https://forum.example/.passgate/login").expect("it is one");
    let target = domain::ReturnTo::parse(text, "/.passgate").to_string();
    let followed = site.join(&target).expect("a browser can follow it");
    assert_eq!(followed.origin(), site.origin(), "{target:?}");
    assert!(!target.contains(['\r', '\n', '\\']), "{target:?}");
}
