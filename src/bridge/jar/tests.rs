use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_327_200_000);

fn names(patterns: &[&str]) -> CookieNames {
    CookieNames::new(patterns.iter().map(|name| (*name).to_owned()).collect())
}

fn jar(fields: &[&str]) -> Jar {
    let mut jar = Jar::default();
    for field in fields {
        jar.set(field.as_bytes(), "/login.php", NOW);
    }
    jar
}

fn sent(jar: &Jar, browsers: &str, patterns: &[&str]) -> String {
    let field = jar.field([browsers.as_bytes()].into_iter(), &names(patterns), "/index.php", NOW);
    field.map(|field| String::from_utf8(field.as_bytes().to_vec()).unwrap()).unwrap_or_default()
}

#[test]
fn names_and_values_go_back_byte_for_byte() {
    let jar = jar(&[
        "  sessionid=abc; HttpOnly; SameSite=Lax",
        "mybb[lastvisit]=17953%7C27200; path=/",
        "remember_token=1|5a=b==; Path=/",
        "SMFCookie10=%7B%220%22%3A1%7D; Max-Age=6",
        "quoted=\"x y\", {\"0\":1}; path=/",
        "empty=; path=/",
    ]);
    assert_eq!(
        sent(&jar, "", &[]),
        "sessionid=abc; mybb[lastvisit]=17953%7C27200; remember_token=1|5a=b==; SMFCookie10=%7B%220%22%3A1%7D; \
         quoted=\"x y\", {\"0\":1}; empty="
    );
}

#[test]
fn the_last_of_a_name_wins_and_a_deletion_takes_the_cookie_away() {
    let old_and_new = jar(&[
        "u=1; path=/",
        "u=2; path=/",
        "u=; path=/; expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "u=3; path=/",
    ]);
    assert_eq!(sent(&old_and_new, "", &[]), "u=3");
    for deletion in [
        "u=x; path=/; expires=Thu, 01-Jan-1970 00:00:01 GMT",
        "u=deleted; path=/; Max-Age=0",
        "u=; path=/; max-age=-1; expires=Fri, 01 Jan 2100 00:00:00 GMT",
        "u=; path=/; expires=Sun, 22 Nov 2026 05:00:00 GMT",
    ] {
        let mut jar = jar(&["u=1; path=/"]);
        let setting = jar.set(deletion.as_bytes(), "/", NOW).unwrap();
        assert!(setting.value.is_none(), "{deletion}");
        assert!(jar.is_empty(), "{deletion}");
    }
}

#[test]
fn a_cookie_ends_by_the_clock_and_holds_below_its_path() {
    let mut jar = jar(&["a=1; Max-Age=60; path=/", "b=2; path=/forum", "c=3; path=/forum/", "d=4; path=/x"]);
    let at = |jar: &Jar, path, now| jar.field(std::iter::empty(), &names(&[]), path, now);
    assert_eq!(at(&jar, "/forum/x", NOW).unwrap(), "c=3; b=2; a=1");
    assert_eq!(at(&jar, "/forumx", NOW).unwrap(), "a=1");
    assert_eq!(at(&jar, "/forumx", NOW.after(Duration::from_secs(60))), None);
    jar.keep(&names(&["b"]));
    assert_eq!(at(&jar, "/forum/x", NOW).unwrap(), "b=2");
}

#[test]
fn the_browsers_cookies_of_these_names_are_dropped_however_they_are_spelled() {
    let jar = jar(&["phpbb3_abc_sid=ours; path=/"]);
    for spelled in [
        "phpbb3_abc_sid",
        "phpbb3.abc.sid",
        "phpbb3%5Fabc_sid",
        " phpbb3 abc_sid",
        "phpbb3[abc_sid",
        "phpbb3_z_sid",
    ] {
        let browsers = format!("style=1; {spelled}=theirs;x[y]=a=b");
        assert_eq!(
            sent(&jar, &browsers, &["phpbb3_*_sid"]),
            "phpbb3_abc_sid=ours; style=1; x[y]=a=b",
            "{spelled}"
        );
    }
}

#[test]
fn what_is_no_cookie_is_left_out() {
    for field in ["", ";", "novalue; path=/", "=x", "a=\u{1}", "a=b\r\nx: y"] {
        assert!(jar(&[field]).is_empty(), "{field:?}");
    }
    assert!(jar(&[&format!("a={}", "x".repeat(5000))]).is_empty());
    let mut many = Jar::default();
    for at in 0..1000 {
        many.set(format!("c{at}=1; path=/").as_bytes(), "/", NOW);
    }
    assert_eq!(sent(&many, "", &[]).split("; ").count(), COOKIES);
}

#[test]
fn o4_a_jar_does_not_print_its_values() {
    assert_eq!(format!("{:?}", jar(&["sid=hunter2"])), "{\"sid\"}");
}

proptest! {
    #[test]
    fn no_field_makes_a_jar_panic_and_what_it_sends_is_one_field(
        fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        path in "/[a-z/]{0,8}",
    ) {
        let mut jar = Jar::default();
        for field in &fields {
            jar.set(field, &path, NOW);
        }
        let field = jar.field(fields.iter().map(Vec::as_slice), &names(&["a*"]), &path, NOW);
        prop_assert!(field.is_none_or(|field| !field.as_bytes().contains(&b'\n')));
    }

    #[test]
    fn a_value_comes_back_as_it_was_set(value in "[!-:<-~]{0,40}") {
        let jar = jar(&[&format!("n={value}; path=/")]);
        prop_assert_eq!(sent(&jar, "", &[]), format!("n={value}"));
    }
}
