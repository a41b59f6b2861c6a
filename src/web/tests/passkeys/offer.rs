use super::*;

const LOGIN: &str = "/.passgate/login";

/// Signs in with the password, in a browser whose script says whether its device can make a passkey.
async fn sign_in(browser: &mut Browser<'_>, ready: &str) -> Answer {
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [
        ("csrf", &*csrf),
        ("username", "alice"),
        ("password", PASSWORD),
        ("return_to", "/index.php"),
        ("passkey_ready", ready),
    ];
    browser.post(LOGIN, &fields).await
}

const OFFER: &str = "/.passgate/welcome?return_to=%2Findex.php";

#[tokio::test]
async fn mf_29_mf_30_it_is_made_to_who_has_none_and_can_have_one() {
    let site = Site::with_passkeys(everyone()).await;
    assert_eq!(sign_in(&mut site.browser(), "").await.location(), "/index.php", "no script, no offer");
    let mut browser = site.browser();
    assert_eq!(sign_in(&mut browser, "1").await.location(), OFFER);
    browser.enrol(&mut device()).await;
    assert_eq!(sign_in(&mut site.browser(), "1").await.location(), "/index.php", "has one");

    for options in [
        PasskeyOptions { suggest: Suggest::SettingsOnly, ..everyone() },
        PasskeyOptions { suggest: Suggest::Never, ..everyone() },
        PasskeyOptions { rollout: Rollout::Groups(vec![]), ..everyone() },
    ] {
        let site = Site::with_passkeys(options).await;
        assert_eq!(sign_in(&mut site.browser(), "1").await.location(), "/index.php");
    }
    let without = Site::with_alice().await;
    assert_eq!(sign_in(&mut without.browser(), "1").await.location(), "/index.php");
}

#[tokio::test]
async fn mf_31_mf_33_it_is_left_by_one_link_and_stays_away_for_as_long_as_asked() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.browser();
    let offer = sign_in(&mut browser, "1").await;
    let page = browser.get(offer.location()).await;
    assert!(page.text().contains("href=\"&#x2f;index.php\" autofocus>Continue"), "{}", page.text());
    for part in ["/help/passkeys\">Learn more", "Not on a shared computer"] {
        assert!(page.text().contains(part), "{part}");
    }
    let csrf = page.field("csrf");
    for (choice, days) in [("later", 30), ("never", 400)] {
        let fields = [("csrf", &*csrf), ("return_to", "/index.php"), ("choice", choice)];
        let answer = browser.post("/.passgate/welcome", &fields).await;
        assert_eq!(answer.location(), "/index.php");
        assert!(answer.header("set-cookie").ends_with(&format!("; Max-Age={}", days * 86_400)));
    }
    let forged = [("csrf", "x"), ("return_to", "/index.php")];
    assert_eq!(browser.post("/.passgate/welcome", &forged).await.status(), StatusCode::FORBIDDEN);
    let outside = browser.get("/.passgate/welcome?return_to=//evil.example").await;
    assert!(outside.text().contains("href=\"&#x2f;\" autofocus"), "R1");
    assert_eq!(site.browser().get(OFFER).await.location(), "/index.php", "a visitor just goes on");
}

#[tokio::test]
async fn having_seen_it_is_enough_for_thirty_days_even_over_a_sign_out() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.browser();
    let offer = sign_in(&mut browser, "1").await;
    browser.get(offer.location()).await;
    let csrf = browser.member_csrf().await;
    let out = browser.post("/.passgate/logout", &[("csrf", &csrf)]).await;
    assert!(!browser.jar.contains_key("__Host-passgate-quiet"), "all cookies are gone");
    let target = out.location().to_owned();
    assert!(target.contains("&quiet="), "{target}");
    browser.get(&target).await;
    assert!(!browser.jar.contains_key("__Host-passgate-quiet"), "a link from elsewhere sets nothing");
    browser.send(Request::get(&target).header("sec-fetch-site", "same-origin")).await;
    assert_eq!(sign_in(&mut browser, "1").await.location(), "/index.php");
    site.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(sign_in(&mut browser, "1").await.location(), OFFER);
}

#[tokio::test]
async fn bp_27_nobody_on_a_shared_computer_is_offered_a_passkey() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [
        ("csrf", &*csrf),
        ("username", "alice"),
        ("password", PASSWORD),
        ("return_to", "/index.php"),
        ("passkey_ready", "1"),
        ("shared", "1"),
    ];
    assert_eq!(browser.post(LOGIN, &fields).await.location(), "/index.php");
    let again = browser.get("/.passgate/login?again=1").await;
    assert!(!again.text().contains("Then set up a passkey"));
    assert!(!browser.get(ACCOUNT).await.text().contains("Add a passkey"));

    let mut device = device();
    site.signed_in("alice").await.enrol(&mut device).await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let challenge = browser.begin("sign-in", &csrf).await;
    let mut answer = device.get(&challenge);
    answer["authenticatorAttachment"] = json!("cross-platform");
    let more = json!({ "return_to": "/index.php", "passkey_ready": true, "shared": true, "remember": true });
    let done = browser.finish("sign-in", &csrf, &challenge, answer, more).await;
    assert_eq!(done.json()["location"], "/index.php");
    assert!(!done.session_cookie().contains("Max-Age"));
    assert_eq!(done.set_cookies().len(), 1, "and no device is known by it");
    let account = browser.get(ACCOUNT).await;
    assert!(!account.text().contains("Add a passkey") && account.text().contains("on a device of your own"));
    site.clock.advance(Duration::from_secs(15 * 60));
    assert!(!site.live(browser.session().unwrap()));
}

#[tokio::test]
async fn bp_21_who_came_with_another_devices_passkey_is_offered_one_for_this_device() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    site.signed_in("alice").await.enrol(&mut device).await;
    for (attachment, ready, expected) in [
        ("cross-platform", true, OFFER),
        ("cross-platform", false, "/index.php"),
        ("platform", true, "/index.php"),
    ] {
        let mut browser = site.browser();
        let csrf = browser.get(LOGIN).await.field("csrf");
        let challenge = browser.begin("sign-in", &csrf).await;
        let mut answer = device.get(&challenge);
        answer["authenticatorAttachment"] = json!(attachment);
        let more = json!({ "return_to": "/index.php", "passkey_ready": ready });
        let done = browser.finish("sign-in", &csrf, &challenge, answer, more).await;
        assert_eq!(done.json()["location"], expected, "{attachment}");
    }
    let mut browser = site.browser();
    browser.sign_in_with(&mut device, json!({})).await;
    assert!(browser.get(OFFER).await.text().contains("Next time with this device?"));
}
