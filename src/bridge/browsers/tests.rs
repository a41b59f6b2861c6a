use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_327_200_000);

fn browsers(origin: &str, base: &str) -> Browsers {
    let names = CookieNames::new(vec!["sid*".into(), "u".into()]);
    Browsers::new(names, Origin::parse(origin).unwrap(), base)
}

fn text(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap()
}

#[test]
fn a_cookie_is_given_byte_for_byte_and_over_tls_alone_where_the_site_is() {
    let (plain, tls) = (browsers("http://localhost:8080", "/"), browsers("https://forum.test", "/"));
    let raw = "sid=a%7C\"b\" ;  Path=/forum; SameSite=None; expires=Fri, 22-Nov-2027 06:00:00 GMT";
    assert_eq!(text(&plain.given(raw.as_bytes()).unwrap()), raw);
    assert_eq!(text(&tls.given(raw.as_bytes()).unwrap()), format!("{raw}; Secure"));
    for secure in ["sid=a; secure", "sid=a;SECURE; Path=/"] {
        assert_eq!(text(&tls.given(secure.as_bytes()).unwrap()), secure);
    }
    assert_eq!(text(&tls.given(b"sid=secure").unwrap()), "sid=secure; Secure");
}

#[test]
fn a_cookie_is_taken_away_from_where_it_was_put() {
    let all = browsers("https://forum.test", "/forum");
    let given = b"sid=a; HttpOnly; Path=/x; Max-Age=60; domain=.forum.test; Secure";
    assert_eq!(text(&all.taken(given).unwrap()), "sid=; Max-Age=0; Path=/x; domain=.forum.test; Secure");
    let by_name: Vec<_> = all.taken_by_name(b"sid").collect();
    let by_name: Vec<_> = by_name.iter().map(text).collect();
    assert_eq!(by_name, ["sid=; Max-Age=0; Path=/; Secure", "sid=; Max-Age=0; Path=/forum; Secure"]);
    assert_eq!(browsers("http://forum.test", "/").taken_by_name(b"sid").count(), 1);
}

#[test]
fn o1_a_guest_has_what_guests_were_given_in_that_very_spelling_and_nothing_else() {
    let all = browsers("https://forum.test", "/");
    for field in ["sid=guest1; Path=/", "u=1; Path=/", "style=2", "sid=gone; Max-Age=0", "sid"] {
        all.give_to_guest(field.as_bytes(), NOW);
    }
    let sent = |fields: &str| {
        let (field, found) = all.guests_field([fields.as_bytes()].into_iter());
        assert!(!found.lacks);
        (field.map(|field| text(&field).to_owned()).unwrap_or_default(), found.strays)
    };
    let strays = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(
        sent("sid=guest1; x=y; u=1;style=2"),
        ("sid=guest1; x=y; u=1; style=2".to_owned(), strays(&[]))
    );
    for spelled in [
        "sid=member",
        "sid=gone",
        "sid=%67uest1",
        "sid=guest1%20",
        "sid=\"guest1\"",
        "sid.x=guest1",
        "s%69d=member",
        " sid=member",
        "sid",
        "u=2",
    ] {
        let (field, left_out) = sent(&format!("x=y; {spelled}"));
        assert_eq!(field, "x=y", "{spelled}");
        assert_eq!(left_out.len(), 1, "{spelled}");
    }
}

#[test]
fn guests_who_came_long_ago_are_forgotten_first() {
    let mut guests = Guests::default();
    for number in 0..=GUESTS {
        guests.add(mark(number.to_string().as_bytes()));
        guests.add(mark(number.to_string().as_bytes()));
    }
    let knows = |number: usize| guests.known.contains(&mark(number.to_string().as_bytes()));
    assert_eq!((knows(0), knows(1), knows(GUESTS)), (false, true, true));
    assert_eq!((guests.known.len(), guests.order.len()), (GUESTS, GUESTS));
}
