//! Everything that is held about a member, in the shape in which they get it.
//!
//! SECURITY: each value is copied here by its name. What checks a secret (hashes, public keys, sealed passwords, the ids of
//! sessions) has no place in it, so a new field of a record is in no export until somebody puts it here.

use serde::Serialize;

use super::super::{Member, Problem, Visit, Web};
use crate::auth::AddressStanding;
use crate::auth::app_passwords::AppPasswordLine;
use crate::auth::events::{Happened, What};
use crate::auth::passkeys::provider;
use crate::auth::second_factors::Kind;
use crate::domain::{Backup, Group, Passkey, Persistence, Proof, Session, User};
use crate::store::{Drawer, Owner};

/// All of it. Moments are RFC 3339, UTC.
#[derive(Serialize)]
pub(super) struct Everything {
    about: String,
    made: String,
    account: Account,
    passkeys: Vec<OwnPasskey>,
    sessions: Vec<OwnSession>,
    events: Vec<OwnEvent>,
    /// Passwords in a row that were wrong.
    wrong_passwords: u32,
    /// Whether the account at the forum is connected; nothing where it need not be.
    forum_connected: Option<bool>,
    app_passwords: Vec<OwnAppPassword>,
    second_factors: usize,
    /// Where the codes of the second factor come from.
    second_factor_by: Option<Kind>,
    trusted_devices: usize,
}

#[derive(Serialize)]
struct Account {
    id: String,
    name: String,
    full_name: Option<String>,
    email: Option<String>,
    email_confirmed: Option<String>,
    /// The one that the member wants to have, and has not confirmed.
    wanted_email: Option<String>,
    groups: Vec<String>,
    state: crate::domain::UserState,
    has_password: bool,
    created: String,
    last_sign_in: Option<String>,
    was_imported: bool,
    open_link_until: Option<String>,
    passkey_asked_when_signing_in: bool,
    passkey_asked_for_sensitive_actions: bool,
}

#[derive(Serialize)]
struct OwnPasskey {
    name: String,
    provider: Option<&'static str>,
    synced: &'static str,
    transports: Vec<String>,
    site: String,
    created: String,
    last_used: Option<String>,
}

#[derive(Serialize)]
struct OwnAppPassword {
    name: String,
    made: String,
    last_used: Option<String>,
    /// Nothing for all paths that such are for.
    paths: Option<Vec<String>>,
}

#[derive(Serialize)]
struct OwnSession {
    browser: String,
    signed_in: String,
    last_used: String,
    by: &'static str,
    passkey: Option<String>,
    kept: &'static str,
    is_this_one: bool,
}

#[derive(Serialize)]
struct OwnEvent {
    at: String,
    what: What,
    about: Option<String>,
    browser: Option<String>,
    network: Option<String>,
    times: u32,
}

impl Web {
    pub(super) fn all_about(&self, member: &Member<'_>, visit: &Visit<'_>) -> Result<Everything, Problem> {
        let failed = |error| self.store_failed(&error, visit);
        let (accounts, id) = (&self.parts.accounts, member.session.user());
        let user = accounts.find(&member.session.profile().name).map_err(failed)?;
        let user = user.filter(|user| user.profile.id == id).ok_or(Problem::SignInRequired)?;
        let passkeys = match &self.parts.passkeys {
            Some(passkeys) => passkeys.of(id).map_err(failed)?,
            None => Vec::new(),
        };
        let count = |drawer| accounts.count_in(drawer, Owner::Member(id)).map_err(failed);
        let sessions = self.parts.sessions.of(id);
        let address = accounts.address_of(&user.profile).map_err(failed)?;
        Ok(Everything {
            about:
                "What the sign-in of this site keeps about you. What the site itself keeps, such as what you \
                    wrote, is not in here, and no password or key is."
                    .to_owned(),
            made: self.parts.clock.now().to_string(),
            sessions: sessions.iter().map(|session| own_session(session, &passkeys, member)).collect(),
            passkeys: passkeys.iter().map(own_passkey).collect(),
            events: accounts.events(id).map_err(failed)?.into_iter().map(own_event).collect(),
            wrong_passwords: self.parts.throttle.standing(id).map_err(failed)?.wrong,
            forum_connected: self.is_forum_connected(member, visit)?,
            app_passwords: accounts
                .app_passwords(id)
                .map_err(failed)?
                .into_iter()
                .map(own_app_password)
                .collect(),
            second_factors: count(Drawer::SecondFactor)?,
            second_factor_by: self.parts.second_factors.of(id).map_err(failed)?.map(|standing| standing.kind),
            trusted_devices: count(Drawer::TrustedDevice)?,
            account: account(user, address),
        })
    }
}

fn account(user: User, address: AddressStanding) -> Account {
    let User { profile, state, password, created, last_sign_in, setup, passkey_for, imported } = user;
    Account {
        id: profile.id.to_string(),
        name: profile.name.to_string(),
        full_name: profile.full_name,
        email: profile.email,
        email_confirmed: address.confirmed.map(|at| at.to_string()),
        wanted_email: address.waiting.map(|(address, _)| address.to_string()),
        groups: profile.groups.iter().map(Group::as_str).map(str::to_owned).collect(),
        state,
        has_password: password.is_some(),
        created: created.to_string(),
        last_sign_in: last_sign_in.map(|at| at.to_string()),
        was_imported: imported.is_some(),
        open_link_until: setup.map(|link| link.expires.to_string()),
        passkey_asked_when_signing_in: passkey_for.signing_in,
        passkey_asked_for_sensitive_actions: passkey_for.sensitive_actions,
    }
}

fn own_passkey(passkey: &Passkey) -> OwnPasskey {
    OwnPasskey {
        name: passkey.name.as_str().to_owned(),
        provider: provider(passkey.aaguid),
        synced: match passkey.backup {
            Backup::DeviceBound => "never",
            Backup::Done => "yes",
            Backup::Lost => "no longer",
            Backup::Possible => "not yet",
        },
        transports: passkey.transports.clone(),
        site: passkey.rp_id.clone(),
        created: passkey.created.to_string(),
        last_used: passkey.last_used.map(|at| at.to_string()),
    }
}

fn own_app_password(one: AppPasswordLine) -> OwnAppPassword {
    OwnAppPassword {
        name: one.name,
        made: one.since.to_string(),
        last_used: one.last_used.map(|at| at.to_string()),
        paths: one.chosen,
    }
}

fn own_session(session: &Session, passkeys: &[Passkey], member: &Member<'_>) -> OwnSession {
    let passkey = passkeys.iter().find(|passkey| session.passkey.as_ref() == Some(&passkey.id));
    OwnSession {
        browser: session.user_agent.clone(),
        signed_in: session.created.to_string(),
        last_used: session.last_seen.to_string(),
        by: match session.proof() {
            Proof::Link => "link",
            Proof::LinkAndCode => "link and code",
            Proof::Passkey => "passkey",
            Proof::Password => "password",
            Proof::PasswordAndCode => "password and code",
            Proof::PasswordAndMailedCode => "password and a mailed code",
            Proof::TrustedByMail | Proof::TrustedDevice => "password, in a trusted browser",
        },
        passkey: passkey.map(|passkey| passkey.name.as_str().to_owned()),
        kept: match session.persistence {
            Persistence::Browser => "until the browser is closed",
            Persistence::Remembered => "stay signed in",
            Persistence::Shared => "shared computer",
        },
        is_this_one: session.id == member.session.id(),
    }
}

fn own_event(event: Happened) -> OwnEvent {
    OwnEvent {
        at: event.at.to_string(),
        what: event.what,
        about: event.about,
        browser: event.browser,
        network: event.network.map(|network| network.to_string()),
        times: event.times,
    }
}
