//! The help page for members. Open to everyone, so that it can be linked from anywhere.

use http::StatusCode;
use serde::Serialize;

use super::super::pages::Page;
use super::super::response::Reply;
use super::super::{Visit, Web};

/// What the page shows besides its words.
#[derive(Default, Serialize)]
pub(in crate::web) struct PasskeyHelpPage {
    account_in_query: String,
    /// Nobody signs in with a password here.
    passkeys_only: bool,
}

impl Page for PasskeyHelpPage {
    const TEMPLATE: &'static str = "help-passkeys.html";

    fn samples() -> Vec<Self> {
        vec![Self::default(), Self { passkeys_only: true, ..Self::default() }]
    }
}

impl Web {
    pub(super) fn passkey_help_page(&self, visit: &Visit<'_>) -> Reply {
        let account = self.ours("/account");
        let page = PasskeyHelpPage {
            account_in_query: form_urlencoded::byte_serialize(account.as_bytes()).collect(),
            passkeys_only: self.passwords_are_off(),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }
}
