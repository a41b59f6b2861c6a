//! The pages for app passwords, with which members let programs in that can't show a page. What one is and what it opens is decided
//! in `auth::app_passwords`; programs themselves never come here.
//!
//! Where they are switched off nothing answers at these addresses, and no other page speaks of them.

mod list;
mod make;
mod remove;

pub(super) use list::AppPasswordList;
pub(super) use make::{AppPasswordPage, MakeAppPasswordPage};
pub(super) use remove::RemoveAppPasswordPage;

use bytes::Bytes;
use http::{Method, Request, Response};

use super::response::Reply;
use super::{Member, Problem, Visit, Web};
use crate::domain::ReturnTo;

/// What has to do with app passwords below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Make,
    Remove,
}

impl Route {
    /// The part of the list of routes that is about app passwords.
    pub(super) fn of(rest: &str) -> Option<Self> {
        Some(match rest {
            "/account/app-passwords" => Self::Make,
            "/account/app-passwords/remove" => Self::Remove,
            _ => return None,
        })
    }

    /// The methods it answers, for `Allow`.
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Make | Self::Remove => "GET, HEAD, POST",
        }
    }
}

impl Web {
    /// Answers at one of these addresses.
    pub(super) async fn answer_app_passwords(
        &self,
        route: Route,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let options = self.parts.app_passwords.as_ref().ok_or(Problem::NotFound)?;
        match (request.method(), route) {
            (&Method::GET | &Method::HEAD, Route::Make) => self.make_app_password_page(options, visit),
            (&Method::GET | &Method::HEAD, Route::Remove) => self.remove_app_password_page(request, visit),
            (&Method::POST, Route::Make) => self.make_app_password(options, request, visit).await,
            (&Method::POST, Route::Remove) => self.remove_app_password(request, visit).await,
            _ => Err(Problem::MethodNotAllowed(Some(route.allow()))),
        }
    }

    /// What has to come before an app password is made or removed (SECURITY: BP-63); none if the member has just shown who they
    /// are, with all that is asked of them.
    fn before_app_passwords(
        &self,
        member: &Member<'_>,
        here: &ReturnTo,
        visit: &Visit<'_>,
    ) -> Result<Option<Response<Bytes>>, Problem> {
        if let Some(first) = self.awaited_first(member, here) {
            return Ok(Some(first));
        }
        Ok(self.proof_first(member, visit)?.map(|reason| self.to_login(here, reason)))
    }

    /// An address of ours, as a return target.
    fn app_passwords(&self, rest: &str) -> ReturnTo {
        ReturnTo::parse(&self.ours(&format!("/account/app-passwords{rest}")), &self.parts.prefix)
    }
}

/// A path pattern as members read it: `/feed/…`.
fn in_words(pattern: &str) -> String {
    pattern.replace("**", "…").replace('*', "…")
}
