use super::*;
use crate::domain::{Profile, UserId, UserName};

fn alice() -> About {
    let profile = Profile {
        id: UserId([1; 16]),
        name: UserName::parse("Alice7").unwrap(),
        full_name: Some("Pleasance Liddell".to_owned()),
        email: Some("a.liddell-white@looking-glass.example".to_owned()),
        groups: Vec::new(),
    };
    About::of(&profile, "The Teapot Forum")
}

#[test]
fn auth_04_every_entry_of_the_block_list_is_refused_and_there_are_thousands_of_the_policys_length() {
    let entries: Vec<_> = common::all().collect();
    assert!(entries.len() >= 3_000, "{}", entries.len());
    for entry in &entries {
        assert!(entry.chars().count() >= 15, "{entry}");
        assert_eq!(*folded(entry), **entry, "as it is looked up");
        assert_eq!(judge(entry, &About::default()), Err(WeakPassword::Common), "{entry}");
    }
    assert!(entries.is_sorted_by(|one, next| one < next));
    for written in ["Correct-Horse-Battery-Staple!", "  PASSWORD password ", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5"]
    {
        assert_eq!(judge(written, &About::default()), Err(WeakPassword::Common), "{written}");
    }
}

#[test]
fn auth_04_what_is_common_and_short_is_refused_too() {
    for common in
        ["password", "Passw0rd", "iloveyou", "sunshine", "12345678", "qwertyuiop", "trustno1", "drowssap"]
    {
        assert!(judge(common, &About::default()).is_err(), "{common}");
    }
    assert_eq!(judge("sunshine", &About::default()), Err(WeakPassword::Common));
}

#[test]
fn auth_04_a_password_made_of_what_is_known_of_a_member_is_refused_and_told_of_what() {
    use Known::{Email, FullName, SiteName, UserName};
    for (password, known) in [
        ("alice7alice7alice7", UserName),
        ("ALICE7 2026 !!!!!!", UserName),
        ("7ecila-7ecila-7ecila", UserName),
        ("Pleasance Liddell 1", FullName),
        ("liddellliddell1852", FullName),
        ("a.liddell-white!", Email),
        ("looking-glass-2026", Email),
        ("the teapot forum", SiteName),
        ("TeapotTeapot2026", SiteName),
        ("my teapot forum 1", SiteName),
    ] {
        assert_eq!(judge(password, &alice()), Err(WeakPassword::MadeOf(known)), "{password}");
    }
    for fine in
        ["alice7 drinks cold lemonade", "no teapot holds so much tea", "white rabbits run to liddell street"]
    {
        assert!(judge(fine, &alice()).is_ok(), "{fine}");
    }
}

#[test]
fn what_is_known_helps_whoever_guesses_where_it_is_not_all() {
    let password = "pleasance8teapot";
    assert!(judge(password, &About::default()).is_ok());
    assert!(judge(password, &alice()).is_err());
}

#[test]
fn auth_04_what_takes_few_guesses_is_refused() {
    for weak in [
        &"p4$$w0rd".repeat(3),
        &"19901990".repeat(3),
        &"éé".repeat(10),
        "Passwort123456789",
        "aaaaaaaaaaaaaaab",
        "qwertyqwerty!!!!",
        "abcdefghijklmnopq1",
        "summer2024summer2024",
        "monkeymonkey1234!",
    ] {
        let verdict = judge(weak, &About::default());
        assert!(
            matches!(verdict, Err(WeakPassword::Guessable | WeakPassword::Common)),
            "{weak}: {verdict:?}"
        );
    }
}

#[test]
fn auth_03_there_are_no_rules_of_composition() {
    for fine in [
        "tea at five oclock",
        "all of these are small",
        "THIS IS LOUD BUT LONG",
        "482915730662840159",
        "ещё один пароль для форума",
        "合言葉は長いほうがよい夜に",
        "wren magnet orchard",
        "%$_-!&/()=?+*~#<>|;",
    ] {
        assert!(judge(fine, &About::default()).is_ok(), "{fine}");
    }
    assert_eq!(judge("wren magnet orchard ladle", &About::default()), Ok(Strength::VeryGood));
}

#[test]
fn auth_02_what_comes_after_the_part_that_is_looked_at_does_no_harm() {
    let long = format!("{}{}", "wren magnet orchard ladle ", "a".repeat(900));
    assert!(judge(&long, &alice()).is_ok());
    let hostile = "1!|il7+t$5s4@a3e6g0o8b(".repeat(43);
    assert!(judge(&hostile, &alice()).is_ok());
}
