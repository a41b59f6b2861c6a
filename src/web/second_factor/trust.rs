//! Trusting a browser for a while, and ending that.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use super::super::audit::{self, Event};
use super::super::request::user_agent;
use super::super::response::Reply;
use super::super::{Visit, Web};
use crate::auth::events::What;
use crate::domain::UserId;

impl Web {
    /// The cookie of a browser that is trusted from now on. If something is amiss the member goes on without.
    pub(super) async fn trust_this_browser(
        &self,
        member: UserId,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Option<HeaderValue> {
        let time: Duration = self.parts.second_factors.trust()?;
        match self.parts.second_factors.trust_device(member, user_agent(headers)).await {
            Ok(token) => {
                let token = token?;
                self.note(What::DeviceTrusted, member, headers, visit);
                audit::record(Event::DeviceTrusted, Some(member), visit);
                Some(self.parts.cookies.set_trusted(&token, time))
            }
            Err(error) => {
                let _ = self.store_failed(&error, visit);
                None
            }
        }
    }

    pub(super) async fn end_trust(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let user = member.session.user();
        let ended = self.parts.second_factors.end_trust(user, form.text("device")).await;
        if ended.map_err(|error| self.store_failed(&error, visit))? {
            audit::record(Event::DeviceTrustEnded, Some(user), visit);
        }
        Ok(self.back_to_account("trust-ended"))
    }
}
