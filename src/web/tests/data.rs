use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::passkeys::{device, everyone};
use super::*;
use crate::auth::app_passwords::{MadeAppPassword, NewAppPassword};
use crate::domain::PasskeyName;

const DATA: &str = "/.passgate/account/data";
const EXPORT: &str = "/.passgate/account/data/export";

/// Every spelling in which these bytes might be told.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![hex.to_uppercase(), hex, STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes), format!("{bytes:?}")]
}

#[tokio::test]
async fn sib_14_ops_03_a_member_takes_all_along_but_what_checks_a_secret() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device).await;
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    let link = site.accounts.link(alice.profile.id, LinkKind::Reset).await.unwrap();
    site.browser().sign_in("alice", "wrong").await;
    let live = site.sessions.check(&SessionToken::parse(browser.session().unwrap()).unwrap()).unwrap();
    let new = NewAppPassword { name: PasskeyName::parse("Reader").unwrap(), chosen: None };
    let made = site.accounts.make_app_password(&live, new, 1, vec![]).await.unwrap();
    let MadeAppPassword::Made(app_password) = made else { panic!("{made:?}") };
    let page = browser.get(DATA).await;
    let csrf = page.field("csrf");
    let answer = browser.post(EXPORT, &[("csrf", &csrf)]).await;
    assert_eq!((answer.status(), answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"my-account.json\"");
    assert_eq!(answer.header("cache-control"), "no-store");
    let said: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(said["account"]["email"], "alice@wonderland.example");
    assert_eq!(said["account"]["has_password"], true);
    assert_eq!(said["passkeys"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&said["sessions"][0]["by"], &said["sessions"][0]["is_this_one"]),
        (&"password".into(), &true.into())
    );
    assert_eq!(said["wrong_passwords"], 1);
    assert_eq!(said["app_passwords"][0]["name"], "Reader");
    assert!(said["app_passwords"].as_array().unwrap().len() == 1 && !answer.text().contains("hash"));
    assert!(!answer.text().contains(&*app_password.shown()));
    let events: Vec<_> = said["events"].as_array().unwrap().iter().map(|event| &event["what"]).collect();
    assert_eq!(events, ["wrong-password", "link-made", "passkey-added", "signed-in-by-password"]);
    assert_eq!(said["events"][0]["network"], "127.0.0.0/24");

    let token = SessionToken::parse(browser.session().unwrap()).unwrap();
    let passkey = &site.store.passkeys_of(alice.profile.id).unwrap()[0];
    let user = site.store.user(alice.profile.id).unwrap().unwrap();
    let mut secrets = vec![
        PASSWORD.to_owned(),
        user.password.unwrap(),
        browser.session().unwrap().clone(),
        csrf,
        passkey.credential.clone(),
        token.hash().short(),
        passkey.id.handle(),
        link.to_text().to_string(),
    ];
    secrets.extend(browser.jar.values().cloned());
    for bytes in [&token.hash().0[..], &link.hash().0, passkey.id.as_bytes()] {
        secrets.extend(spellings(bytes));
    }
    for secret in secrets {
        assert!(!secret.is_empty() && !answer.text().contains(&secret), "{secret} in {}", answer.text());
    }
}

#[tokio::test]
async fn sib_14_it_takes_a_fresh_sign_in_and_our_own_form() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.get(DATA).await.field("csrf");
    assert_eq!(browser.get(EXPORT).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.post(EXPORT, &[("csrf", "x")]).await.status(), StatusCode::FORBIDDEN);
    site.clock.advance(Duration::from_secs(301));
    let answer = browser.post(EXPORT, &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fdata&again=1");
    for path in [DATA, EXPORT] {
        let stranger = site.browser().post(path, &[("csrf", &csrf)]).await;
        assert!(!stranger.text().contains("alice"), "{path}");
    }
}
