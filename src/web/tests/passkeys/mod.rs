//! The pages and the JSON about passkeys, asked by browsers with a cookie jar and a device that signs for real.

mod ceremonies;
mod link;
mod manage;
mod offer;
mod pages;
mod password;
mod required;

use serde_json::{Value, json};

use super::*;
use crate::auth::passkeys::{Challenge, Device, ResidentKey, Rollout, Suggest};
use crate::policy::RequiredFor;

const API: &str = "/.passgate/api/passkeys";
const ACCOUNT: &str = "/.passgate/account";
const ADD: &str = "/.passgate/account/passkeys/add";
const RENAME: &str = "/.passgate/account/passkeys/rename";
const REMOVE: &str = "/.passgate/account/passkeys/remove";

pub(super) fn everyone() -> PasskeyOptions {
    PasskeyOptions {
        rollout: Rollout::Everyone,
        required_for: RequiredFor::Groups(Vec::new()),
        asked_by_rules: RequiredFor::Nobody,
        suggest: Suggest::AfterLogin,
        max_per_user: 2,
        rp_id: "forum.example".to_owned(),
        rp_name: "The Teapot Forum".to_owned(),
        origins: vec![ORIGIN_OF_SITE.to_owned()],
        resident_key: ResidentKey::Required,
    }
}

pub(super) fn device() -> Device {
    let mut device = Device::new();
    device.origin = ORIGIN_OF_SITE.to_owned();
    device.rp_id = "forum.example".to_owned();
    device
}

impl Site {
    /// A site with passkeys and a member `alice`.
    pub(super) async fn with_passkeys(options: PasskeyOptions) -> Self {
        let site = Self::made(super::options(), CHEAP, Some(options)).unwrap();
        site.add("alice").await;
        site
    }
}

impl Browser<'_> {
    /// Posts JSON as the script of our pages does.
    async fn call(&mut self, what: &str, csrf: &str, body: &Value) -> Answer {
        let request = Request::post(format!("{API}/{what}"))
            .header(ORIGIN, ORIGIN_OF_SITE)
            .header("sec-fetch-site", "same-origin")
            .header(CONTENT_TYPE, "application/json")
            .header("x-csrf-token", csrf);
        self.send_body(request, body.to_string()).await
    }

    /// The first half of a ceremony.
    async fn begin(&mut self, purpose: &str, csrf: &str) -> Challenge {
        let answer = self.call(&format!("{purpose}/begin"), csrf, &json!({})).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text());
        let said = answer.json();
        Challenge {
            ceremony: said["ceremony"].as_str().unwrap().to_owned(),
            lifetime: Duration::from_secs(said["lifetime_seconds"].as_u64().unwrap()),
            options: said["options"].clone(),
        }
    }

    /// The second.
    async fn finish(
        &mut self,
        purpose: &str,
        csrf: &str,
        challenge: &Challenge,
        answer: Value,
        more: Value,
    ) -> Answer {
        let mut body = json!({ "ceremony": challenge.ceremony, "answer": answer });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call(&format!("{purpose}/finish"), csrf, &body).await
    }

    /// The anti-forgery value of a member's pages.
    async fn member_csrf(&mut self) -> String {
        self.get(ACCOUNT).await.field("csrf")
    }

    /// Adds a passkey, and gives what the script is told.
    pub(super) async fn enrol(&mut self, device: &mut Device) -> Value {
        let csrf = self.member_csrf().await;
        let challenge = self.begin("add", &csrf).await;
        let answer = device.create(&challenge);
        let done = self.finish("add", &csrf, &challenge, answer, json!({})).await;
        assert_eq!(done.status(), StatusCode::OK, "{}", done.text());
        done.json()
    }

    /// Opens the sign-in page and signs in with a device.
    pub(super) async fn sign_in_with(&mut self, device: &mut Device, more: Value) -> Answer {
        let csrf = self.get("/.passgate/login").await.field("csrf");
        let challenge = self.begin("sign-in", &csrf).await;
        let answer = device.get(&challenge);
        self.finish("sign-in", &csrf, &challenge, answer, more).await
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    /// The parts of a refusal.
    pub(super) fn refusal(&self) -> (u16, String) {
        let said = self.json();
        assert!(!said["message"].as_str().unwrap().is_empty());
        assert_eq!(said["ref"], "0f1e2d3c");
        (self.status().as_u16(), said["code"].as_str().unwrap().to_owned())
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What the page calls the passkey at `location`, which is where its name is given.
fn handle_in(location: &Value) -> String {
    let (_, rest) = location.as_str().unwrap().split_once("passkey=").unwrap();
    rest.split('&').next().unwrap().to_owned()
}
