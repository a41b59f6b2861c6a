use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

#[tokio::test]
async fn mf_36_mf_38_a_member_adds_a_passkey_and_signs_in_with_it() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let done = site.signed_in("alice").await.enrol(&mut device).await;
    assert!(done["location"].as_str().unwrap().starts_with(RENAME), "{done}");

    let mut browser = site.browser();
    let more = json!({ "return_to": "/viewtopic.php?t=5", "remember": true });
    let answer = browser.sign_in_with(&mut device, more).await;
    assert_eq!((answer.status(), answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let said = answer.json();
    assert_eq!(said["location"], "/viewtopic.php?t=5");
    assert!(answer.session_cookie().ends_with("; Max-Age=2592000"), "stay signed in is kept");
    assert!(site.live(browser.session().unwrap()));
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile;
    let signal = json!({
        "rpId": "forum.example",
        "userId": URL_SAFE_NO_PAD.encode(alice.id.0),
        "allAcceptedCredentialIds": [URL_SAFE_NO_PAD.encode(&device.id)],
        "name": "alice",
        "displayName": "Alice <Liddell>",
    });
    assert_eq!(said["signal"], signal, "BP-30, BP-32");
    assert_eq!(device.user_handle.as_deref(), Some(&alice.id.0[..]), "and the handle is the one registered");
    assert!(browser.get(ACCOUNT).await.text().contains("used for this session"));
}

#[tokio::test]
async fn r1_what_the_script_says_of_where_to_go_leaves_the_origin_no_more_than_a_form() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    site.signed_in("alice").await.enrol(&mut device).await;
    for target in ["https://evil.example/", "//evil.example", "/\\evil.example", "/.passgate/login"] {
        let answer = site.browser().sign_in_with(&mut device, json!({ "return_to": target })).await;
        assert_eq!(answer.json()["location"], "/", "{target}");
    }
}

#[tokio::test]
async fn bp_42_a_ceremony_belongs_to_the_browser_that_began_it_and_works_once() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    site.signed_in("alice").await.enrol(&mut device).await;
    let (mut one, mut other) = (site.browser(), site.browser());
    let csrf = one.get("/.passgate/login").await.field("csrf");
    let others = other.get("/.passgate/login").await.field("csrf");
    let challenge = one.begin("sign-in", &csrf).await;
    let answer = device.get(&challenge);
    let stolen = other.finish("sign-in", &others, &challenge, answer.clone(), json!({})).await;
    assert_eq!(stolen.refusal(), refused(410, "ceremony_expired"));
    let challenge = one.begin("sign-in", &csrf).await;
    let answer = device.get(&challenge);
    let good = one.finish("sign-in", &csrf, &challenge, answer.clone(), json!({})).await;
    assert_eq!(good.status(), StatusCode::OK);
    let again = one.finish("sign-in", &csrf, &challenge, answer, json!({})).await;
    assert_eq!(again.refusal(), refused(410, "ceremony_expired"));
}

#[tokio::test]
async fn bp_33_an_unknown_passkey_and_one_that_was_removed_are_one_answer() {
    let site = Site::with_passkeys(everyone()).await;
    let mut removed = device();
    let mut member = site.signed_in("alice").await;
    let handle = handle_in(&member.enrol(&mut removed).await["location"]);
    let csrf = member.member_csrf().await;
    member.post(REMOVE, &[("csrf", &csrf), ("passkey", &handle), ("sure", "1")]).await;
    let mut invented = device();
    invented.user_handle = Some(vec![7; 16]);
    let answers = [
        site.browser().sign_in_with(&mut removed, json!({})).await,
        site.browser().sign_in_with(&mut invented, json!({})).await,
    ];
    assert_eq!(answers[0].refusal(), refused(404, "unknown_credential"));
    assert_eq!(answers[0].text(), answers[1].text());
    assert!(answers.iter().all(|answer| answer.set_cookies().is_empty()));
}

#[tokio::test]
async fn bp_64_confirming_makes_a_fresh_session_of_the_same_kind() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device).await;
    let before = browser.session().unwrap().clone();
    site.clock.advance(Duration::from_secs(3_600));
    let page = browser.get("/.passgate/login?again=1&return_to=%2Fadm").await;
    assert!(
        page.text().contains("Confirm with a passkey") && page.text().contains("data-passkeys=\"step-up\"")
    );
    let csrf = browser.member_csrf().await;
    let challenge = browser.begin("step-up", &csrf).await;
    let answer = device.get(&challenge);
    let done = browser.finish("step-up", &csrf, &challenge, answer, json!({ "return_to": "/adm" })).await;
    assert_eq!((done.status(), &done.json()["location"]), (StatusCode::OK, &json!("/adm")));
    assert!(!done.session_cookie().contains("Max-Age"));
    assert!(!site.live(&before) && site.live(browser.session().unwrap()));

    let mut stranger = super::device();
    site.add("bob").await;
    site.signed_in("bob").await.enrol(&mut stranger).await;
    let csrf = browser.member_csrf().await;
    let challenge = browser.begin("step-up", &csrf).await;
    let answer = stranger.get(&challenge);
    let foreign = browser.finish("step-up", &csrf, &challenge, answer, json!({})).await;
    assert_eq!(foreign.refusal(), refused(403, "wrong_account"));
    assert!(foreign.text().contains("alice"));
}

#[tokio::test]
async fn okx_06_okx_17_adding_is_refused_before_the_prompt_where_it_can_not_work() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device()).await;
    browser.enrol(&mut device()).await;
    let csrf = browser.member_csrf().await;
    let full = browser.call("add/begin", &csrf, &json!({ "place": "security-key" })).await;
    assert_eq!(full.refusal(), refused(409, "passkey_limit"));
    assert!(full.text().contains("You already have 2 passkeys"));
    assert!(browser.get(ADD).await.text().contains("You already have 2 passkeys"), "told on the page, too");
    site.clock.advance(Passkeys::FRESH + Duration::from_secs(1));
    let stale = browser.call("add/begin", &csrf, &json!({})).await;
    assert_eq!(stale.refusal(), refused(403, "reauth_required"));

    let staff =
        PasskeyOptions { rollout: Rollout::Groups(vec![Group::parse("staff").unwrap()]), ..everyone() };
    let site = Site::with_passkeys(staff).await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.member_csrf().await;
    assert_eq!(browser.call("add/begin", &csrf, &json!({})).await.refusal(), refused(403, "not_enabled"));
}

#[tokio::test]
async fn web_01_web_02_json_is_taken_from_our_own_page_alone() {
    let site = Site::with_passkeys(everyone()).await;
    let mut visitor = site.browser();
    let csrf = visitor.get("/.passgate/login").await.field("csrf");
    let target = format!("{API}/sign-in/begin");
    let send = async |origin: &str, kind: &str, proof: &str, body: String| {
        let mut browser = Browser { site: &site, jar: visitor.jar.clone() };
        let request = Request::post(&target).header(ORIGIN, origin).header("x-csrf-token", proof);
        browser.send_body(request.header(CONTENT_TYPE, kind), body).await.status().as_u16()
    };
    let (json, empty) = ("application/json", || "{}".to_owned());
    assert_eq!(send(ORIGIN_OF_SITE, "application/json; charset=utf-8", &csrf, empty()).await, 200);
    assert_eq!(send("https://evil.example", json, &csrf, empty()).await, 403);
    assert_eq!(send("null", json, &csrf, empty()).await, 403);
    assert_eq!(send(ORIGIN_OF_SITE, json, "x", empty()).await, 403);
    assert_eq!(send(ORIGIN_OF_SITE, "text/plain", &csrf, empty()).await, 415);
    assert_eq!(send(ORIGIN_OF_SITE, FORM, &csrf, empty()).await, 415);
    assert_eq!(send(ORIGIN_OF_SITE, json, &csrf, "{".to_owned()).await, 400);
    assert_eq!(send(ORIGIN_OF_SITE, json, &csrf, "[".repeat(60_000)).await, 400, "however deep");
    assert_eq!(
        send(ORIGIN_OF_SITE, json, &csrf, " ".repeat(super::super::super::MAX_JSON_BYTES + 1)).await,
        413
    );

    let stranger = site.browser().call("sign-in/begin", &csrf, &json!({})).await;
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN, "without the cookie");
    let get = visitor.get(&target).await;
    assert_eq!((get.status(), get.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    for member_only in ["add/begin", "add/finish", "step-up/begin", "step-up/finish"] {
        assert_eq!(visitor.call(member_only, &csrf, &json!({})).await.status(), StatusCode::UNAUTHORIZED);
    }
    let mut member = site.signed_in("alice").await;
    let page = member.get("/.passgate/login?again=1").await;
    let (_, form) = page.text().rsplit_once("name=\"csrf\" value=\"").unwrap();
    let wrong = member.call("add/begin", form.split('"').next().unwrap(), &json!({})).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN, "the sign-in page's value is not the member's");
}

#[tokio::test]
async fn bp_31_nothing_is_signalled_from_a_list_that_can_not_be_read() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device()).await;
    assert!(browser.get(ACCOUNT).await.text().contains("data-signal="));
    site.store.break_down();
    let page = browser.get(ACCOUNT).await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!page.text().contains("data-signal"));
}

#[tokio::test]
async fn what_fails_in_the_browser_gets_a_reference_and_only_known_words_reach_the_log() {
    let site = Site::with_passkeys(everyone()).await;
    let mut visitor = site.browser();
    let csrf = visitor.get("/.passgate/login").await.field("csrf");
    let said = json!({ "purpose": "sign-in", "name": "my password\nforged line" });
    let answer = visitor.call("trouble", &csrf, &said).await;
    assert_eq!((answer.status(), answer.json()), (StatusCode::OK, json!({ "ref": "0f1e2d3c" })));
    assert_eq!(visitor.call("trouble", "x", &said).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn mf_54_mf_59_mf_60_ceremonies_are_counted_by_purpose_outcome_and_browser_and_the_first_wrong_origin_warns()
 {
    let site = Site::with_passkeys(everyone()).await;
    let log = super::super::audit::Log::start();
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device).await;
    site.browser().sign_in_with(&mut device, json!({})).await;
    device.origin = "https://www.forum.example".to_owned();
    for _ in 0..2 {
        assert_eq!(site.browser().sign_in_with(&mut device, json!({})).await.refusal().1, "origin_mismatch");
    }
    (device.origin, device.rp_id) = (ORIGIN_OF_SITE.to_owned(), "example".to_owned());
    assert_eq!(site.browser().sign_in_with(&mut device, json!({})).await.refusal().1, "passkey_failed");
    let csrf = browser.member_csrf().await;
    for name in ["SecurityError", "my password"] {
        browser.call("trouble", &csrf, &json!({ "purpose": "add", "name": name })).await;
    }
    let counted: Vec<_> = site
        .passkey_counts
        .all()
        .into_iter()
        .map(|(count, number)| {
            assert_eq!(count.client, "firefox");
            (count.ceremony, count.outcome, number)
        })
        .collect();
    assert_eq!(
        counted,
        [
            ("add", "SecurityError", 1),
            ("add", "ok", 1),
            ("add", "other", 1),
            ("sign-in", "ok", 1),
            ("sign-in", "origin_mismatch", 2),
            ("sign-in", "rp_mismatch", 1),
        ]
    );
    let warnings: Vec<_> =
        log.text().lines().filter(|line| line.contains("server.aliases")).map(str::to_owned).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("\"level\":\"WARN\"") && warnings[0].contains("https://forum.example"));
}
