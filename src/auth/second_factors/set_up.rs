//! Setting a second factor up, taking it away, and new recovery codes. Who asks has proven who they are: see
//! [`SecondFactors::may_be_changed_by`], which each of these looks at once more.

use std::sync::Arc;

use super::record::{self, Enrolled};
use super::recovery::RecoveryCodes;
use super::totp::{TotpCode, TotpKey};
use super::trusted::TrustedDevice;
use super::{FactorsMet, SecondFactorError, SecondFactors};
use crate::auth::letters::{BASE32, grouped, spelt};
use crate::auth::{LiveSession, SessionToken, links};
use crate::domain::{Beside, Proof, UserId};
use crate::store::{Change, StoreError};

/// A key that is shown until a code confirms it.
pub struct SettingUp(Arc<TotpKey>);

impl SettingUp {
    /// The key as apps take it, in groups of four.
    pub fn key_in_groups(&self) -> String {
        grouped(&self.key(), " ")
    }

    /// The key as apps take it.
    pub fn key(&self) -> String {
        spelt(self.0.expose(), BASE32)
    }
}

/// How setting one up ended.
pub enum SetUp {
    /// There is one already.
    AlreadyThere,
    /// Done. The session that goes on, if it is another, and the recovery codes, which nobody sees again.
    Done(Option<SessionToken>, RecoveryCodes),
    /// Too long ago, or never.
    NotBegun,
    /// The sign-in is too old.
    StepUpFirst,
    /// The code is not that of the key.
    WrongCode,
}

impl SecondFactors {
    /// The key that this session is shown; the same for a quarter of an hour.
    pub fn begin(&self, session: &LiveSession) -> SettingUp {
        let known = self.setting_up.find(session.id());
        SettingUp(known.unwrap_or_else(|| self.setting_up.put(session.id(), TotpKey::generate())))
    }

    /// Makes the key count that this session was shown, if the code is its. All other sessions end: they were opened with less.
    /// A session that was opened with a password goes on as another one.
    pub async fn confirm(
        &self,
        session: &LiveSession,
        typed: &str,
        user_agent: &str,
    ) -> Result<SetUp, SecondFactorError> {
        let id = session.user();
        if self.enrolled(id)?.is_some_and(|enrolled| enrolled.mailed.is_none()) {
            return Ok(SetUp::AlreadyThere);
        }
        if !self.may_be_changed_by(session)? {
            return Ok(SetUp::StepUpFirst);
        }
        let Some(key) = self.setting_up.find(session.id()) else { return Ok(SetUp::NotBegun) };
        let now = self.clock.now();
        let typed: String = typed.chars().filter(|sign| !sign.is_whitespace()).collect();
        let step = TotpCode::read(&typed).and_then(|code| key.step_of(code, now));
        let Some(step) = step else { return Ok(SetUp::WrongCode) };
        {
            let _alone = self.preparing.lock().await;
            self.keys.prepare()?;
        }
        let codes = RecoveryCodes::generate();
        let enrolled = Enrolled::new(id, &key, step, &codes, now, &self.keys);
        let enrolled = enrolled.ok_or_else(|| StoreError::Failed("nothing can be sealed".to_owned()))?;
        let mut with = vec![record::enrol(id, enrolled)];
        with.extend(links::forgotten(id));
        let token = match self.go_on(session, with, user_agent).await {
            Ok(token) => token,
            Err(StoreError::Abandoned) => return Ok(SetUp::AlreadyThere),
            Err(error) => return Err(error.into()),
        };
        self.setting_up.forget(session.id(), &key);
        Ok(SetUp::Done(token, codes))
    }

    async fn go_on(
        &self,
        session: &LiveSession,
        mut with: Vec<Change>,
        user_agent: &str,
    ) -> Result<Option<SessionToken>, StoreError> {
        let id = session.user();
        if session.proof() == Proof::Passkey {
            self.sessions.end_all(id, Some(session.id()), with).await?;
            return Ok(None);
        }
        let user = self.store.user(id)?.ok_or(StoreError::NoSuchUser)?;
        with.push(Change::EndSessions(id, None));
        let persistence = session.persistence();
        let met = FactorsMet::new(user, Beside::Code, with);
        let token = self.sessions.start(met, persistence, user_agent, Vec::new()).await?;
        self.sessions.end_all(id, Some(token.hash()), Vec::new()).await?;
        Ok(Some(token))
    }

    /// Takes a member's second factor away, and with it what trusts their devices. Whether there was one.
    pub async fn remove(&self, user: UserId) -> Result<bool, StoreError> {
        let was_there = self.stored(user)?.is_some();
        let owner = record::owner(user);
        let mut changes = vec![
            Change::drop_kept::<Enrolled>(owner, record::key().to_vec()),
            Change::drop_all_kept::<TrustedDevice>(owner),
        ];
        changes.extend(links::forgotten(user));
        self.store.apply(changes).await?;
        Ok(was_there)
    }

    /// Makes new recovery codes in the place of those that are left. None if there is no second factor.
    pub async fn renew_recovery(&self, user: UserId) -> Result<Option<RecoveryCodes>, StoreError> {
        let Some(enrolled) = self.enrolled(user)? else { return Ok(None) };
        let codes = RecoveryCodes::generate();
        let renewal = record::renew_recovery(user, &enrolled.id, codes.hashes(user));
        match self.store.apply(vec![renewal]).await {
            Ok(()) => Ok(Some(codes)),
            Err(StoreError::Abandoned) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
