use std::pin::Pin;
use std::task::Poll;

use super::*;

const LOGIN: &str = "/.passgate/login";

#[tokio::test]
async fn web_13_the_form_is_plain_html_with_labels_that_password_managers_know() {
    let site = Site::new();
    let page = site.browser().get("/.passgate/login?return_to=%2Fviewtopic.php%3Ft%3D5").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.header("cache-control"), "no-store");
    for part in [
        "method=\"post\" action=\"&#x2f;.passgate/login\"",
        "<label for=\"username\">",
        "<label for=\"password\">",
        "autocomplete=\"username\"",
        "type=\"password\" autocomplete=\"current-password\"",
        "name=\"remember\"",
    ] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert_eq!(page.field("return_to"), "/viewtopic.php?t=5");
    assert!(!page.text().contains("<script>") && !page.text().contains("style="), "nothing inline");
}

/// SECURITY: SES-13.
#[tokio::test]
async fn ses_01_signing_in_hands_out_a_session_and_leads_to_the_page_asked_for() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let page = browser.get("/.passgate/login?return_to=/viewtopic.php?t=5%26p=7").await;
    let (csrf, return_to) = (page.field("csrf"), page.field("return_to"));
    let fields =
        [("csrf", &*csrf), ("return_to", &*return_to), ("username", " ALICE"), ("password", PASSWORD)];
    let answer = browser.post(LOGIN, &fields).await;
    assert_eq!((answer.status(), answer.location()), (StatusCode::SEE_OTHER, "/viewtopic.php?t=5&p=7"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let cookie = answer.session_cookie();
    assert!(
        cookie.starts_with("__Host-passgate=")
            && cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/")
    );
    assert!(site.live(browser.session().unwrap()));
    let again = browser.get("/.passgate/login?return_to=/x").await;
    assert_eq!((again.status(), again.location()), (StatusCode::SEE_OTHER, "/x"), "signed in already");
}

#[tokio::test]
async fn stay_signed_in_is_off_until_it_is_ticked() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let page = browser.get(LOGIN).await;
    assert!(!page.text().contains("checked"));
    let csrf = page.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("remember", "1"), ("password", "wrong")];
    assert!(browser.post(LOGIN, &fields).await.text().contains("checked"), "kept");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("remember", "1"), ("password", PASSWORD)];
    assert!(browser.post(LOGIN, &fields).await.session_cookie().ends_with("; Max-Age=2592000"));
}

#[tokio::test]
async fn sib_17_a_shared_computer_keeps_nothing_and_its_session_ends_soon() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let both = [("csrf", &*csrf), ("username", "alice"), ("remember", "1"), ("shared", "1")];
    let wrong = browser.post(LOGIN, &[&both[..], &[("password", "wrong")]].concat()).await;
    assert!(wrong.text().contains("name=\"shared\" value=\"1\" checked"), "what was ticked is kept");
    let answer = browser.post(LOGIN, &[&both[..], &[("password", PASSWORD)]].concat()).await;
    assert!(!answer.session_cookie().contains("Max-Age"), "until the browser is closed");
    assert_eq!(answer.set_cookies().len(), 1, "no device is known by it: {:?}", answer.set_cookies());
    let used = Duration::from_secs(14 * 60);
    for _ in 0..8 {
        site.clock.advance(used);
        assert!(site.live(browser.session().unwrap()));
    }
    let mut confirming = browser;
    let page = confirming.get("/.passgate/login?again=1&return_to=/x").await;
    let csrf = page.text().rsplit_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = [("csrf", csrf), ("again", "1"), ("username", "alice"), ("password", PASSWORD)];
    let answer = confirming.post(LOGIN, &fields).await;
    assert_eq!(answer.set_cookies().len(), 1, "nor after confirming: {:?}", answer.set_cookies());
    site.clock.advance(used);
    assert!(site.live(confirming.session().unwrap()), "a fresh sign-in makes a fresh session …");
    site.clock.advance(Duration::from_secs(15 * 60));
    assert!(!site.live(confirming.session().unwrap()), "… which is no longer one than the first");
}

#[tokio::test]
async fn sib_17_a_session_on_a_shared_computer_is_still_one_after_a_restart() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("shared", "1"), ("password", PASSWORD)];
    browser.post(LOGIN, &fields).await;
    let id = SessionToken::parse(browser.session().unwrap()).unwrap().hash();
    let alice = site.store.user_by_name("alice").unwrap().unwrap().profile.id;
    assert_eq!(site.store.session(alice, id).unwrap().unwrap().persistence, Persistence::Shared);
}

#[tokio::test]
async fn l5_thr_13_unknown_name_wrong_password_and_disabled_get_one_answer() {
    let site = Site::with_alice().await;
    let bob = site.add("bobby").await;
    site.accounts.disable(bob.profile.id).await.unwrap();
    let mut browser = site.browser();
    browser.get(LOGIN).await;
    let mut answers = Vec::new();
    let hashes = site.passwords.hashes();
    for (name, password) in
        [("alice", "wrong"), ("bobby", PASSWORD), ("bobby", "wrong"), ("nemo1", PASSWORD), ("\u{202e}", "x")]
    {
        let answer = browser.sign_in(name, password).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        let fields: Vec<_> =
            answer.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| name != "content-length").collect();
        answers.push((fields, answer.text().replace(&format!("value=\"{name}\""), "value=\"?\"")));
    }
    answers.iter().for_each(|answer| assert_eq!(answer, &answers[0]));
    assert_eq!(site.passwords.hashes() - hashes, 5, "and the same work");
    assert!(
        answers[0].1.contains("role=\"alert\"")
            && answers[0].1.contains("The name or the password is not right.")
    );
    assert_eq!(site.sessions.count(), 0);
}

#[tokio::test]
async fn mf_24_an_e_mail_address_in_place_of_the_name_is_the_same_account() {
    let site = Site::new();
    site.add_with_email("alice", "Alice@Wonderland.example").await;
    for typed in ["alice@wonderland.example", " ALICE@wonderland.EXAMPLE ", "Alice"] {
        let mut browser = site.browser();
        assert_eq!(browser.sign_in(typed, PASSWORD).await.status(), StatusCode::SEE_OTHER, "{typed}");
        assert!(browser.get("/.passgate/account").await.text().contains("<bdi>alice</bdi>"), "{typed}");
    }
    for typed in ["alice@wonderland", "lice@wonderland.example", "@wonderland.example"] {
        let refused = site.browser().sign_in(typed, PASSWORD).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
    }
}

#[tokio::test]
async fn mf_24_bp_50_an_address_of_two_is_nobodys_and_looks_like_one_that_nobody_has() {
    let site = Site::new();
    let log = super::audit::Log::start();
    site.add_with_email("alice", "both@wonderland.example").await;
    site.add_with_email("bob", "BOTH@wonderland.example").await;
    let mut browser = site.browser();
    browser.get(LOGIN).await;
    let mut answers = Vec::new();
    let hashes = site.passwords.hashes();
    for typed in ["both@wonderland.example", "none@wonderland.example"] {
        let answer = browser.sign_in(typed, PASSWORD).await;
        answers.push((answer.status(), answer.text().replace(typed, "?")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.passwords.hashes() - hashes, 2, "L5: and the same work");
    let reasons: Vec<_> = log.events().into_iter().map(|(_, reason, _)| reason).collect();
    assert_eq!(reasons, ["shared-e-mail", "unknown-name"], "the operator can tell");
    assert_eq!(site.browser().sign_in("bob", PASSWORD).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn mf_24_a_name_that_looks_like_anothers_address_stays_a_name() {
    let site = Site::new();
    site.add_with_email("alice", "alice@wonderland.example").await;
    site.add_with_email("alice@wonderland.example", "mallory@wonderland.example").await;
    let mut browser = site.browser();
    browser.sign_in("alice@wonderland.example", PASSWORD).await;
    let account = browser.get("/.passgate/account").await;
    assert!(account.text().contains("<bdi>alice@wonderland.example</bdi>"), "names come first");
}

#[tokio::test]
async fn web_01_a_form_from_elsewhere_is_refused_and_sets_no_cookie() {
    let site = Site::with_alice().await;
    for (case, origin, fetch_site) in [
        ("nothing at all", None, None),
        ("another origin", Some("https://evil.example"), None),
        ("another scheme", Some("http://forum.example"), None),
        ("another port", Some("https://forum.example:8443"), None),
        ("a longer name", Some("https://forum.example.evil.example"), None),
        ("null", Some("null"), Some("same-origin")),
        ("cross-site", None, Some("cross-site")),
        ("a sibling host", Some("https://forum.example"), Some("same-site")),
        ("nonsense", None, Some("same-origin, cross-site")),
    ] {
        let mut browser = site.browser();
        let csrf = browser.get(LOGIN).await.field("csrf");
        // Even the right value does not help a form from elsewhere; without one it takes a word of the browser.
        let csrf = if origin.or(fetch_site).is_some() { csrf } else { String::new() };
        let mut request = Request::post(LOGIN);
        for (name, value) in [("origin", origin), ("sec-fetch-site", fetch_site)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        let fields = [("csrf", &*csrf), ("username", "alice"), ("password", PASSWORD)];
        let answer = browser.post_as(request, &fields).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{case}");
        assert!(answer.set_cookies().is_empty(), "{case}");
    }
    let twice = Request::post(LOGIN).header(ORIGIN, ORIGIN_OF_SITE).header(ORIGIN, ORIGIN_OF_SITE);
    assert_eq!(site.browser().post_as(twice, &[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(site.sessions.count(), 0);
}

#[tokio::test]
async fn a_program_that_keeps_cookies_signs_in_without_saying_where_from() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("password", PASSWORD)];
    let answer = browser.post_as(Request::post(LOGIN), &fields).await;
    assert_eq!((answer.status(), answer.location()), (StatusCode::SEE_OTHER, "/"));
}

#[tokio::test]
async fn web_01_the_value_of_one_browser_is_no_good_in_another() {
    let site = Site::with_alice().await;
    let theirs = site.browser().get(LOGIN).await.field("csrf");
    let mut browser = site.browser();
    browser.get(LOGIN).await;
    let fields = [("csrf", &*theirs), ("username", "alice"), ("password", PASSWORD)];
    let answer = browser.post(LOGIN, &fields).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.session(), None);
}

#[tokio::test]
async fn without_our_cookie_the_form_comes_back_kindly_and_then_works() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    browser.jar.clear();
    let fields = [("csrf", &*csrf), ("username", "alice"), ("return_to", "/x"), ("password", PASSWORD)];
    let answer = browser.post(LOGIN, &fields).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().contains("did not send back our cookie") && !answer.text().contains(PASSWORD));
    assert_eq!((answer.field("username"), answer.field("return_to")), ("alice".to_owned(), "/x".to_owned()));
    let csrf = answer.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("return_to", "/x"), ("password", PASSWORD)];
    assert_eq!(browser.post(LOGIN, &fields).await.location(), "/x");
}

#[tokio::test]
async fn thr_11_what_is_too_much_is_refused_before_hashing() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let hashes = site.passwords.hashes();
    let right = [("csrf", &*csrf), ("username", "alice"), ("password", PASSWORD)];
    let long = "x".repeat(4_096);
    let many: Vec<String> = (0..30).map(|number| format!("field{number}")).collect();
    let many = many.iter().map(|name| (&**name, "")).collect::<Vec<_>>();
    let password = "x".repeat(1_001);
    for (case, fields, status) in [
        ("body", [&right[..], &[("more", &*long)]].concat(), StatusCode::PAYLOAD_TOO_LARGE),
        ("fields", [&right[..], &many].concat(), StatusCode::BAD_REQUEST),
        ("a field twice", [&right[..], &right[1..2]].concat(), StatusCode::BAD_REQUEST),
        ("password", [&right[..2], &[("password", &*password)]].concat(), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(browser.post(LOGIN, &fields).await.status(), status, "{case}");
    }
    let request = Request::post(LOGIN).header(ORIGIN, ORIGIN_OF_SITE).header(CONTENT_TYPE, FORM);
    let garbled = format!("csrf={csrf}&username=alice&password=%ff");
    assert_eq!(browser.send_body(request, garbled).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(site.passwords.hashes(), hashes);
    let csrf_and_name = form_urlencoded::Serializer::new(String::new()).extend_pairs(right).finish().len();
    let filler = "x".repeat(4_096 - csrf_and_name - "&more=".len());
    let at_the_limit = [&right[..], &[("more", &*filler)]].concat();
    assert_eq!(browser.post(LOGIN, &at_the_limit).await.status(), StatusCode::SEE_OTHER);
}

/// Fills the queue with hashes that take longer than anybody waits; they stay there for as long as the result is kept.
async fn fill_queue(site: &Site) -> Vec<Pin<Box<dyn Future<Output = ()> + '_>>> {
    let mut hashes: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for _ in 0..70 {
        hashes.push(Box::pin(async { drop(site.passwords.hash(Secret::new("x".to_owned())).await) }));
    }
    std::future::poll_fn(|context| {
        hashes.iter_mut().for_each(|hash| {
            let _ = hash.as_mut().poll(context);
        });
        Poll::Ready(())
    })
    .await;
    hashes
}

#[tokio::test]
async fn thr_09_too_many_at_once_are_asked_to_try_again_with_what_they_typed() {
    let slow = HashingCost { memory_kib: 64 * 1024, iterations: 16, parallelism: 1 };
    let site = Site::made(options(), slow, None).unwrap();
    let new =
        NewUser { name: UserName::parse("alice").unwrap(), full_name: None, email: None, groups: vec![] };
    let user = site.accounts.add(new, None).await.unwrap();
    let token = site.accounts.link(user.profile.id, LinkKind::SetUp).await.unwrap().to_text().to_string();
    let _waiting = fill_queue(&site).await;
    let mut browser = site.browser();
    let answer = browser.sign_in("alice", PASSWORD).await;
    assert_eq!((answer.status(), answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert!(answer.text().contains("A lot of people are signing in") && !answer.text().contains(PASSWORD));
    assert_eq!(answer.field("username"), "alice");
    let answer = browser.post("/.passgate/setup", &[("token", &token), ("password", PASSWORD)]).await;
    assert_eq!((answer.status(), answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert!(answer.text().contains("your link still works"));
    assert_eq!(answer.field("token"), token);
}

#[tokio::test]
async fn web_02_only_a_form_posted_as_a_form_signs_in() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let body = format!("csrf={csrf}&username=alice&password={}", PASSWORD.replace(' ', "+"));
    for content_type in
        [None, Some("text/plain"), Some("application/json"), Some("multipart/form-data; boundary=x")]
    {
        let request = Request::post(LOGIN).header(ORIGIN, ORIGIN_OF_SITE);
        let request =
            content_type.into_iter().fold(request, |request, value| request.header(CONTENT_TYPE, value));
        let answer = browser.send_body(request, body.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type:?}");
    }
    for overriding in ["x-http-method-override", "x-method-override", "x-http-method"] {
        let request = Request::get(format!("{LOGIN}?_method=POST&{body}")).header(overriding, "POST");
        assert_eq!(browser.send(request).await.status(), StatusCode::OK, "shows the form");
    }
    let put = browser.send(Request::put(LOGIN)).await;
    assert_eq!((put.status(), put.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, POST"));
    assert_eq!(site.sessions.count(), 0);
    let request =
        Request::post(LOGIN).header(CONTENT_TYPE, "Application/X-WWW-Form-UrlEncoded; charset=UTF-8");
    assert_eq!(browser.send_body(request, body).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s1_a_cookie_that_is_good_for_nothing_is_taken_back_and_never_adopted() {
    let site = Site::with_alice().await;
    let planted = SessionToken::generate().to_text().to_string();
    for value in [planted.as_str(), "rubbish", ""] {
        let mut browser = site.browser();
        browser.jar.insert("__Host-passgate".to_owned(), value.to_owned());
        let page = browser.get(LOGIN).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.set_cookies().iter().any(|cookie| cookie.contains("Max-Age=0")), "{value}");
        assert_eq!(browser.session(), None);
    }
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    browser.jar.insert("__Host-passgate".to_owned(), planted.clone());
    browser.post(LOGIN, &[("csrf", &csrf), ("username", "alice"), ("password", PASSWORD)]).await;
    assert!(!site.live(&planted) && site.live(browser.session().unwrap()));
}

#[tokio::test]
async fn s1_confirming_who_you_are_starts_a_new_session_and_ends_the_old() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let old = browser.session().unwrap().clone();
    let page = browser.get("/.passgate/login?return_to=/admin/&again=1").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().contains("Please confirm it’s you") && page.text().contains("readonly"));
    assert_eq!((page.field("username"), page.field("again")), ("alice".to_owned(), "1".to_owned()));
    let csrf =
        page.text().rsplit_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let mut fields = vec![
        ("csrf", &*csrf),
        ("return_to", "/admin/"),
        ("again", "1"),
        ("username", "alice"),
        ("password", "wrong"),
    ];
    let refused = browser.post(LOGIN, &fields).await;
    assert!(refused.text().contains("Please confirm it’s you") && site.live(&old));
    fields[4].1 = PASSWORD;
    assert_eq!(browser.post(LOGIN, &fields).await.location(), "/admin/");
    assert!(!site.live(&old) && site.live(browser.session().unwrap()));
}

#[tokio::test]
async fn confirming_who_you_are_keeps_you_signed_in_as_long_as_before() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("remember", "1"), ("password", PASSWORD)];
    browser.post(LOGIN, &fields).await;
    let page = browser.get("/.passgate/login?return_to=/admin/&again=1").await;
    assert!(!page.text().contains("name=\"remember\""), "nothing to choose: it was chosen");
    let csrf = page.text().rsplit_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = [("csrf", csrf), ("again", "1"), ("username", "alice"), ("password", PASSWORD)];
    assert!(browser.post(LOGIN, &fields).await.session_cookie().ends_with("; Max-Age=2592000"));
}

#[tokio::test]
async fn web_03_no_hostile_target_comes_through_the_form() {
    let site = Site::with_alice().await;
    for hostile in
        ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:x"]
    {
        let mut browser = site.browser();
        let query: String = form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        let page = browser.get(&format!("{LOGIN}?return_to={query}")).await;
        assert_eq!(page.field("return_to"), "/", "{hostile}");
        let csrf = page.field("csrf");
        let fields =
            [("csrf", &*csrf), ("return_to", hostile), ("username", "alice"), ("password", PASSWORD)];
        assert_eq!(browser.post(LOGIN, &fields).await.location(), "/", "{hostile}");
    }
}

#[tokio::test]
async fn a_long_target_never_leaves_the_password_without_room() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let target = format!("/search?q={}", "%D0%B0".repeat(300));
    let query: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
    let page = browser.get(&format!("{LOGIN}?return_to={query}")).await;
    assert_eq!(page.field("return_to"), "", "the front page instead");
}

#[tokio::test]
async fn web_08_what_was_typed_is_shown_as_text() {
    let site = Site::new();
    let hostile = "<'\">&\u{202e}{{7*7}}<script>alert(1)</script>";
    let answer = site.browser().sign_in(hostile, "x").await;
    assert!(answer.text().contains("value=\"&lt;&#x27;&quot;&gt;&amp;\u{202e}{{7*7}}&lt;script&gt;"));
    assert!(!answer.text().contains("<script>alert"));
}

#[tokio::test]
async fn a_link_can_choose_a_notice_but_not_write_one() {
    let site = Site::new();
    let page =
        async |query: &str| site.browser().get(&format!("{LOGIN}?notice={query}")).await.text().to_owned();
    assert!(page("signed-out").await.contains("You’re signed out."));
    assert!(page("password-set").await.contains("Your new password is saved."));
    assert!(!page("Call+0900").await.contains("0900"));
}

#[tokio::test]
async fn mf_46_the_sign_in_page_leads_to_the_applications_own_recovery() {
    let recovery_url = Some("/ucp.php?mode=sendpassword&lost=\"1".to_owned());
    let site = Site::with(PageOptions { recovery_url, ..options() }).unwrap();
    let link = "href=\"&#x2f;ucp.php?mode=sendpassword&amp;lost=&quot;1\"";
    let mut browser = site.browser();
    assert_eq!(browser.get(LOGIN).await.text().matches(link).count(), 1);
    let refused = browser.sign_in("nobody", "a wrong password").await;
    assert_eq!(refused.text().matches(link).count(), 2, "beside the words of what went wrong, too");
    assert!(!Site::new().browser().get(LOGIN).await.text().contains("get a new password"));
}
