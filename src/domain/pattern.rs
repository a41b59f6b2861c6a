//! Path patterns of access rules: literal by default, `*` inside a segment, `**` for any number of segments.

/// A path pattern. Matches whole canonical, decoded paths, by letter case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// It has to begin with a slash.
    #[error("does not begin with a slash")]
    NoSlash,
    /// `**` stands for whole segments only, `/a**` means nothing.
    #[error("has `**` within a segment; write `/**`")]
    StarsInSegment,
    /// Something a canonical path never holds, so that the pattern could never match.
    #[error("holds `//`, a dot segment, `%`, `?`, `#`, `;` or a backslash, which no canonical path has")]
    NeverMatches,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// Pieces between the stars; the first and last anchor at the ends.
    Glob(Vec<String>),
    AnyDepth,
}

/// Whether wildcards may stand for a script's name.
///
/// SECURITY: P7. A web server runs `/ucp.php/x.css` as `ucp.php`. A rule that opens `/**/*.css` must not open that, one
/// that closes it may well match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcards {
    /// Any segment.
    MatchScripts,
    /// No segment with a script's extension, if the pattern goes on after it.
    SkipScripts,
}

impl PathPattern {
    /// Reads a pattern such as `/adm/**`, `/styles/*.css` or `/index.php`.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let rest = text.strip_prefix('/').ok_or(InvalidPattern::NoSlash)?;
        let forbidden = |c: char| c.is_control() || "%?#;\\".contains(c);
        if text.contains("//") || text.contains(forbidden) || text.split('/').any(|s| s == "." || s == "..") {
            return Err(InvalidPattern::NeverMatches);
        }
        let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How closely it names a path: literal bytes first, then fewer wildcards. The greater is the better match.
    pub fn specificity(&self) -> (usize, isize) {
        let stars = self.text.matches('*').count();
        (self.text.len() - stars, -stars.cast_signed())
    }

    /// Whether `path` (canonical, decoded) is meant. A pattern ending in `/**` means the folder itself too, with or
    /// without its slash.
    pub fn matches(&self, path: &str, wildcards: Wildcards) -> bool {
        match path.strip_prefix('/') {
            Some(rest) => matches_from(&self.segments, Some(rest), wildcards),
            None => false,
        }
    }
}

fn segment(text: &str) -> Result<Segment, InvalidPattern> {
    match text {
        "**" => Ok(Segment::AnyDepth),
        _ if text.contains("**") => Err(InvalidPattern::StarsInSegment),
        _ if text.contains('*') => Ok(Segment::Glob(text.split('*').map(str::to_owned).collect())),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}

/// `rest` is what is left of the path after a slash, or none when its last segment is used up.
fn matches_from(pattern: &[Segment], rest: Option<&str>, wildcards: Wildcards) -> bool {
    let Some((first, later)) = pattern.split_first() else { return rest.is_none() };
    if matches!(first, Segment::AnyDepth) && later.is_empty() {
        return true;
    }
    let Some(rest) = rest else { return false };
    let (head, tail) = match rest.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (rest, None),
    };
    let opens_script = wildcards == Wildcards::SkipScripts && tail.is_some() && is_script(head);
    match first {
        Segment::Literal(name) => head == name && matches_from(later, tail, wildcards),
        Segment::Glob(pieces) => !opens_script && glob(pieces, head) && matches_from(later, tail, wildcards),
        Segment::AnyDepth => {
            matches_from(later, Some(rest), wildcards)
                || (!opens_script && tail.is_some() && matches_from(pattern, tail, wildcards))
        }
    }
}

/// Linear: each middle piece is taken at its first occurrence.
fn glob(pieces: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

/// Extensions that web servers commonly hand to an interpreter, letter case aside.
fn is_script(segment: &str) -> bool {
    const EXTENSIONS: [&str; 12] =
        ["php", "php3", "php4", "php5", "php7", "php8", "phtml", "phar", "cgi", "pl", "asp", "jsp"];
    segment.rsplit_once('.').is_some_and(|(_, extension)| {
        EXTENSIONS.iter().any(|script| extension.eq_ignore_ascii_case(script))
            || ["aspx", "py", "fcgi", "jspx", "do"]
                .iter()
                .any(|script| extension.eq_ignore_ascii_case(script))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(path, Wildcards::MatchScripts)
    }

    #[test]
    fn patterns_match_by_whole_segments_and_letter_case() {
        for (pattern, yes, no) in [
            ("/", vec!["/"], vec!["/x", "//"]),
            (
                "/index.php",
                vec!["/index.php"],
                vec!["/index.php/", "/index.phpx", "/INDEX.php", "/a/index.php"],
            ),
            ("/adm/**", vec!["/adm", "/adm/", "/adm/x", "/adm/x/y"], vec!["/admx", "/x/adm", "/Adm"]),
            ("/**", vec!["/", "/x", "/x/y/"], vec![]),
            ("/s/*.css", vec!["/s/a.css", "/s/.css"], vec!["/s/a.js", "/s/x/a.css", "/s/a.css/x"]),
            ("/a*b*c", vec!["/abc", "/axxbyyc"], vec!["/ab", "/acb", "/abcd"]),
            ("/*/x", vec!["/a/x"], vec!["/x", "/a/b/x"]),
            ("/**/x.css", vec!["/x.css", "/a/b/x.css"], vec!["/a/x.css/b"]),
            ("/dir/", vec!["/dir/"], vec!["/dir", "/dir/x"]),
        ] {
            yes.iter().for_each(|path| assert!(matches(pattern, path), "{pattern} {path}"));
            no.iter().for_each(|path| assert!(!matches(pattern, path), "{pattern} {path}"));
        }
    }

    #[test]
    fn p7_an_opening_wildcard_does_not_reach_through_a_script() {
        for pattern in ["/**/*.css", "/*/x.css", "/*.*/*.css"] {
            let pattern = PathPattern::parse(pattern).unwrap();
            assert!(!pattern.matches("/ucp.php/x.css", Wildcards::SkipScripts), "{pattern:?}");
            assert!(!pattern.matches("/ucp.PHP/x.css", Wildcards::SkipScripts), "{pattern:?}");
            assert!(pattern.matches("/ucp.php/x.css", Wildcards::MatchScripts), "{pattern:?}");
        }
        assert!(
            PathPattern::parse("/**/*.css").unwrap().matches("/styles/v1.2/x.css", Wildcards::SkipScripts)
        );
        assert!(PathPattern::parse("/index.php/*").unwrap().matches("/index.php/x", Wildcards::SkipScripts));
        assert!(
            PathPattern::parse("/download/**").unwrap().matches("/download/a.php/b", Wildcards::SkipScripts)
        );
    }

    #[test]
    fn patterns_that_could_never_match_are_refused() {
        for bad in
            ["", "adm", "/a**", "/a//b", "/a/../b", "/./a", "/a%20b", "/a?x=1", "/a;b", "/a\\b", "/a#b"]
        {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longer_name_is_the_better_match() {
        let rank = |pattern| PathPattern::parse(pattern).unwrap().specificity();
        assert!(rank("/adm/**") > rank("/**"));
        assert!(rank("/adm/index.php") > rank("/adm/**"));
        assert!(rank("/adm/x") > rank("/adm/x*"));
    }
}
