//! Of `src/auth` what reads cookies.

use std::time::Duration;

use passgate::auth::throttle::Marks;
use passgate::auth::{Cookies, Presented, Transport};

const DAY: Duration = Duration::from_secs(86_400);

fn parts(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.split(|byte| *byte == b';').map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (pair[..at].trim_ascii(), pair.get(at + 1..).unwrap_or_default().trim_ascii())
    })
}

/// Lines are `Cookie` fields. A session is presented by exactly one cookie of exactly its name. Of ours none goes on, of the
/// others each, in its place.
pub fn cookie(data: &[u8]) {
    let fields: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    for transport in [Transport::Tls, Transport::PlainLoopback] {
        let cookies = Cookies::new(transport, DAY);
        let name = cookies.session_name().as_bytes();
        let named: Vec<_> = fields.iter().flat_map(|field| parts(field)).filter(|part| part.0 == name).collect();
        match (cookies.session(fields.iter().copied()), named.as_slice()) {
            (Presented::Token(token), [(_, value)]) => assert_eq!(token.to_text().as_bytes(), *value),
            (Presented::Nothing, []) | (Presented::Unusable, [_, ..]) => {}
            (presented, _) => panic!("{presented:?} of {named:?}"),
        }
        let marks = cookies.device(fields.iter().copied());
        assert_eq!(Marks::parse(&marks.to_text()), marks);
        cookies.quiet_until(fields.iter().copied());
        fields.iter().for_each(|field| goes_on(&cookies, field));
    }
}

fn goes_on(cookies: &Cookies, field: &[u8]) {
    let ours = [
        cookies.session_name(),
        cookies.browser_name(),
        cookies.quiet_name(),
        cookies.send_name(),
        cookies.device_name(),
        cookies.trusted_name(),
    ];
    let is_ours = |name: &[u8]| ours.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()));
    let others: Vec<_> = parts(field).filter(|(name, _)| !is_ours(name)).collect();
    let Some(left) = cookies.without_ours(field) else {
        return assert_eq!(others.len(), parts(field).count());
    };
    assert!(others.len() < parts(field).count());
    let kept: Vec<_> = parts(&left).filter(|part| !left.is_empty() || !part.0.is_empty()).collect();
    if others.is_empty() { assert!(left.is_empty()) } else if !left.is_empty() { assert_eq!(kept, others) }
    assert_eq!(cookies.without_ours(&left), None);
    // What an application sets is judged by the same names.
    let first = parts(field).next().unwrap_or_default().0;
    assert!(!is_ours(first) || cookies.sets_ours(field));
}
