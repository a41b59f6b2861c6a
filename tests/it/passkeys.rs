//! Passkeys through the whole gateway.

use passgate::sample::SampleForum;

use crate::support::browser::Browser;
use crate::support::gateway::{Gateway, Settings};
use crate::support::passkey::Device;

const PASSWORD: &str = "wonderland is far";

#[tokio::test(flavor = "multi_thread")]
async fn bp_41_a_reload_between_the_halves_of_a_ceremony_is_not_noticed_but_by_what_it_forbids() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let gateway = Gateway::with(forum.address(), Settings::NONE).await;
    gateway.add_member("alice", PASSWORD, &[]).await;
    let browser = || Browser::new(gateway.address, &gateway.url());
    let mut device = Device::new(&gateway.url());
    let mut alice = browser();
    let form = alice.get("/.passgate/login").await;
    alice.submit(&form, "password", &[("username", "alice"), ("password", PASSWORD)]).await;

    let renamed = Settings { rest: "[pages]\nsite_name = \"The Other Forum\"", ..Settings::NONE };
    let adding = alice.begin("add", "/.passgate/account").await;
    gateway.reload(forum.address(), renamed).await;
    let answer = device.create(&adding.said["options"]);
    alice.finish(&adding, answer).await.assert_status(200);
    alice.get("/.passgate/account").await.assert_says("The Other Forum").assert_says("alice");

    let mut phone = browser();
    let signing_in = phone.begin("sign-in", "/.passgate/login").await;
    let answer = device.get(&signing_in.said["options"]);
    let off = Settings { rest: "[passkeys]\nrollout = \"off\"", ..Settings::NONE };
    gateway.reload(forum.address(), off).await;
    phone.finish(&signing_in, answer.clone()).await.assert_status(404);
    gateway.reload(forum.address(), Settings::NONE).await;
    phone.finish(&signing_in, answer.clone()).await.assert_status(200);
    phone.finish(&signing_in, answer).await.assert_status(410);
    phone.get("/.passgate/account").await.assert_says("alice");
    let mut another = Device::new(&gateway.url());
    alice.enrol(&mut another).await;
    browser().sign_in_with(&mut another).await.assert_status(200);
}
