use std::fs;

use super::*;
use crate::web::refusal::Problem;
use crate::web::{Audience, without_body};

/// Fields that every answer carries once.
const ALWAYS: [&str; 10] = [
    "cache-control",
    "content-length",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

#[tokio::test]
async fn web_04_web_05_every_answer_carries_the_security_headers_once() {
    let site = Site::with_alice().await;
    let mut member = site.signed_in("alice").await;
    let style = asset(&site, ".css").await;
    let mut answers =
        vec![site.browser().sign_in("alice", "wrong").await, site.browser().post("/x", &[]).await];
    for target in
        ["", "/login", "/logout", "/account", "/setup", "/nothing", "/a%2fb", "/account/end-session", &style]
    {
        let target = if target.starts_with("/.") { target.to_owned() } else { format!("/.passgate{target}") };
        answers.push(site.browser().get(&target).await);
        answers.push(member.get(&target).await);
    }
    answers.extend(
        [Audience::Page, Audience::Script]
            .map(|audience| Answer(site.web.problem(Problem::UnknownHost, audience, &nobody()))),
    );
    for answer in &answers {
        for name in ALWAYS {
            assert!(!answer.header(name).is_empty());
        }
        assert_eq!(answer.header("content-length"), answer.0.body().len().to_string());
        assert!(!answer.headers().contains_key("content-encoding"));
        assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")), "WEB-07");
        let policy = answer.header("content-security-policy");
        for directive in
            ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(directive), "{directive}");
        }
        assert!(!policy.contains("unsafe"));
    }
    let statuses: std::collections::BTreeSet<u16> =
        answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(Vec::from_iter(statuses), [200, 303, 400, 404, 405, 410, 421, 422]);
}

async fn asset(site: &Site, extension: &str) -> String {
    let page = site.browser().get("/.passgate/login").await.text().replace("&#x2f;", "/");
    let name = page.split('"').find(|part| part.ends_with(extension));
    name.unwrap().to_owned()
}

#[tokio::test]
async fn assets_are_kept_for_good_under_the_hash_of_their_content() {
    let site = Site::new();
    let mut weight = site.browser().get("/.passgate/login").await.text().len();
    for (extension, content_type) in [
        (".css", "text/css; charset=utf-8"),
        (".js", "text/javascript; charset=utf-8"),
        (".svg", "image/svg+xml"),
    ] {
        let name = asset(&site, extension).await;
        let answer = site.browser().get(&name).await;
        assert_eq!((answer.status(), answer.header("content-type")), (StatusCode::OK, content_type));
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        weight += answer.text().len();
        let other = Site::with(PageOptions { accent: "#aa3300".to_owned(), ..options() }).unwrap();
        assert_eq!(asset(&other, extension).await == name, extension == ".js", "the accent is in the others");
    }
    assert!(weight < 20_000, "{weight} bytes for the sign-in page");
    for missing in
        ["passgate.css", "passgate.0000000000000000.css", "", "../login", "passgate.0000000000000000.css/"]
    {
        let answer = site.browser().get(&format!("/.passgate/assets/{missing}")).await;
        assert_ne!(answer.header("content-type"), "text/css; charset=utf-8");
    }
}

#[tokio::test]
async fn assets_are_compressed_for_those_who_say_that_they_can_read_it() {
    let site = Site::new();
    let name = asset(&site, ".css").await;
    let plain = site.browser().get(&name).await;
    assert_eq!(plain.header("vary"), "Accept-Encoding");
    for (accepts, is_gzip) in [
        ("gzip, deflate, br, zstd", true),
        ("br;q=1.0, GZIP ; q=0.5", true),
        ("gzip;q=0", false),
        ("gzip;q=0.000, br", false),
        ("br, deflate", false),
        ("xgzip", false),
        ("", false),
    ] {
        let answer = site.browser().send(Request::get(&name).header("accept-encoding", accepts)).await;
        let body = answer.0.body();
        assert_eq!(answer.headers().contains_key("content-encoding"), is_gzip, "{accepts}");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert_eq!(answer.header("content-length"), body.len().to_string());
        if is_gzip {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body[..]), &mut text).unwrap();
            assert_eq!(text, plain.text());
            assert!(body.len() * 2 < text.len(), "{} of {}", body.len(), text.len());
        }
    }
    let page = site.browser().send(Request::get("/.passgate/login").header("accept-encoding", "gzip")).await;
    assert!(!page.headers().contains_key("content-encoding"), "what holds a secret is not compressed");
}

#[tokio::test]
async fn head_answers_as_get_does_without_the_content() {
    let site = Site::new();
    let get = site.browser().get("/.passgate/setup").await;
    let head = site.browser().send(Request::head("/.passgate/setup")).await;
    assert_eq!((head.status(), head.headers()), (get.status(), get.headers()));
    assert!(head.text().is_empty());
    let problem = without_body(site.web.problem(Problem::Busy, Audience::Page, &nobody()));
    assert!(problem.body().is_empty() && problem.headers()["content-length"] != "0");
}

#[tokio::test]
async fn hsts_is_for_sites_reached_over_tls() {
    let site = Site::new();
    let mut plain = Site::new();
    plain.web.outbound = super::super::response::Outbound::new(None, &[]);
    assert_eq!(
        site.browser().get("/.passgate/login").await.header("strict-transport-security"),
        "max-age=31536000"
    );
    assert!(
        !plain.browser().get("/.passgate/login").await.headers().contains_key("strict-transport-security")
    );
}

fn with_template(name: &str, source: &str) -> (tempfile::TempDir, Result<Site, PagesError>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), source).unwrap();
    fs::write(folder.path().join("notes.txt"), "{% not a template").unwrap();
    let site = Site::with(PageOptions { templates: Some(folder.path().to_owned()), ..options() });
    (folder, site)
}

#[tokio::test]
async fn a_template_of_ones_own_replaces_the_embedded_one_and_is_escaped_all_the_same() {
    let (_folder, site) = with_template("login.html", "<p>{{ site.name }}: {{ page.username }}</p>");
    let mut browser = site.as_ref().unwrap().browser();
    assert_eq!(browser.get("/.passgate/login").await.text(), "<p>The Teapot Forum: </p>");
    let (_folder, site) = with_template("problem.html", "{% include 'own.html' %}");
    let error = site.err().unwrap().to_string();
    assert!(error.contains("problem.html, line 1:") && error.contains("own.html"), "{error}");
}

#[tokio::test]
async fn a_template_with_a_mistake_fails_at_start_and_says_where() {
    for (source, line, reason) in [
        ("\n\n{% if page.csrf %}", 3, "end of input"),
        ("\n{{ page.nonsense }}", 2, "undefined"),
        ("\n{{ page.csrf|nonsense }}", 2, "nonsense"),
        ("{% if page.trouble == 'refused' %}\n\n{{ nonsense }}{% endif %}", 3, "undefined"),
    ] {
        let (folder, site) = with_template("login.html", source);
        let error = site.err().unwrap().to_string();
        let place = format!("{}, line {line}: ", folder.path().join("login.html").display());
        assert!(error.starts_with(&place) && error.contains(reason), "{error}");
    }
    let (_folder, site) = with_template("base.html", "\n{{ member.nonsense }}{% block main %}{% endblock %}");
    assert!(site.err().unwrap().to_string().contains("base.html, line 2: "));
}

#[test]
fn a_missing_folder_and_a_colour_that_is_none_are_told() {
    let missing = Site::with(PageOptions { templates: Some("/does/not/exist".into()), ..options() });
    assert!(missing.err().unwrap().to_string().starts_with("can't read /does/not/exist: "));
    let colour = Site::with(PageOptions { accent: "blue".to_owned(), ..options() });
    assert_eq!(
        colour.err().unwrap().to_string(),
        "`blue` is not a colour; write it as #rrggbb, like #2f5d8a"
    );
}

#[tokio::test]
async fn the_sites_own_logo_stands_on_the_pages() {
    let site = Site::with(PageOptions { logo: Some("/images/logo.png".to_owned()), ..options() }).unwrap();
    let page = site.browser().get("/.passgate/login").await;
    assert!(page.text().contains("<img src=\"&#x2f;images&#x2f;logo.png\""));
}
