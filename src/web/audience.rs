//! Who reads the answer: a person, who is shown a page or sent to one, or a program, which gets a status and JSON.

use http::header::ACCEPT;
use http::{HeaderMap, Method};

/// Who reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person: the browser goes to this address.
    Page,
    /// A program: a script of a page, an image, a feed reader, an API client.
    Script,
}

impl Audience {
    /// Judges by what browsers say of themselves (`Sec-Fetch-*`, Fetch Metadata), else by `Accept` and
    /// `X-Requested-With`. Nothing depends on it but the form of an answer.
    pub fn of(headers: &HeaderMap, method: &Method) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_page = match (text("sec-fetch-mode"), text("sec-fetch-dest")) {
            _ if !matches!(*method, Method::GET | Method::HEAD | Method::POST) => false,
            (Some("navigate"), dest) => !matches!(dest, Some("embed" | "object")),
            (None, Some(dest)) => matches!(dest, "document" | "frame" | "iframe"),
            (Some(_), _) => false,
            (None, None) => accepts_html(headers) && !text("x-requested-with").is_some_and(is_script),
        };
        if is_page { Self::Page } else { Self::Script }
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let is_html = |range: &str| {
        let media = range.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("text/html")
    };
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(is_html))
}

/// Script libraries say `XMLHttpRequest` or a word of their own; the web view of an Android app puts the app's dotted
/// name on the pages it loads.
fn is_script(requested_with: &str) -> bool {
    !requested_with.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, fields: &[(&'static str, &str)]) -> Audience {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Audience::of(&headers, &method)
    }

    #[test]
    fn a_page_load_is_for_a_person_and_all_else_for_a_program() {
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let navigate = ("sec-fetch-mode", "navigate");
        for (who, fields, expected) in [
            ("page load", vec![navigate, ("sec-fetch-dest", "document"), html], Audience::Page),
            ("page load in a frame", vec![navigate, ("sec-fetch-dest", "iframe"), html], Audience::Page),
            ("page load, any accept", vec![navigate, ("accept", "*/*")], Audience::Page),
            (
                "page load in an app",
                vec![navigate, html, ("x-requested-with", "org.forum.app")],
                Audience::Page,
            ),
            ("plug-in", vec![navigate, ("sec-fetch-dest", "object"), html], Audience::Script),
            ("fetch", vec![("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), html], Audience::Script),
            ("image", vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], Audience::Script),
            ("style", vec![("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "style")], Audience::Script),
            ("socket", vec![("sec-fetch-mode", "websocket"), html], Audience::Script),
            ("destination alone", vec![("sec-fetch-dest", "document")], Audience::Page),
            ("destination alone, image", vec![("sec-fetch-dest", "image"), html], Audience::Script),
            ("older browser", vec![html], Audience::Page),
            (
                "older browser, two fields",
                vec![("accept", "image/png"), ("accept", "TEXT/HTML;q=0.9")],
                Audience::Page,
            ),
            ("older web view", vec![html, ("x-requested-with", "org.forum.app")], Audience::Page),
            ("older script", vec![html, ("x-requested-with", "XMLHttpRequest")], Audience::Script),
            ("older script, other word", vec![html, ("x-requested-with", "fetch")], Audience::Script),
            ("older image", vec![("accept", "image/webp,*/*")], Audience::Script),
            ("feed reader", vec![("accept", "application/rss+xml, text/xml;q=0.9")], Audience::Script),
            ("API client", vec![("accept", "application/json")], Audience::Script),
            ("command line", vec![("accept", "*/*")], Audience::Script),
            ("look-alike", vec![("accept", "text/html-sandboxed")], Audience::Script),
            ("nothing said", vec![], Audience::Script),
        ] {
            assert_eq!(of(Method::GET, &fields), expected, "{who}");
            assert_eq!(of(Method::POST, &fields), expected, "{who}, posted");
        }
    }

    #[test]
    fn no_browser_goes_to_a_page_with_another_method() {
        assert_eq!(of(Method::PUT, &[("accept", "text/html")]), Audience::Script);
        assert_eq!(of(Method::OPTIONS, &[("sec-fetch-mode", "navigate")]), Audience::Script);
    }
}
