//! Turns templates into answers: the frame every page has, the cookies a new visitor gets, gzip for who asks for it.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, EXPIRES, HeaderName, LOCATION, PRAGMA, SET_COOKIE, VARY,
};
use http::{HeaderMap, StatusCode};
use minijinja::{Environment, Value, context};

use super::body::Body;
use super::reply::{Answer, Trouble, add, answer};
use super::unix_now;
use super::visit::{SESSION_COOKIE, Visit, Visitor};

const HTML: &str = "text/html; charset=utf-8";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

const TEMPLATES: [(&str, &str); 11] = [
    ("board.html", include_str!("../../assets/sample/board.html")),
    ("feed.xml", include_str!("../../assets/sample/feed.xml")),
    ("index.html", include_str!("../../assets/sample/index.html")),
    ("layout.html", include_str!("../../assets/sample/layout.html")),
    ("login.html", include_str!("../../assets/sample/login.html")),
    ("message.html", include_str!("../../assets/sample/message.html")),
    ("moved.html", include_str!("../../assets/sample/moved.html")),
    ("posting.html", include_str!("../../assets/sample/posting.html")),
    ("search.html", include_str!("../../assets/sample/search.html")),
    ("topic.html", include_str!("../../assets/sample/topic.html")),
    ("whoami.html", include_str!("../../assets/sample/whoami.html")),
];

/// The forum's templates. Names end in `.html` or `.xml`, so everything put into them is escaped.
pub(super) struct Pages(Environment<'static>);

impl Pages {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.add_filter("date", |seconds: u64| http_date(seconds));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    pub(super) fn render(&self, template: &str, values: Value) -> Result<String, minijinja::Error> {
        self.0.get_template(template)?.render(values)
    }
}

/// A page of the forum, in its frame.
pub(super) fn show(
    visit: &Visit<'_>,
    status: StatusCode,
    title: &str,
    template: &str,
    values: Value,
) -> Answer {
    framed(visit, status, title, "", template, values)
}

/// The page after something was done: it says so with status 200 and lets `<meta>` lead on, as forums of the time did.
pub(super) fn moved(visit: &Visit<'_>, to: &str, text: &str) -> Answer {
    framed(visit, StatusCode::OK, "Redirecting", to, "moved.html", context! { to, text })
}

/// The page for what went wrong.
pub(super) fn trouble(visit: &Visit<'_>, trouble: &Trouble) -> Answer {
    show(visit, trouble.status, "Message", "message.html", context! { text => trouble.text })
}

/// A `Location` answer, for the few places that had one even then.
pub(super) fn redirect(to: &str) -> Answer {
    let mut answer = answer(StatusCode::FOUND, HTML, Body::empty());
    add(&mut answer, LOCATION, to);
    answer
}

/// Seconds since 1970 as a date of HTTP.
pub(super) fn http_date(seconds: u64) -> String {
    // Cut off at the year 9999, beyond which there is no such date.
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799)))
}

fn framed(
    visit: &Visit<'_>,
    status: StatusCode,
    title: &str,
    refresh: &str,
    template: &str,
    values: Value,
) -> Answer {
    let pages = &visit.forum.pages;
    let Visitor { name, full_name, known_by } = &visit.visitor;
    let visitor = context! { name => name.as_str(), full_name => full_name.as_str(), known_by => *known_by };
    let html = pages
        .render(template, context! { visitor => visitor.clone(), token => visit.token(), ..values })
        .and_then(|content| {
            let content = Value::from_safe_string(content);
            pages.render("layout.html", context! { visitor, token => visit.token(), title, refresh, content })
        });
    match html {
        Ok(html) => page(visit, status, html.into()),
        Err(error) => {
            let text = format!("the page {template} can't be made: {error}\n");
            answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Body::sized(text))
        }
    }
}

/// An answer as PHP's output buffering makes it: chunked, never to be kept, with cookies for a new visitor.
fn page(visit: &Visit<'_>, status: StatusCode, html: Bytes) -> Answer {
    let packed = takes_gzip(&visit.parts.headers).then(|| gzip(&html)).flatten();
    let mut answer = answer(status, HTML, Body::chunked().then(packed.clone().unwrap_or(html)));
    if packed.is_some() {
        add(&mut answer, CONTENT_ENCODING, "gzip");
    }
    add(&mut answer, VARY, "Accept-Encoding");
    add(&mut answer, EXPIRES, "Thu, 19 Nov 1981 08:52:00 GMT");
    add(&mut answer, CACHE_CONTROL, "no-store, no-cache, must-revalidate");
    add(&mut answer, PRAGMA, "no-cache");
    add(&mut answer, HeaderName::from_static("x-powered-by"), "Sample Forum 1.0.8");
    if visit.is_new {
        greet(&mut answer, &visit.session);
    }
    answer
}

fn greet(answer: &mut Answer, session: &str) {
    let now = unix_now();
    let expires = http_date(now + YEAR.as_secs());
    add(answer, SET_COOKIE, &format!("{SESSION_COOKIE}={session}; path=/; HttpOnly"));
    add(answer, SET_COOKIE, &format!("sample[lastvisit]={now}; expires={expires}; path=/"));
    add(answer, SET_COOKIE, &format!("sample[read]=1|50%7C2%3D%3D; expires={expires}; path=/"));
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lines.any(|line| {
        line.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = weight.trim().trim_start_matches("q=").parse() == Ok(0.0_f32);
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
    })
}

fn gzip(html: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(html).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_only_for_who_takes_it() {
        let takes =
            |line: &str| takes_gzip(&[(ACCEPT_ENCODING, line.parse().unwrap())].into_iter().collect());
        assert!(takes("gzip, deflate, br"));
        assert!(takes("br;q=1, GZIP;q=0.5"));
        assert!(!takes("gzip;q=0"));
        assert!(!takes("gzip; q=0.000, br"));
        assert!(!takes("identity"));
    }

    #[test]
    fn every_template_is_well_formed() {
        Pages::new().unwrap();
    }
}
