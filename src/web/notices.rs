//! Telling members by mail what happened to their account, beside the log's events.

use http::HeaderMap;
use http::header::USER_AGENT;

use super::{Visit, Web};
use crate::auth::browser_name;
use crate::auth::events::{self, What};
use crate::auth::mail::{Happened, Letter, Notice};
use crate::domain::{Profile, UserId};
use crate::store::{Change, StoreError};

impl Web {
    /// The mail that tells this member of something done in this browser; to be applied with what it tells of. None where no
    /// mail is sent, or the member has no address.
    pub(super) fn notice(
        &self,
        what: Happened,
        member: &Profile,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Option<Change> {
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let notice = Notice { what, browser: browser_name(user_agent), client: Some(visit.client) };
        let mail = self.parts.mail.as_ref()?;
        mail.hand_in(member.id, member.email.as_deref(), Letter::Notice(notice))
    }

    /// Tells a member of something that has been done. What goes wrong with that is in the log, and stops nobody.
    pub(super) async fn notify(
        &self,
        what: Happened,
        member: UserId,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) {
        let Some(mail) = &self.parts.mail else { return };
        let told = async {
            let Some(user) = self.parts.accounts.by_id(member)? else { return Ok(()) };
            mail.apply(self.notice(what, &user.profile, headers, visit)).await
        };
        if let Err(error) = told.await {
            let _ = self.store_failed(&error, visit);
        }
    }

    /// Tells a member who has just signed in, if it was not in a browser that is known as one of theirs (THR-02). To be called
    /// before their event is kept: nobody is told of the first time of all.
    pub(super) async fn notify_if_new(&self, member: UserId, headers: &HeaderMap, visit: &Visit<'_>) {
        if self.parts.mail.is_none() {
            return;
        }
        let is_new = || -> Result<bool, StoreError> {
            let Some(user) = self.parts.accounts.by_id(member)? else { return Ok(false) };
            let is_known = self.parts.throttle.device(&self.marks(headers), &user).is_some();
            let signed_in = |event: &events::Happened| {
                matches!(
                    event.what,
                    What::SignedInByLink | What::SignedInByPasskey | What::SignedInByPassword
                )
            };
            Ok(!is_known && self.parts.accounts.events(member)?.iter().any(signed_in))
        };
        match is_new() {
            Ok(true) => self.notify(Happened::NewBrowser, member, headers, visit).await,
            Ok(false) => {}
            Err(error) => drop(self.store_failed(&error, visit)),
        }
    }
}
