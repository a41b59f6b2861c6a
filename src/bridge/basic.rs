//! HTTP Basic as a way of naming a member, for a forum that was told to believe it (phpBB's `auth_method = apache`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// The `Authorization` field that names a member, in the forum's own spelling. The password is no secret: any will do.
///
/// None for a name that can't be written that way (RFC 7617 §2): the forum would read another one.
pub fn basic_authorization(name: &str) -> Option<HeaderValue> {
    if name.is_empty() || name.chars().any(|c| c == ':' || c.is_control()) {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{name}:x")))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_in_utf_8_and_nobody_else_can_be() {
        assert_eq!(basic_authorization("alice").unwrap(), "Basic YWxpY2U6eA==");
        assert_eq!(basic_authorization("Zoë").unwrap(), "Basic Wm/Dqzp4");
        for bad in ["", "admin:", ":x", "a\nb", "a\0"] {
            assert_eq!(basic_authorization(bad), None, "{bad:?}");
        }
    }
}
