//! The pages and the JSON that have to do with passkeys. What a ceremony proves is decided in `auth::passkeys`; here is
//! who may ask, and in which words the answer goes to the member and to the script.
//!
//! Where passkeys are switched off nothing answers at these addresses, and no other page speaks of them.

mod add;
mod api;
mod choice;
mod confirm;
mod counts;
mod help;
mod list;
mod manage;
mod refused;
mod signal;
mod welcome;

pub(super) use add::AddPasskeyPage;
pub(super) use confirm::ConfirmPasskeyPage;
pub use counts::{PasskeyCount, PasskeyCounts};
pub(super) use help::PasskeyHelpPage;
pub(super) use list::PasskeyList;
pub(super) use manage::{RemovePasskeyPage, RenamePasskeyPage};
pub(super) use welcome::WelcomePage;

use bytes::Bytes;
use http::{Method, Request};

use super::response::Reply;
use super::{Problem, Visit, Web};
use crate::auth::passkeys::Passkeys;
use crate::domain::{Passkey, ReturnTo, UserId};

/// What has to do with passkeys below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Add,
    Begin(Purpose),
    Finish(Purpose),
    Help,
    Remove,
    Rename,
    Trouble,
    Use,
    Welcome,
}

/// What a ceremony is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Add,
    SignIn,
    StepUp,
}

impl Route {
    /// The part of the list of routes that is about passkeys.
    pub(super) fn of(rest: &str) -> Option<Self> {
        Some(match rest {
            "/account/passkeys/add" => Self::Add,
            "/account/passkeys/remove" => Self::Remove,
            "/account/passkeys/rename" => Self::Rename,
            "/account/passkeys/use" => Self::Use,
            "/api/passkeys/add/begin" => Self::Begin(Purpose::Add),
            "/api/passkeys/add/finish" => Self::Finish(Purpose::Add),
            "/api/passkeys/sign-in/begin" => Self::Begin(Purpose::SignIn),
            "/api/passkeys/sign-in/finish" => Self::Finish(Purpose::SignIn),
            "/api/passkeys/step-up/begin" => Self::Begin(Purpose::StepUp),
            "/api/passkeys/step-up/finish" => Self::Finish(Purpose::StepUp),
            "/api/passkeys/trouble" => Self::Trouble,
            "/help/passkeys" => Self::Help,
            "/welcome" => Self::Welcome,
            _ => return None,
        })
    }

    /// The methods it answers, for `Allow`.
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Add | Self::Help => "GET, HEAD",
            Self::Begin(_) | Self::Finish(_) | Self::Trouble | Self::Use => "POST",
            Self::Remove | Self::Rename | Self::Welcome => "GET, HEAD, POST",
        }
    }
}

impl Web {
    /// Answers at one of these addresses.
    pub(super) async fn answer_passkeys(
        &self,
        route: Route,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let passkeys = self.parts.passkeys.as_deref().ok_or(Problem::NotFound)?;
        match (request.method(), route) {
            (&Method::GET | &Method::HEAD, Route::Add) => self.add_passkey_page(passkeys, request, visit),
            (&Method::GET | &Method::HEAD, Route::Help) => self.passkey_help_page(visit),
            (&Method::GET | &Method::HEAD, Route::Remove) => {
                self.remove_passkey_page(passkeys, request, visit)
            }
            (&Method::GET | &Method::HEAD, Route::Rename) => {
                self.rename_passkey_page(passkeys, request, visit)
            }
            (&Method::GET | &Method::HEAD, Route::Welcome) => self.welcome_page(passkeys, request, visit),
            (&Method::POST, Route::Begin(purpose)) => {
                self.begin_ceremony(passkeys, purpose, request, visit).await
            }
            (&Method::POST, Route::Finish(purpose)) => {
                self.finish_ceremony(passkeys, purpose, request, visit).await
            }
            (&Method::POST, Route::Remove) => self.remove_passkey(passkeys, request, visit).await,
            (&Method::POST, Route::Rename) => self.rename_passkey(passkeys, request, visit).await,
            (&Method::POST, Route::Trouble) => self.note_trouble(passkeys, request, visit),
            (&Method::POST, Route::Use) => self.choose_passkey_use(passkeys, request, visit).await,
            (&Method::POST, Route::Welcome) => self.leave_welcome(request, visit),
            _ => Err(Problem::MethodNotAllowed(Some(route.allow()))),
        }
    }

    /// All passkeys of a member, or none of the answer.
    fn passkeys_of(
        &self,
        passkeys: &Passkeys,
        member: UserId,
        visit: &Visit<'_>,
    ) -> Result<Vec<Passkey>, Problem> {
        passkeys.of(member).map_err(|error| self.store_failed(&error, visit))
    }

    /// A return target as typed into a link or a form; empty for none, which means the account page.
    pub(super) fn optional_return(&self, text: &str) -> String {
        if text.is_empty() { String::new() } else { ReturnTo::parse(text, &self.parts.prefix).to_string() }
    }
}
