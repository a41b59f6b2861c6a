//! Where a browser may be sent after sign-in or sign-out: a path on this origin, never anything else
//! (SECURITY: R1, WEB-03).

use std::fmt;

use super::RequestPath;

/// A target on this origin, in canonical form. The only constructor falls back to `/`, so an open redirect can't be
/// expressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Longer targets are cut to `/`: they would not fit a link.
    pub const MAX_BYTES: usize = 2_048;

    /// The front page.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Reads a target that came from outside. Whatever a browser could take for another origin becomes `/`, and so does
    /// a page below `our_prefix`, which would lead back to the sign-in page; a member's own pages are the exception.
    pub fn parse(text: &str, our_prefix: &str) -> Self {
        Self::exactly(text, our_prefix).unwrap_or_else(Self::home)
    }

    /// Reads a target that must not become another one; none where [`ReturnTo::parse`] would fall back to `/`.
    pub fn exactly(text: &str, our_prefix: &str) -> Option<Self> {
        let second = text.as_bytes().get(1);
        if text.len() > Self::MAX_BYTES || matches!(second, Some(b'/' | b'\\')) || text.contains('\\') {
            return None;
        }
        let path = RequestPath::parse(text).ok()?;
        match path.below(our_prefix) {
            Some(ours) if ours != "/account" && !ours.starts_with("/account/") => None,
            _ => Some(Self(path.target().into_owned())),
        }
    }

    /// The target, to be written into a `Location` field.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn parse(text: &str) -> String {
        ReturnTo::parse(text, "/.passgate").0
    }

    #[test]
    fn pages_of_this_origin_are_returned_to() {
        for good in [
            "/",
            "/viewtopic.php?t=5&p=7",
            "/index.php?topic=2.0;x",
            "/.passgate/account",
            "/.passgate/account/x?y=z",
            "/a%20b",
        ] {
            assert_eq!(parse(good), good);
        }
        assert_eq!(parse("/x/../y?u=//evil.example"), "/y?u=//evil.example");
    }

    #[test]
    fn web_03_r1_nothing_in_the_hostile_list_leaves_the_origin() {
        let base = Url::parse("https://forum.example/.passgate/login").unwrap();
        let list = include_str!("../../tests/fixtures/open_redirects.txt");
        let mut count = 0;
        for line in list.lines().filter(|line| !line.starts_with("## ")) {
            let hostile = unescape(line);
            let target = parse(&hostile);
            let resolved = base.join(&target).unwrap();
            assert_eq!(resolved.origin(), base.origin(), "{line}");
            assert!(
                !target.starts_with("//") && !target.contains(['\\', '\t', '\n', '\r', '#', ' ']),
                "{line}"
            );
            count += 1;
        }
        assert!(count >= 500, "{count} targets");
    }

    /// The list writes control characters as `\t`, `\r`, `\n`, `\0` and a backslash as `\\`.
    fn unescape(line: &str) -> String {
        let mut text = String::new();
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some('t')) => text.push('\t'),
                ('\\', Some('r')) => text.push('\r'),
                ('\\', Some('n')) => text.push('\n'),
                ('\\', Some('0')) => text.push('\0'),
                ('\\', Some(other)) => text.push(other),
                (c, _) => text.push(c),
            }
        }
        text
    }

    #[test]
    fn signing_in_never_leads_back_to_the_sign_in_page() {
        for ours in [
            "/.passgate/login",
            "/x/../.passgate/logout",
            "/.passgate",
            "/.passgate/accounts",
            "/.passgate/account/../login",
        ] {
            assert_eq!(parse(ours), "/", "{ours}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn web_03_no_text_at_all_leaves_the_origin(text in "[/\\\\.:@?#%a-z0-9\\t\\n ]{0,24}|\\PC{0,24}") {
            let base = Url::parse("https://forum.example/.passgate/login").expect("a URL");
            let resolved = base.join(&parse(&text)).expect("a target");
            prop_assert_eq!(resolved.origin(), base.origin());
        }
    }
}
