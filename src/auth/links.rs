//! One-time links that operators hand to members: to set a first password, to sign in for once, to get back in.
//!
//! **The rule** (SECURITY: L9, AUTH-09). Who holds a link has shown nothing of their own, so a session that a link opened is
//! never a fresh proof of who is there ([`Proof::Link`]): step-up asks for a password or a passkey, and so does every
//! change of credentials. A member who has neither could never answer, so an operator may vouch for them: with a
//! [`LinkKind::Reset`] the link sets a password, *or* it signs in and the session may add one passkey within
//! [`Accounts::GRANT_LIFETIME`]. Either is one change; it uses up the link, and so does any other change of credentials.
//! Looking at a link changes nothing: mail scanners and previews look, too. Where nobody signs in with a password, links that
//! would set one do what a reset does but that.
//!
//! Links are kept as hashes, belong to one account, which has one at a time, and none while it is disabled.

use std::sync::Arc;
use std::time::Duration;

use super::events::{Happened, Seen, What};
use super::passwords::{Busy, WeakPassword};
use super::second_factors::{FactorsMet, mailed};
use super::{Accounts, LiveSession, NewPassword, SessionToken, SetupToken, recovery};
use crate::domain::{
    Clock, LinkKind, Profile, SessionId, SetupLink, Timestamp, TokenHash, User, UserId, UserState,
};
use crate::store::{Change, Store, StoreError, Verdict};

/// How setting a password through a link ended.
#[derive(Debug, PartialEq, Eq)]
pub enum SetupOutcome {
    /// Too much hashing going on; the link still works.
    Busy,
    /// Set; the link, which was of this kind, is used up, and all sessions have ended.
    Done(LinkKind),
    /// The link is used up, replaced or too old.
    Expired,
    /// The password is not accepted; the link still works.
    Weak(WeakPassword),
}

impl Accounts {
    /// How long a link to a first password works. An operator hands it over by hand, which takes longer than the ten
    /// minutes of an automatic mail (AUTH-09).
    pub const SETUP_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
    /// How long a link to sign in with works: the member is waiting for it.
    pub const SIGN_IN_LIFETIME: Duration = Duration::from_secs(15 * 60);
    /// How long after signing in with a [`LinkKind::Reset`] a passkey can be added.
    pub const GRANT_LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Makes a one-time link's token; an earlier link of the account stops working.
    pub async fn link(&self, user: UserId, kind: LinkKind) -> Result<SetupToken, StoreError> {
        make(self.store.as_ref(), self.clock.as_ref(), user, kind).await
    }

    /// The account for which a link is open, and what the link does.
    pub fn open_link(&self, token: &SetupToken) -> Result<Option<(User, LinkKind)>, StoreError> {
        let hash = token.hash();
        let user = self.store.user_by_setup(&hash)?;
        Ok(user.and_then(|user| open_kind(&user, &hash, self.clock.now()).map(|kind| (user, kind))))
    }

    /// Sets a password through a link. The link works once; of two at the same moment one is refused
    /// (SECURITY: AUTH-09).
    pub async fn redeem(
        &self,
        token: &SetupToken,
        password: NewPassword,
        seen: Seen<'_>,
    ) -> Result<SetupOutcome, StoreError> {
        let Some((user, kind)) = self.open_link(token)? else { return Ok(SetupOutcome::Expired) };
        if !kind.sets_password() {
            return Ok(SetupOutcome::Expired);
        }
        let accepted = match self.accept(password).await {
            Err(Busy) => return Ok(SetupOutcome::Busy),
            Ok(Err(weak)) => return Ok(SetupOutcome::Weak(weak)),
            Ok(Ok(accepted)) => accepted,
        };
        let short = accepted.noted(user.profile.id);
        let (hash, now) = (token.hash(), self.clock.now());
        let revision = Change::ReviseUser(
            user.profile.id,
            Box::new(move |user| {
                if open_kind(user, &hash, now) != Some(kind) {
                    return Verdict::Abandon;
                }
                user.password = Some(accepted.phc);
                user.setup = None;
                Verdict::Keep
            }),
        );
        let event = self.happened(What::PasswordSet).seen(seen).kept(user.profile.id);
        let id = user.profile.id;
        let batch = vec![revision, short, recovery::forgotten(id), mailed::no_longer_barred(id), event];
        match self.sessions.end_access(id, None, batch).await {
            Ok(_) => Ok(SetupOutcome::Done(kind)),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(SetupOutcome::Expired),
            Err(error) => Err(error),
        }
    }

    /// Signs in through a link, once; none if it does not work, or not for this. `kind` is what the link, of whatever kind
    /// it is, does on this site: see [`LinkKind::without_passwords`]. `met` is what was asked of its member beside it; a link of
    /// anybody else's does not work with that (SECURITY: AUTH-10).
    pub async fn sign_in_by_link(
        &self,
        token: &SetupToken,
        kind: LinkKind,
        met: FactorsMet,
        user_agent: &str,
    ) -> Result<Option<(SessionToken, Arc<Profile>)>, StoreError> {
        let (hash, now, id) = (token.hash(), self.clock.now(), met.user().profile.id);
        let profile = Arc::new(met.user().profile.clone());
        if !kind.signs_in() {
            return Ok(None);
        }
        let redeem = move |session: SessionId| {
            let grant = (kind == LinkKind::Reset).then(|| SetupLink {
                hash: session,
                expires: now.after(Self::GRANT_LIFETIME),
                kind: LinkKind::Grant,
            });
            let revise = move |user: &mut User| {
                if open_kind(user, &hash, now).is_none() {
                    return Verdict::Abandon;
                }
                user.last_sign_in = Some(now);
                user.setup = grant;
                Verdict::Keep
            };
            Change::ReviseUser(id, Box::new(revise))
        };
        match self.sessions.start_by_link(met, user_agent, redeem).await {
            Ok(token) => Ok(Some((token, profile))),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Makes the token of a one-time link; see [`Accounts::link`].
pub(super) async fn make(
    store: &dyn Store,
    clock: &dyn Clock,
    user: UserId,
    kind: LinkKind,
) -> Result<SetupToken, StoreError> {
    let (token, now) = (SetupToken::generate(), clock.now());
    let lifetime =
        if kind == LinkKind::SetUp { Accounts::SETUP_LIFETIME } else { Accounts::SIGN_IN_LIFETIME };
    let link = SetupLink { hash: token.hash(), expires: now.after(lifetime), kind };
    let revision = Change::ReviseUser(
        user,
        Box::new(move |user| {
            user.setup = Some(link);
            Verdict::Keep
        }),
    );
    let event = Happened::new(What::LinkMade, now).kept(user);
    store.apply(vec![revision, event]).await?;
    Ok(token)
}

/// What an open link with this hash does; none if there is none.
fn open_kind(user: &User, hash: &TokenHash, now: Timestamp) -> Option<LinkKind> {
    let link = user.setup.as_ref().filter(|link| link.hash == *hash && now < link.expires)?;
    (user.state == UserState::Active && link.kind != LinkKind::Grant).then_some(link.kind)
}

/// Whether an operator has vouched for one change of credentials in this session, and it has not been made.
pub(super) fn is_granted(user: &User, session: SessionId, now: Timestamp) -> bool {
    user.state == UserState::Active
        && user.setup.as_ref().is_some_and(|grant| {
            grant.kind == LinkKind::Grant && grant.hash == session && now < grant.expires
        })
}

/// Part of each change of credentials: no link outlives it, handed over or mailed.
pub(super) fn forgotten(user: UserId) -> [Change; 2] {
    let revision = Change::ReviseUser(
        user,
        Box::new(|user| {
            user.setup = None;
            Verdict::Keep
        }),
    );
    [revision, recovery::forgotten(user)]
}

/// [`forgotten`], for a new credential: abandons the batch if a link opened the session and no change is left.
pub(super) fn spent(session: &LiveSession, now: Timestamp) -> [Change; 2] {
    let id = session.id();
    let is_proven = session.proved_at().is_some();
    let revision = Change::ReviseUser(
        session.user(),
        Box::new(move |user| {
            if !is_proven && !is_granted(user, id, now) {
                return Verdict::Abandon;
            }
            user.setup = None;
            Verdict::Keep
        }),
    );
    [revision, recovery::forgotten(session.user())]
}
