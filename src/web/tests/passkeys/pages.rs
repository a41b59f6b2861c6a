use super::*;

const WORD: &str = "asskey";

#[tokio::test]
async fn mf_12_where_passkeys_are_off_no_page_speaks_of_them() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    for page in [ACCOUNT, "/.passgate/login?again=1", "/.passgate/logout"] {
        assert!(!browser.get(page).await.text().contains(WORD), "{page}");
    }
    assert!(!site.browser().get("/.passgate/login").await.text().contains(WORD));
    for page in [ADD, RENAME, REMOVE, "/.passgate/help/passkeys", "/.passgate/welcome"] {
        assert_eq!(browser.get(page).await.status(), StatusCode::NOT_FOUND, "{page}");
    }
    for call in ["sign-in/begin", "add/finish", "step-up/begin", "trouble"] {
        assert_eq!(browser.call(call, "", &json!({})).await.status(), StatusCode::NOT_FOUND, "{call}");
    }
    assert_eq!(browser.get("/.well-known/passkey-endpoints").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mf_14_whoever_is_not_in_the_roll_out_sees_no_offer_but_can_sign_in() {
    let staff = PasskeyOptions { rollout: Rollout::Groups(vec![]), ..everyone() };
    let site = Site::with_passkeys(staff).await;
    let mut browser = site.signed_in("alice").await;
    assert!(!browser.get(ACCOUNT).await.text().contains(WORD));
    assert_eq!(browser.get(ADD).await.location(), ACCOUNT);
    assert!(!browser.get("/.passgate/login?again=1").await.text().contains(WORD), "has none to confirm with");
    let never = PasskeyOptions { suggest: Suggest::Never, ..everyone() };
    let site = Site::with_passkeys(never).await;
    let mut browser = site.signed_in("alice").await;
    assert!(!browser.get(ACCOUNT).await.text().contains(WORD), "never suggested");
    assert_eq!(browser.get(ADD).await.status(), StatusCode::OK, "but there for who asks");
}

#[tokio::test]
async fn bp_50_bp_54_the_sign_in_page_and_the_challenge_are_the_same_for_everyone() {
    let site = Site::with_passkeys(everyone()).await;
    site.signed_in("alice").await.enrol(&mut device()).await;
    let mut browser = site.browser();
    let page = browser.get("/.passgate/login").await;
    for part in [
        "autocomplete=\"username webauthn\"",
        "type=\"password\" autocomplete=\"current-password\"",
        "data-passkeys=\"sign-in\"",
        "Sign in with a passkey",
        ">Use password<",
        "class=\"ways\" hidden",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    let challenge = browser.begin("sign-in", &page.field("csrf")).await;
    assert_eq!(challenge.options["allowCredentials"], json!([]), "BP-52");
    assert_eq!(challenge.options["userVerification"], "required");
    let known = browser.sign_in("alice", "wrong").await.text().replace("alice", "?");
    assert_eq!(known, browser.sign_in("nobody", "wrong").await.text().replace("nobody", "?"));
}

#[tokio::test]
async fn mf_10_mf_11_bp_28_the_page_that_adds_one_says_first_what_to_know() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    let page = browser.get(&format!("{ADD}?return_to=%2Findex.php")).await;
    for part in [
        "a device of your own that you trust",
        "screen lock",
        "up to date",
        "Keep your password",
        "Not on a shared computer.",
        "By adding a passkey you agree",
        "data-place=\"this-device\"",
        "data-place=\"phone\"",
        "data-place=\"security-key\"",
        "This browser can’t use passkeys",
        "data-return-to=\"&#x2f;index.php\"",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    browser.enrol(&mut device()).await;
    assert!(!browser.get(ADD).await.text().contains("you agree"), "consent is for the first");
    assert_eq!(
        site.browser().get(ADD).await.location(),
        "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fpasskeys%2Fadd"
    );
}

#[tokio::test]
async fn mf_43_mf_53_help_is_there_for_everyone() {
    let site = Site::with_passkeys(everyone()).await;
    let page = site.browser().get("/.passgate/help/passkeys").await;
    assert_eq!(page.status(), StatusCode::OK);
    for part in [
        "Your password keeps working",
        "works on this site only",
        "only the public half of its key",
        "Your fingerprint or face stays on your device.",
        "iOS 16 or Android 9, or newer",
        "scan the code with your phone",
        "id=\"not-seen\"",
        "You haven’t added one yet.",
        "too old for passkeys",
        "It’s a shared computer",
        "on another device or in another password manager",
        "try again, or use your password",
        "I lost my device",
        "On a shared computer",
        "Update the app and your device.",
        "Nobody needs your password, your PIN, your fingerprint or a key.",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    assert!(page.text().len() < 20_000);
}

#[tokio::test]
async fn bp_75_bp_77_well_known_addresses_lead_password_managers_to_our_pages() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.browser();
    let change = browser.get("/.well-known/change-password").await;
    assert_eq!((change.status(), change.location()), (StatusCode::SEE_OTHER, ACCOUNT));
    let nothing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    assert_eq!(browser.get(nothing).await.status(), StatusCode::NOT_FOUND);
    let endpoints = browser.get("/.well-known/passkey-endpoints").await;
    assert_eq!(endpoints.header("content-type"), "application/json");
    let expected = json!({
        "enroll": format!("{ORIGIN_OF_SITE}{ADD}"),
        "manage": format!("{ORIGIN_OF_SITE}{ACCOUNT}"),
    });
    assert_eq!(endpoints.json(), expected);
    let post = browser.post("/.well-known/change-password", &[]).await;
    assert_eq!((post.status(), post.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    assert_eq!(browser.get("/.well-known/acme-challenge/x").await.status(), StatusCode::NOT_FOUND);
}
