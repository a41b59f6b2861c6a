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
/// SECURITY: P7. A web server runs `/ucp.php/x.css` as `ucp.php`. So a rule that opens `/**/*.css` must not open that, and
/// one that closes `/ucp.php` has to close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcards {
    /// Any segment; and a pattern that ends at a script means whatever is written behind that script too.
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
    ///
    /// Cost: path segments times pattern segments at worst, whatever the path; no recursion, no allocation.
    pub fn matches(&self, path: &str, wildcards: Wildcards) -> bool {
        let Some(rest) = path.strip_prefix('/') else { return false };
        let (mut pattern, mut rest) = (&self.segments[..], Some(rest));
        // The last `**` so far: the pattern after it, and the path it has not taken yet. An earlier one need not be
        // gone back to, since nothing it could take more of would leave more to the later ones.
        let mut deep: Option<(&[Segment], &str)> = None;
        loop {
            let stepped = match (pattern.split_first(), rest) {
                (None, None) => return true,
                (Some((Segment::AnyDepth, [])), _) => return true,
                (Some((Segment::AnyDepth, later)), Some(path)) => {
                    deep = Some((later, path));
                    Some((later, rest))
                }
                (Some((segment, later)), Some(path)) => {
                    let (head, tail) = split(path);
                    let takes = segment.takes(head, tail, wildcards);
                    if takes && later.is_empty() && wildcards == Wildcards::MatchScripts && is_script(head) {
                        return true;
                    }
                    takes.then_some((later, tail))
                }
                _ => None,
            };
            (pattern, rest) = match (stepped, deep) {
                (Some(next), _) => next,
                (None, None) => return false,
                (None, Some((later, path))) => {
                    let (head, tail) = split(path);
                    let Some(tail) = tail.filter(|_| !is_closed(head, tail, wildcards)) else { return false };
                    deep = Some((later, tail));
                    (later, Some(tail))
                }
            };
        }
    }
}

impl Segment {
    fn takes(&self, head: &str, tail: Option<&str>, wildcards: Wildcards) -> bool {
        match self {
            Self::Literal(name) => head == name,
            Self::Glob(pieces) => glob(pieces, head) && !is_closed(head, tail, wildcards),
            Self::AnyDepth => false,
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

/// A path's first segment, and what follows its slash.
fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(head, tail)| (head, Some(tail)))
}

/// Whether a wildcard must not stand for this segment.
fn is_closed(head: &str, tail: Option<&str>, wildcards: Wildcards) -> bool {
    wildcards == Wildcards::SkipScripts && tail.is_some() && is_script(head)
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
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(path, Wildcards::MatchScripts)
    }

    #[test]
    fn patterns_match_by_whole_segments_and_letter_case() {
        for (pattern, yes, no) in [
            ("/", vec!["/"], vec!["/x", "//"]),
            ("/index.php", vec!["/index.php"], vec!["/index.phpx", "/INDEX.php", "/a/index.php"]),
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
    fn p7_a_closing_pattern_for_a_script_means_what_is_written_behind_it_too() {
        for pattern in ["/ucp.php", "/*.php", "/**/ucp.php", "/ucp*"] {
            let pattern = PathPattern::parse(pattern).unwrap();
            for path in ["/ucp.php/", "/ucp.php/x.css", "/ucp.php/x/y"] {
                assert!(pattern.matches(path, Wildcards::MatchScripts), "{pattern:?} {path}");
                assert!(!pattern.matches(path, Wildcards::SkipScripts), "{pattern:?} {path}");
            }
        }
        assert!(!matches("/ucp", "/ucp/x") && !matches("/a/ucp.php", "/ucp.php/x"));
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

    #[test]
    fn a_path_of_very_many_segments_costs_neither_the_stack_nor_much_time() {
        let long = "/a".repeat(500_000);
        for pattern in ["/**/*.css", "/**/x", "/a/**/a/b"] {
            assert!(!matches(pattern, &long), "{pattern}");
        }
        let long = "/a".repeat(3_000);
        assert!(!matches("/**/a/**/a/**/a/**/a/**/b", &long));
        assert!(matches("/**/a/**/a/**/a/**/a/**/a", &long));
    }

    /// The definition, tried out in all ways.
    fn defined(pattern: &[Segment], rest: Option<&str>, wildcards: Wildcards) -> bool {
        match (pattern.split_first(), rest) {
            (None, _) => rest.is_none(),
            (Some((Segment::AnyDepth, [])), _) => true,
            (_, None) => false,
            (Some((Segment::AnyDepth, later)), Some(path)) => {
                let (head, tail) = split(path);
                defined(later, rest, wildcards)
                    || tail.is_some()
                        && !is_closed(head, tail, wildcards)
                        && defined(pattern, tail, wildcards)
            }
            (Some((segment, later)), Some(path)) => {
                let (head, tail) = split(path);
                let ends_at_script =
                    later.is_empty() && wildcards == Wildcards::MatchScripts && is_script(head);
                segment.takes(head, tail, wildcards) && (ends_at_script || defined(later, tail, wildcards))
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn p7_matching_in_one_go_is_matching_as_defined(
            pattern in "(/(\\*\\*|\\*|a|a\\.php|\\*\\.php|b)){1,7}/?",
            path in "(/(a|b|a\\.php|c)){1,9}/?",
        ) {
            let pattern = PathPattern::parse(&pattern).expect("a pattern");
            for wildcards in [Wildcards::MatchScripts, Wildcards::SkipScripts] {
                let expected = defined(&pattern.segments, path.strip_prefix('/'), wildcards);
                prop_assert_eq!(pattern.matches(&path, wildcards), expected);
            }
        }
    }
}
