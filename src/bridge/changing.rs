//! Another password at the forum in the place of the one it has: one that the gateway makes, or one that its member chooses.
//!
//! Whenever this breaks off, the vault has what the forum has: the new password lies there beside the old one before it is
//! sent, and the old one goes when the new one has signed the member in. Where nobody knows which of the two it is, the next
//! sign-in tries the old one, and if the forum refuses that, the new one, once each.

use std::sync::Arc;
use std::time::Duration;

use super::member::Gate;
use super::{
    Ask, Bridge, ChangeReport, Changed, Credentials, ForumSession, Login, State, VaultError, Visitor,
};
use crate::domain::{Secret, SessionId, UserId};

/// How long a forum that did not take a password is left alone with that.
const REST: Duration = Duration::from_secs(24 * 3600);

/// What came of setting a password at the forum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The forum has it, and the member is signed in there with it.
    Done,
    /// The forum does not take it.
    Refused,
    /// It can't be set, or not for now, and the forum has the one it had.
    NotSet,
    /// The forum may have it or not; the next sign-in there shows which.
    Unclear,
    /// The forum does not even let the member in.
    Asks(Ask),
}

impl Bridge {
    /// Sets a password that the member has chosen. What works is the session's from now on.
    ///
    /// # Errors
    /// It can't be kept, so it was not sent.
    pub async fn set_password(
        &self,
        session: SessionId,
        member: UserId,
        new: &Secret<String>,
        visitor: &Visitor,
    ) -> Result<Setting, VaultError> {
        let gate = self.gate(member);
        let turn = gate.turn.lock().await;
        let (forum, credentials) = match self.signed_in(&gate, member, visitor).await {
            Ok((forum, Some(credentials))) => (forum, credentials),
            Ok((_, None)) => return Ok(Setting::NotSet),
            Err(State::Asks(ask)) => return Ok(Setting::Asks(ask)),
            Err(_) => return Ok(Setting::NotSet),
        };
        let (forum, setting) = match self.0.accounts.choose(member, new).await {
            Ok(true) => {
                let (forum, setting) = self.replace(member, forum, &credentials, new).await;
                (forum, Ok(setting))
            }
            Ok(false) => (forum, Ok(Setting::NotSet)),
            Err(error) => (forum, Err(error)),
        };
        drop(turn);
        // Signing the one before out at the forum may end this one, too.
        let _ = self.current(&session).is_some_and(|before| before.end());
        self.put(session, member, State::Ready(forum));
        setting
    }

    /// Sets a password that the gateway makes, if there is to be one, after a sign-in with these credentials. The session to go
    /// on with.
    pub(super) async fn renewed(
        &self,
        gate: &Gate,
        member: UserId,
        forum: Arc<ForumSession>,
        credentials: &Credentials,
    ) -> Arc<ForumSession> {
        let now = self.0.forum.clock().now();
        if !gate.may_change(now) {
            return forum;
        }
        let Some(new) = self.0.accounts.to_generate(member).await else { return forum };
        let (forum, setting) = self.replace(member, forum, credentials, &new).await;
        if setting != Setting::Done {
            gate.no_change_before(now.after(REST));
        }
        forum
    }

    /// Sends a password that the vault has by now, and makes sure of it.
    async fn replace(
        &self,
        member: UserId,
        session: Arc<ForumSession>,
        credentials: &Credentials,
        new: &Secret<String>,
    ) -> (Arc<ForumSession>, Setting) {
        let (forum, visitor) = (&self.0.forum, session.visitor());
        let (jar, passwords) = (session.jar().clone(), (&credentials.password, new));
        let ChangeReport { changed, jar, steps } = forum.change_password(jar, passwords, visitor).await;
        let before = self.session(jar, visitor);
        let (after, setting, steps) = match changed {
            Changed::NotSent => (before, Setting::NotSet, steps),
            Changed::Refused => (before, Setting::Refused, steps),
            Changed::Unanswered => (before, Setting::Unclear, steps),
            Changed::Sent => {
                let credentials = Credentials { name: credentials.name.clone(), password: new.clone() };
                let report = forum.sign_in(&credentials, visitor).await;
                match report.login {
                    // The session before is not signed out, for the same reason: the forum or its age ends it.
                    Login::SignedIn(jar) => (self.session(jar, visitor), Setting::Done, Vec::new()),
                    _ => (before, Setting::Unclear, [steps, report.steps].concat()),
                }
            }
        };
        let noted = match setting {
            Setting::Done => self.0.accounts.changed(member).await,
            Setting::Refused => self.0.accounts.unchanged(member).await,
            _ => Ok(()),
        };
        if let Err(error) = noted {
            // Both stay, so that the next sign-in finds out.
            tracing::error!(target: "passgate::store", %error, "can't note what became of a password at the forum");
        }
        match setting {
            Setting::Done => tracing::info!(target: "passgate::audit", event = "forum-password-set", %member),
            _ => tracing::warn!(%member, ?setting, ?steps, "a password could not be set at the forum"),
        }
        (after, setting)
    }
}
