//! What the script of our pages does with passkeys.

use http::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use super::passkey::Device;

const API: &str = "/.passgate/api/passkeys";

/// A ceremony between its halves.
pub(crate) struct Begun {
    purpose: &'static str,
    /// The anti-forgery value of the page.
    pub(crate) csrf: String,
    /// What the script was told.
    pub(crate) said: Value,
}

impl Browser {
    /// The first half of a ceremony. `page` has the form whose anti-forgery value counts.
    pub(crate) async fn begin(&mut self, purpose: &'static str, page: &str) -> Begun {
        let page = self.get(page).await;
        self.begin_with(purpose, page.form("csrf").value("csrf")).await
    }

    /// As [`Self::begin`], on a page that is open.
    pub(crate) async fn begin_with(&mut self, purpose: &'static str, csrf: &str) -> Begun {
        let csrf = csrf.to_owned();
        let said = self.call(&format!("{purpose}/begin"), &csrf, &json!({})).await.assert_status(200).json();
        Begun { purpose, csrf, said }
    }

    /// A first half that is refused.
    pub(crate) async fn refused(&mut self, purpose: &str, csrf: &str) -> Page {
        self.call(&format!("{purpose}/begin"), csrf, &json!({})).await
    }

    /// The second half.
    pub(crate) async fn finish(&mut self, begun: &Begun, answer: Value) -> Page {
        let body = json!({ "ceremony": begun.said["ceremony"], "answer": answer });
        self.call(&format!("{}/finish", begun.purpose), &begun.csrf, &body).await
    }

    /// Adds a passkey.
    pub(crate) async fn enrol(&mut self, device: &mut Device) {
        let begun = self.begin("add", "/.passgate/account").await;
        let answer = device.create(&begun.said["options"]);
        self.finish(&begun, answer).await.assert_status(200);
    }

    /// Signs in with a passkey.
    pub(crate) async fn sign_in_with(&mut self, device: &mut Device) -> Page {
        let begun = self.begin("sign-in", "/.passgate/login").await;
        let answer = device.get(&begun.said["options"]);
        self.finish(&begun, answer).await
    }

    async fn call(&mut self, what: &str, csrf: &str, body: &Value) -> Page {
        let headers = [("content-type", "application/json"), ("x-csrf-token", csrf)];
        self.ask(Method::POST, &format!("{API}/{what}"), &headers, &body.to_string()).await
    }
}
