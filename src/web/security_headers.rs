//! The header fields that every response of ours carries, each once (SECURITY: WEB-04, WEB-05, R2).

use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// No inline script or style, nothing from or to elsewhere, no frame around us. Pictures may come from this origin, for the
/// site's own logo.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; object-src 'none'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), midi=(), payment=(), \
    publickey-credentials-create=(self), publickey-credentials-get=(self), serial=(), usb=()";

/// Names and values for every response.
///
/// `strict-origin` keeps the path and query of our addresses, and with them a set-up link's token, from everyone, this
/// site's own application included. The still stricter `no-referrer` would make browsers post our forms with
/// `Origin: null` (Fetch §3.2), which we refuse.
const FIELDS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (REFERRER_POLICY, "strict-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Crawlers have no business on sign-in and account pages.
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// Writes the fields into a response; `hsts` is there where browsers reach us over TLS.
pub(super) fn apply(headers: &mut HeaderMap, hsts: Option<&HeaderValue>) {
    for (name, value) in FIELDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(hsts) = hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}
