//! Names and values out of a query, a form or a cookie line, read as loosely as PHP does.

/// Decoded pairs in the order they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A query: `&` and `;` both separate.
    pub(super) fn of_query(query: &str) -> Self {
        Self(
            query
                .split(['&', ';'])
                .flat_map(|pair| form_urlencoded::parse(pair.as_bytes()))
                .map(own)
                .collect(),
        )
    }

    /// An urlencoded body: only `&` separates.
    pub(super) fn of_form(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).map(own).collect())
    }

    /// The `Cookie` lines of a request; values are percent-decoded.
    pub(super) fn of_cookies(headers: &http::HeaderMap) -> Self {
        let mut fields = Self::default();
        for line in headers.get_all(http::header::COOKIE) {
            for pair in line.as_bytes().split(|byte| *byte == b';') {
                let text = percent_encoding::percent_decode(pair.trim_ascii()).decode_utf8_lossy();
                let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                fields.add(name, value);
            }
        }
        fields
    }

    /// Adds a pair at the end.
    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The value of the last pair of this name, as PHP takes it; empty if there is none.
    pub(super) fn last(&self, name: &str) -> &str {
        self.0.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The value of this name as a number; 0 if it is none, as PHP's `intval`.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.last(name).trim().parse().unwrap_or(0)
    }

    /// Whether any pair has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

fn own((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_separated_by_semicolons_as_well_as_ampersands() {
        let fields = Fields::of_query("t=1;start=15&x[]=a%7Cb;t=2;flag");
        assert_eq!(fields.number("start"), 15);
        assert_eq!(fields.last("x[]"), "a|b");
        assert_eq!(fields.number("t"), 2, "the last of a name counts");
        assert!(fields.has("flag"));
        assert_eq!(fields.number("nothing"), 0);
    }

    #[test]
    fn a_form_keeps_its_semicolons() {
        assert_eq!(Fields::of_form(b"message=a;b+c&x=1").last("message"), "a;b c");
    }

    #[test]
    fn cookies_of_all_lines_are_read_and_decoded() {
        let mut headers = http::HeaderMap::new();
        headers.append("cookie", "sample[lastvisit]=12; sample_user=2%7Cabc".parse().unwrap());
        headers.append("cookie", "track=1|2".parse().unwrap());
        let cookies = Fields::of_cookies(&headers);
        assert_eq!(cookies.last("sample[lastvisit]"), "12");
        assert_eq!(cookies.last("sample_user"), "2|abc");
        assert_eq!(cookies.last("track"), "1|2");
    }
}
