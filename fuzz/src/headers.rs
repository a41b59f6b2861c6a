//! Of `src/proxy` what takes fields out of requests (HDR-01, HDR-02).

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::hot::Hot;

thread_local! {
    static HOT: Hot = Hot::new();
}

/// What an application could take for a word on who is there or where from, in letters and digits alone.
const MEANT: [&str; 14] = [
    "remoteuser",
    "remotename",
    "remoteemail",
    "remotegroups",
    "xgatewaysecret",
    "forwarded",
    "xrealip",
    "trueclientip",
    "cfconnectingip",
    "via",
    "xoriginalurl",
    "xrewriteurl",
    "xhttpmethodoverride",
    "proxy",
];

fn folded(name: &HeaderName) -> String {
    name.as_str().chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn is_meant(name: &HeaderName) -> bool {
    let name = folded(name);
    MEANT.contains(&&*name) || name.starts_with("xforwarded")
}

/// Lines are fields. However it is spelled, nothing that says who is there gets through, and what says nothing of the kind does.
pub fn headers(data: &[u8]) {
    let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
    for line in data.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..at], line.get(at + 1..).unwrap_or_default());
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else { continue };
        if request.append_header(name, value).is_err() {
            return;
        }
    }
    let before = request.headers.clone();
    HOT.with(|hot| hot.sanitise(&mut request, &hot.permit()));
    for (name, value) in &request.headers {
        assert!(!is_meant(name) && name != AUTHORIZATION, "{name:?}");
        assert!(before.get_all(name).iter().any(|sent| sent == value) || name == COOKIE, "{name:?} is made up");
        if name == COOKIE {
            let mut names = value.as_bytes().split(|byte| *byte == b';').map(|pair| pair.trim_ascii_start().to_ascii_lowercase());
            assert!(!names.any(|pair| pair.starts_with(b"__host-passgate=")), "{value:?}");
        }
    }
    // Everything else is there as often as before; `Remote-Addr` and the like are more than the names above.
    for name in ["accept", "host", "user-agent", "x-requested-with", "remote-users", "xforward", "content-type"] {
        assert!(request.headers.get_all(name).iter().eq(before.get_all(name)), "{name}");
    }
}
