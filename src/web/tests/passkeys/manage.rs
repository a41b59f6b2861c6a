use super::super::audit::Log;
use super::*;

#[tokio::test]
async fn mf_22_a_member_renames_their_own_passkey_and_it_is_escaped() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    let location = browser.enrol(&mut device()).await["location"].clone();
    let page = browser.get(location.as_str().unwrap()).await;
    assert!(page.text().contains("Passkey added"));
    assert!(page.text().contains("“Office laptop”"), "MF-37: an example");
    let (csrf, handle) = (page.field("csrf"), page.field("passkey"));
    for bad in ["", "   ", &"x".repeat(65), "a\u{202e}b"] {
        let answer = browser.post(RENAME, &[("csrf", &csrf), ("passkey", &handle), ("name", bad)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
        assert!(answer.text().contains("up to 64 characters"));
    }
    let fields = [("csrf", &*csrf), ("passkey", &*handle), ("name", "<b>Büro</b>"), ("new", "1")];
    let answer = browser.post(RENAME, &fields).await;
    assert_eq!(answer.location(), "/.passgate/account?notice=passkey-added");
    let page = browser.get(ACCOUNT).await;
    assert!(page.text().contains("&lt;b&gt;Büro") && !page.text().contains("<b>Büro"));
    let fields = [("csrf", &*csrf), ("passkey", &*handle), ("name", "x"), ("return_to", "/index.php")];
    assert_eq!(browser.post(RENAME, &fields).await.location(), "/index.php", "back to where it began");
}

#[tokio::test]
async fn mf_23_okx_18_removing_takes_a_fresh_sign_in_and_a_last_one_a_tick() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    let first = handle_in(&browser.enrol(&mut device()).await["location"]);
    let second = handle_in(&browser.enrol(&mut device()).await["location"]);
    let csrf = browser.member_csrf().await;
    let page = browser.get(&format!("{REMOVE}?passkey={first}")).await;
    assert!(page.text().contains("Your other passkeys and your password still work."));
    let answer = browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &first)]).await;
    assert_eq!(answer.location(), "/.passgate/account?notice=passkey-removed");

    let page = browser.get(&format!("{REMOVE}?passkey={second}")).await;
    assert!(page.text().contains("This is your only passkey."));
    let unsure = browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &second)]).await;
    assert_eq!(unsure.status(), StatusCode::OK, "asked again");
    site.clock.advance(Passkeys::FRESH + Duration::from_secs(1));
    let expected = format!(
        "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fpasskeys%2Fremove%3Fpasskey%3D{second}&again=1"
    );
    assert_eq!(browser.get(&format!("{REMOVE}?passkey={second}")).await.location(), expected);
    let stale = browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &second), ("sure", "1")]).await;
    assert_eq!(stale.location(), expected);
    assert_eq!(browser.get(ADD).await.location().split("&again").count(), 2, "adding, too");
    assert!(browser.get(ACCOUNT).await.text().contains(&second), "still there");
}

#[tokio::test]
async fn removing_the_passkey_of_this_session_signs_out_and_says_so() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let handle = handle_in(&site.signed_in("alice").await.enrol(&mut device).await["location"]);
    let mut browser = site.browser();
    browser.sign_in_with(&mut device, json!({})).await;
    let page = browser.get(&format!("{REMOVE}?passkey={handle}")).await;
    assert!(page.text().contains("this browser, too"));
    let csrf = page.field("csrf");
    let answer = browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &handle), ("sure", "1")]).await;
    assert_eq!(answer.location(), "/.passgate/login?notice=passkey-removed");
    assert_eq!(browser.session(), None);
    assert_eq!(site.sessions.count(), 1, "the one opened with the password goes on");
}

#[tokio::test]
async fn mf_21_nobody_sees_or_touches_anothers_passkeys() {
    let site = Site::with_passkeys(everyone()).await;
    site.add("bob").await;
    let handle = handle_in(&site.signed_in("alice").await.enrol(&mut device()).await["location"]);
    let mut bob = site.signed_in("bob").await;
    let csrf = bob.member_csrf().await;
    assert!(!bob.get(ACCOUNT).await.text().contains(&handle));
    for page in [RENAME, REMOVE] {
        assert_eq!(bob.get(&format!("{page}?passkey={handle}")).await.status(), StatusCode::NOT_FOUND);
        let fields = [("csrf", &*csrf), ("passkey", &*handle), ("name", "x"), ("sure", "1")];
        assert_eq!(bob.post(page, &fields).await.status(), StatusCode::NOT_FOUND);
        let forged = [("csrf", "x"), ("passkey", &*handle), ("name", "x"), ("sure", "1")];
        assert_eq!(bob.post(page, &forged).await.status(), StatusCode::FORBIDDEN, "WEB-02");
        assert!(site.browser().get(page).await.location().starts_with("/.passgate/login"));
    }
}

#[tokio::test]
async fn bp_60_bp_62_the_list_says_where_each_lives_and_hints_at_a_second() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    assert!(browser.get(ACCOUNT).await.text().contains("You have none yet."));
    let mut key = Device::security_key();
    (key.origin, key.rp_id) = (ORIGIN_OF_SITE.to_owned(), "forum.example".to_owned());
    browser.enrol(&mut key).await;
    let page = browser.get(ACCOUNT).await;
    for part in ["Security key", "Not used yet", "None of these can be used on another device."] {
        assert!(page.text().contains(part), "{part}");
    }
    browser.enrol(&mut device()).await;
    let page = browser.get(ACCOUNT).await;
    assert!(page.text().contains("Synced") && !page.text().contains("None of these can be used"));
    assert!(page.text().contains("You have 2 passkeys, as many as an account can have."));
}

#[tokio::test]
async fn bp_62_one_that_is_no_longer_synced_is_told_with_a_hint_at_another() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device).await;
    assert!(!browser.get(ACCOUNT).await.text().contains("no longer synced"));
    const BACKED_UP: u8 = 0b1_0000;
    device.flags &= !BACKED_UP;
    site.browser().sign_in_with(&mut device, json!({})).await;
    let page = browser.get(ACCOUNT).await;
    assert!(page.text().contains("No longer synced") && page.text().contains("A second passkey elsewhere"));
    device.flags |= BACKED_UP;
    site.browser().sign_in_with(&mut device, json!({})).await;
    assert!(!browser.get(ACCOUNT).await.text().contains("o longer synced"), "BS 0→1: nothing to do");
}

#[tokio::test]
async fn bp_67_ending_other_sessions_is_offered_after_adding_and_after_removing() {
    const END: &str = "/account/end-other-sessions\"";
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    let added = browser.enrol(&mut device()).await;
    let alone = browser.get(added["location"].as_str().unwrap()).await;
    assert!(!alone.text().contains(END), "there are none");
    let other = site.signed_in("alice").await;
    let page = browser.get(added["location"].as_str().unwrap()).await;
    assert!(page.text().contains("Passkey added") && page.text().contains(END));
    let csrf = page.field("csrf");
    let handle = handle_in(&added["location"]);
    let removed = browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &handle), ("sure", "1")]).await;
    let page = browser.get(removed.location().split('#').next().unwrap()).await;
    assert!(page.text().contains("/account/security\">end it</a>") && page.text().contains(END));
    browser.post("/.passgate/account/end-other-sessions", &[("csrf", &csrf)]).await;
    assert!(!site.live(other.session().unwrap()) && site.live(browser.session().unwrap()));
}

#[tokio::test]
async fn what_a_member_does_with_passkeys_is_in_the_audit_log() {
    let site = Site::with_passkeys(everyone()).await;
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile;
    let log = Log::start();
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    let handle = handle_in(&browser.enrol(&mut device).await["location"]);
    let csrf = browser.member_csrf().await;
    browser.post(RENAME, &[("csrf", &csrf), ("passkey", &handle), ("name", "My phone")]).await;
    site.browser().sign_in_with(&mut device, json!({})).await;
    browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &handle), ("sure", "1")]).await;
    let events = log.events();
    let names: Vec<_> = events.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["signed-in", "passkey-added", "passkey-renamed", "signed-in", "passkey-removed"]);
    assert!(events.iter().all(|(.., member)| *member == alice.id.to_string()), "{events:?}");
    assert!(!log.text().contains("My phone"), "names stay with the member");
}
