use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};
use pingora::http::{RequestHeader, ResponseHeader};

use super::*;
use crate::auth::Transport;
use crate::domain::{Host, HostPattern, PasskeyFor, Proof, RequestPath, Timestamp, UserId, UserName};
use crate::policy::{Decision, Policy, Presence, RequestFacts, Requirement};
use crate::proxy::fields::List;

fn identity_options(encoding: IdentityEncoding) -> IdentityOptions {
    IdentityOptions {
        user: HeaderName::from_static("remote-user"),
        name: HeaderName::from_static("remote-name"),
        email: HeaderName::from_static("remote-email"),
        groups: HeaderName::from_static("remote-groups"),
        encoding,
        secret: HeaderName::from_static("x-gateway-secret"),
        proof: None,
    }
}

fn rules(encoding: IdentityEncoding) -> HeaderRules {
    let cookies = Cookies::new(Transport::Tls, Duration::from_secs(60));
    let hsts = Some(HeaderValue::from_static("max-age=31536000"));
    HeaderRules::new(identity_options(encoding), cookies, hsts, Webauthn::Anyones)
}

pub(in crate::proxy) fn plain_rules() -> HeaderRules {
    rules(IdentityEncoding::Utf8)
}

fn alice(name: &str) -> Arc<Profile> {
    Arc::new(Profile {
        id: UserId([1; 16]),
        name: UserName::parse(name).unwrap(),
        full_name: None,
        email: None,
        groups: vec![Group::parse("admins").unwrap(), Group::parse("mods").unwrap()],
    })
}

/// Rewrites a request, and the same one where it is no map.
fn rewrite(rules: &HeaderRules, request: &mut RequestHeader, permit: &Permit) {
    let sent = request.headers.clone();
    rules.rewrite(request, permit);
    let mut list = List::of_map(&sent);
    rules.rewrite(&mut list, permit);
    assert_alike(&list, &request.headers);
}

/// The same with a response.
fn rewrite_response(rules: &HeaderRules, response: &mut ResponseHeader, permit: &Permit) {
    let (sent, status) = (response.headers.clone(), response.status);
    rules.rewrite_response(response, status, permit, Trust::Stranger).unwrap();
    let mut list = List::of_map(&sent);
    rules.rewrite_response(&mut list, status, permit, Trust::Stranger).unwrap();
    assert_alike(&list, &response.headers);
}

fn assert_alike(list: &List<'_>, map: &HeaderMap) {
    assert_eq!(list.iter().count(), map.len());
    for name in map.keys() {
        assert!(list.values(name).eq(map.get_all(name).iter().map(HeaderValue::as_bytes)), "{name}");
    }
}

/// A permit as policy gives it: for a guest route, with or without a member.
fn permit(member: Option<&Arc<Profile>>) -> Permit {
    let hosts = vec![HostPattern::parse("h").unwrap()];
    let policy = Policy::new(hosts, vec![Method::GET], "/.passgate".to_owned(), Requirement::Guest, vec![]);
    let facts = RequestFacts {
        host: &Host::parse("h").unwrap(),
        path: &RequestPath::parse("/").unwrap(),
        method: &Method::GET,
    };
    let now = Timestamp::from_millis(0);
    let presence = member.map(|profile| Presence {
        profile,
        proved_at: Some(now),
        proof: Proof::Password,
        passkey_for: PasskeyFor::default(),
    });
    match policy.decide(&facts, presence, now) {
        Decision::Forward(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn request(fields: &[(&str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in fields {
        request.append_header((*name).to_owned(), *value).unwrap();
    }
    request
}

fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

#[test]
fn hdr_01_no_spelling_of_a_managed_name_gets_through_on_any_route() {
    let rules = rules(IdentityEncoding::Percent);
    let separators = ["-", "_", ".", "", "!", "#", "$", "&", "'", "*", "+", "^", "`", "|", "~", "--", "-_"];
    let managed = [
        "remote user",
        "remote name",
        "remote email",
        "remote groups",
        "x forwarded for",
        "x forwarded protocol",
        "x forwarded email",
        "client ip",
        "x real ip",
        "proxy",
        "proxy authorization",
        "proxy authentication info",
        "proxy status",
    ];
    for name in managed {
        for separator in separators {
            for spelling in [name.to_owned(), name.to_uppercase(), format!(" {name} ")] {
                let alias = spelling.replace(' ', separator);
                let mut request = request(&[(&alias, "evil"), (&alias, "evil too"), ("Accept", "x")]);
                rewrite(&rules, &mut request, &permit(None));
                assert_eq!(request.headers.len(), 1, "{alias}");

                let mut request = self::request(&[(&alias, "evil")]);
                rewrite(&rules, &mut request, &permit(Some(&alice("alice"))));
                rules.write_identity(&mut request, &permit(Some(&alice("alice")))).unwrap();
                assert_eq!(all(&request.headers, "remote-user"), [b"alice"], "{alias}");
                assert!(request.headers.values().all(|value| value != "evil"), "{alias}");
            }
        }
    }
}

#[test]
fn h4_what_a_member_lacks_is_absent_and_never_the_clients() {
    let rules = rules(IdentityEncoding::Percent);
    let mut request = request(&[("Remote-Email", "evil@example.org")]);
    let permit = permit(Some(&alice("alice")));
    rewrite(&rules, &mut request, &permit);
    rules.write_identity(&mut request, &permit).unwrap();
    assert!(all(&request.headers, "remote-email").is_empty());
    assert_eq!(all(&request.headers, "remote-groups"), [b"admins,mods"]);
    assert_eq!(all(&request.headers, "remote-name"), [b"alice"]);
}

#[test]
fn hdr_04_names_outside_ascii_are_escaped_or_raw_utf_8_as_configured() {
    for (encoding, expected) in [
        (IdentityEncoding::Percent, "Zo%C3%AB 100%25, O'Neil".as_bytes()),
        (IdentityEncoding::Utf8, "Zoë 100%, O'Neil".as_bytes()),
    ] {
        let mut request = request(&[]);
        rules(encoding).write_identity(&mut request, &permit(Some(&alice("Zoë 100%, O'Neil")))).unwrap();
        assert_eq!(all(&request.headers, "remote-user"), [expected]);
    }
}

#[test]
fn hdr_08_authorization_proxy_and_our_cookie_do_not_reach_the_application() {
    let rules = rules(IdentityEncoding::Percent);
    let mut request = request(&[
        ("Authorization", "Basic YWRtaW46eA=="),
        ("Proxy", "http://evil"),
        ("Cookie", "mybb[lastvisit]=1; __Host-passgate=token"),
        ("Cookie", "__Host-passgate-form=x"),
        ("Cookie", "a=%7C|\"x y\""),
    ]);
    rewrite(&rules, &mut request, &permit(None));
    assert_eq!(all(&request.headers, "cookie"), [&b"mybb[lastvisit]=1"[..], b"a=%7C|\"x y\""]);
    assert_eq!(request.headers.len(), 2);
}

#[test]
fn ses_10_the_application_cannot_set_our_cookie_and_keeps_its_own_in_order() {
    let rules = rules(IdentityEncoding::Percent);
    let mut response = ResponseHeader::build(200, None).unwrap();
    for value in ["sid=1; path=/", "__Host-passgate=evil; path=/", "sid=2", "sid=3"] {
        response.append_header(SET_COOKIE, value).unwrap();
    }
    rewrite_response(&rules, &mut response, &permit(None));
    assert_eq!(all(&response.headers, "set-cookie"), [&b"sid=1; path=/"[..], b"sid=2", b"sid=3"]);
}

#[test]
fn o5_a_page_that_depends_on_who_asks_varies_by_cookie_once() {
    let rules = rules(IdentityEncoding::Percent);
    for (sent, expected) in [
        (None, vec![&b"Cookie"[..]]),
        (Some("Accept-Encoding"), vec![&b"Accept-Encoding"[..], b"Cookie"]),
        (Some("accept, COOKIE"), vec![&b"accept, COOKIE"[..]]),
        (Some("*"), vec![&b"*"[..]]),
    ] {
        for member in [None, Some(&alice("alice"))] {
            let mut response = ResponseHeader::build(200, None).unwrap();
            if let Some(value) = sent {
                response.append_header(VARY, value).unwrap();
            }
            rewrite_response(&rules, &mut response, &permit(member));
            assert_eq!(all(&response.headers, "vary"), expected);
        }
    }
}

#[test]
fn bp_86_pages_of_the_application_can_ask_for_passkeys_only_where_they_are_not_ours() {
    const OURS: &str = "publickey-credentials-get=(), publickey-credentials-create=()";
    let odd = "camera=(self  \"https://a.example,b\\\"\"),fullscreen=*;report-to=x ,\tusb=?1, a=-1.5, b";
    for (sent, kept) in [
        (&[][..], &[][..]),
        (&["geolocation=()", "camera=(self), usb=*"], &["geolocation=()", "camera=(self), usb=*"]),
        (&[odd], &[odd]),
        (&["publickey-credentials-get=*", "usb=()"], &["usb=()"]),
        (&["usb=(),publickey-credentials-create=(self),  camera=()"], &["usb=(), camera=()"]),
        (&["x=\"publickey-credentials-get=*\""], &["x=\"publickey-credentials-get=*\""]),
        // Browsers ignore all of these as they are, and would ignore ours beside them.
        (&["usb=()", "geolocation 'none'"], &[]),
        (&["usb=(),"], &[]),
        (&["usb=(self\"x\")"], &[]),
        (&["usb=(", "camera=()"], &[]),
        (&["x=\"open"], &[]),
        (&["Usb=()"], &[]),
        (&[""], &[]),
    ] {
        for (webauthn, status) in [(Webauthn::Ours, 200), (Webauthn::Ours, 103), (Webauthn::Anyones, 200)] {
            let rules = HeaderRules { webauthn, ..rules(IdentityEncoding::Percent) };
            let mut response = ResponseHeader::build(status, None).unwrap();
            for value in sent {
                response.append_header("Permissions-Policy", *value).unwrap();
            }
            rewrite_response(&rules, &mut response, &permit(None));
            let is_taken = webauthn == Webauthn::Ours && status == 200;
            let expected = if is_taken { [kept, &[OURS]].concat() } else { sent.to_vec() };
            let expected: Vec<&[u8]> = expected.into_iter().map(str::as_bytes).collect();
            assert_eq!(all(&response.headers, "permissions-policy"), expected, "{sent:?}");
        }
    }
}
