//! SECURITY: AUTH-15. Whatever is typed becomes a name by one function, and names that look the same are one name.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

fn key(text: &str) -> Option<String> {
    UserName::parse(text).ok().map(|name| name.key().to_owned())
}

/// What people call themselves: letters of several scripts, with accents as one sign or two, signs of width, blanks. No sigma: see
/// [`UserName`].
const NAME: &str = "[a-zA-Z0-9ＡＢｃ０ﬁǅßéÉőİıЖжאबあア한\u{301}\u{308} \u{a0}._'-]{1,24}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn auth_15_the_key_of_a_key_is_itself(name in NAME) {
        if let Some(first) = key(&name) {
            prop_assert_eq!(key(&first), Some(first), "{:?}", name);
        }
    }

    #[test]
    fn auth_15_case_blanks_and_the_way_of_writing_signs_make_no_other_name(name in NAME) {
        let Some(plain) = key(&name) else { return Ok(()) };
        for same in [
            name.nfc().collect::<String>(),
            name.nfd().collect(),
            name.nfkc().collect(),
            name.nfkd().collect(),
            name.to_lowercase(),
            format!("  {name}\u{3000}"),
            name.replace(' ', " \u{a0} "),
        ] {
            if let Some(other) = key(&same) {
                prop_assert_eq!(&other, &plain, "{:?} and {:?}", name, same);
            }
        }
    }

    #[test]
    fn auth_15_no_name_holds_what_can_not_be_seen(name in any::<String>()) {
        let Ok(name) = UserName::parse(&name) else { return Ok(()) };
        for text in [name.as_str(), name.key()] {
            prop_assert!(!text.is_empty() && text.trim() == text, "{:?}", text);
            prop_assert!(!text.chars().any(|sign| sign.is_control() || is_invisible(sign)), "{:?}", text);
        }
    }
}

#[test]
fn auth_15_spellings_a_forum_would_merge_are_one_name() {
    let key = |name: &str| UserName::parse(name).unwrap().key().to_owned();
    for same in ["alice", "Alice", " ALICE ", "ａｌｉｃｅ"] {
        assert_eq!(key(same), "alice", "{same}");
    }
    assert_eq!(key("Jose\u{301}  Maria"), key("JOSÉ maria"));
    assert_eq!(key("ﬀ"), "ff");
    assert_ne!(key("аlice"), "alice", "Cyrillic a is another letter");
}

#[test]
fn names_that_cannot_be_seen_are_refused() {
    for bad in ["", "  ", "a\nb", "a\u{0}", "a\u{200b}b", "\u{202e}ecila", "a\u{7f}", "a\u{fe0f}"] {
        assert!(UserName::parse(bad).is_err(), "{bad:?}");
    }
    assert!(UserName::parse(&"x".repeat(101)).is_err());
    assert_eq!(UserName::parse("  Zoë Ο'Neil ").unwrap().as_str(), "Zoë Ο'Neil");
}

#[test]
fn a_group_with_a_comma_is_refused_since_it_would_read_as_two() {
    assert_eq!(Group::parse("mods,admins"), Err(InvalidName::Comma));
    assert_eq!(Group::parse("Global moderators").unwrap().as_str(), "Global moderators");
}
