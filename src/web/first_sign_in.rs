//! Signing in by a password, and the first sign-in of somebody whom the forum knows and nobody here does: where the operator wants
//! that, they get an account.
//!
//! SECURITY: L5, THR-13. Whatever the forum says but yes, the answer to the visitor is that to a wrong password. How long it
//! takes is the forum's, so that shows which names are not known here.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::audit::{self, Event};
use super::request::user_agent;
use super::{Problem, Visit, Web};
use crate::auth::throttle::Way;
use crate::auth::{Accounts, Attempt, LiveSession, NewUser, RefusedBecause, SignInOutcome};
use crate::bridge::{ForumAccounts, Unclaimed, Visitor};
use crate::domain::{Persistence, Secret, UserName};
use crate::store::StoreError;

/// How long the visitor waits for the forum. It is asked to the end all the same, and the next try finds the account.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was typed into the sign-in form.
pub(super) struct Typed<'t> {
    pub(super) name: &'t str,
    pub(super) password: Secret<String>,
    pub(super) persistence: Persistence,
    pub(super) way: Way,
}

/// What came of asking the forum about somebody.
enum Welcome {
    /// They have an account now.
    Made(Unclaimed),
    /// Another request was quicker: there is an account of that name.
    Known,
    /// Too many are signing in at this moment.
    Busy,
    /// Nothing, for the reason of this code.
    Nothing(&'static str),
}

impl Web {
    /// Whether members of the forum whom nobody knows here may come in by it.
    pub(super) fn takes_newcomers(&self) -> bool {
        self.parts.forum.as_ref().is_some_and(|forum| forum.takes_newcomers())
    }

    /// Tries name and password here and, where nobody has the name and the operator wants it, at the forum. With the session
    /// there, if it made one.
    pub(super) async fn sign_in(
        &self,
        typed: &Typed<'_>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<(SignInOutcome, Option<Unclaimed>), Problem> {
        let outcome = self.by_password(typed, headers, visit).await?;
        let SignInOutcome::Refused(RefusedBecause::UnknownName) = outcome else { return Ok((outcome, None)) };
        let at_forum = match self.welcomed(typed, headers, visit).await? {
            None => return Ok((outcome, None)),
            Some(Welcome::Busy) => return Ok((SignInOutcome::Busy, None)),
            Some(Welcome::Nothing(code)) => {
                audit::record(Event::ForumRefused(code), None, visit);
                return Ok((outcome, None));
            }
            Some(Welcome::Known) => None,
            Some(Welcome::Made(at_forum)) => Some(at_forum),
        };
        Ok((self.by_password(typed, headers, visit).await?, at_forum))
    }

    /// The session at the forum that was made before there was one here.
    pub(super) fn go_on_at_forum(&self, session: &LiveSession, at_forum: Unclaimed) {
        if let Some(forum) = &self.parts.forum {
            forum.adopt(session.id(), session.user(), at_forum);
        }
    }

    async fn by_password(
        &self,
        typed: &Typed<'_>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<SignInOutcome, Problem> {
        let trust = self.parts.cookies.trusted(Self::cookie_fields(headers)).token();
        let password = typed.password.clone();
        let attempt = Attempt {
            name: typed.name,
            password,
            persistence: typed.persistence,
            user_agent: user_agent(headers),
            way: typed.way,
            from: visit.client,
            session: visit.member.map(|member| member.session),
            marks: &self.marks(headers),
            trust: trust.as_ref(),
        };
        self.parts.sign_in.by_password(attempt).await.map_err(|error| self.store_failed(&error, visit))
    }

    /// None where the forum is not to be asked. What is begun goes on if the browser goes away.
    async fn welcomed(
        &self,
        typed: &Typed<'_>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<Option<Welcome>, Problem> {
        let Some(forum) = self.parts.forum.clone().filter(|forum| forum.takes_newcomers()) else {
            return Ok(None);
        };
        // SECURITY: AUTH-15. Forums take an e-mail address for a name, too, and an account here goes by a name.
        let Some(name) = UserName::parse(typed.name).ok().filter(|name| !name.key().contains('@')) else {
            return Ok(None);
        };
        let door = Door {
            visitor: forum.visitor(visit.client, headers),
            accounts: Arc::clone(&self.parts.accounts),
            forum,
            request_id: visit.request_id.to_owned(),
            client: visit.client,
        };
        let password = typed.password.clone();
        let welcoming = tokio::spawn(async move { door.welcome(name, password).await });
        match tokio::time::timeout(PATIENCE, welcoming).await {
            Ok(Ok(welcome)) => welcome.map(Some).map_err(|error| self.store_failed(&error, visit)),
            Ok(Err(_)) | Err(_) => Ok(Some(Welcome::Nothing("late"))),
        }
    }
}

/// All it takes to let somebody in, apart from the request they came with.
struct Door {
    forum: Arc<ForumAccounts>,
    accounts: Arc<Accounts>,
    visitor: Visitor,
    request_id: String,
    client: std::net::IpAddr,
}

impl Door {
    async fn welcome(&self, name: UserName, password: Secret<String>) -> Result<Welcome, StoreError> {
        // SECURITY: whom an operator has deleted does not come back by themselves.
        if self.accounts.was_deleted(&name)? {
            return Ok(Welcome::Nothing("deleted"));
        }
        let turn = match self.forum.turn(&name, &self.visitor).await {
            Ok(turn) => turn,
            Err(why) => return Ok(Welcome::Nothing(why.code())),
        };
        if self.accounts.find(&name)?.is_some() {
            turn.forgive();
            return Ok(Welcome::Known);
        }
        let newcomer = match turn.ask(&password, &self.visitor).await {
            Ok(newcomer) => newcomer,
            Err(why) => return Ok(Welcome::Nothing(why.code())),
        };
        let Ok(hash) = self.accounts.hash(password.clone()).await else { return Ok(Welcome::Busy) };
        let new = NewUser { name: newcomer.name, full_name: None, email: None, groups: Vec::new() };
        let user = match self.accounts.add(new, Some(hash)).await {
            Ok(user) => user.profile.id,
            Err(StoreError::NameTaken) => return Ok(Welcome::Known),
            Err(error) => return Err(error),
        };
        let visit = Visit { request_id: &self.request_id, client: self.client, member: None };
        audit::record(Event::AccountMade, Some(user), &visit);
        if let Err(error) = self.forum.keep_password(user, &password).await {
            // The member is asked for it when this session at the forum is over.
            tracing::error!(request_id = self.request_id, %error, "a password for the forum can't be kept");
        }
        Ok(Welcome::Made(newcomer.session))
    }
}
