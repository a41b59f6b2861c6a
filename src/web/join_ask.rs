//! The page on which somebody who wants to join says at which address, and gets a link by mail.
//!
//! SECURITY: AUTH-14. Nobody learns here who has an account: the answer is one and the same, byte for byte, and so is the work; what
//! depends on whether the address has one is in the mail.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::request::Form;
use super::response::Reply;
use super::tied::Tie;
use super::{Problem, Visit, Web};
use crate::auth::joining::options::JoinMode;
use crate::auth::throttle::{Way, Who};
use crate::domain::MailAddress;

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct JoinAskPage {
    csrf: String,
    /// Whether a mail is on its way.
    sent: bool,
    /// What was typed, if the form is shown once more.
    typed: String,
    trouble: Option<Trouble>,
}

/// Why it is.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    /// Too many want to join within this hour.
    Crowded,
    /// No mail can go there.
    Invalid,
    NoCookie,
}

impl Page for JoinAskPage {
    const TEMPLATE: &'static str = "join-ask.html";

    fn samples() -> Vec<Self> {
        let trouble = [Trouble::Crowded, Trouble::Invalid, Trouble::NoCookie]
            .map(|trouble| Self { trouble: Some(trouble), ..Self::default() });
        trouble.into_iter().chain([Self::default(), Self { sent: true, ..Self::default() }]).collect()
    }
}

impl Web {
    /// Whether anybody may join.
    pub(super) fn is_open(&self) -> bool {
        self.parts.joining.mode == JoinMode::Open && self.parts.mail.is_some()
    }

    pub(super) fn join_ask_page(&self, headers: &HeaderMap, visit: &Visit<'_>) -> Reply {
        Ok(self.show_join_ask(JoinAskPage::default(), headers, visit))
    }

    pub(super) async fn ask_to_join(&self, form: &Form, headers: &HeaderMap, visit: &Visit<'_>) -> Reply {
        let Some(mail) = self.parts.mail.as_ref().filter(|_| self.is_open()) else {
            return Err(Problem::NotFound);
        };
        let typed = form.text("email").to_owned();
        let again = |trouble| JoinAskPage { typed, trouble: Some(trouble), ..JoinAskPage::default() };
        if self.tie(form, headers)? == Tie::Lost {
            return Ok(self.show_join_ask(again(Trouble::NoCookie), headers, visit));
        }
        let Some(to) = MailAddress::parse(form.text("email")) else {
            return Ok(self.show_join_ask(again(Trouble::Invalid), headers, visit));
        };
        // Each counts, whatever comes of it: it is dropped here.
        drop(self.reserve(Way::Join, Who::Unknown, visit)?);
        let asked = mail.ask_to_join(to, self.parts.joining.per_hour).await;
        if !asked.map_err(|error| self.store_failed(&error, visit))? {
            audit::record(Event::JoiningCrowded, None, visit);
            return Ok(self.show_join_ask(again(Trouble::Crowded), headers, visit));
        }
        audit::record(Event::JoiningAskedFor, None, visit);
        Ok(self.show_join_ask(JoinAskPage { sent: true, ..JoinAskPage::default() }, headers, visit))
    }

    fn show_join_ask(&self, page: JoinAskPage, headers: &HeaderMap, visit: &Visit<'_>) -> Response<Bytes> {
        let status = match page.trouble {
            None => StatusCode::OK,
            Some(Trouble::Crowded) => StatusCode::TOO_MANY_REQUESTS,
            Some(Trouble::Invalid) => StatusCode::UNPROCESSABLE_ENTITY,
            Some(Trouble::NoCookie) => StatusCode::FORBIDDEN,
        };
        self.tied(status, |csrf| JoinAskPage { csrf, ..page }, headers, visit)
    }
}
