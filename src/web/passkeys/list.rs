//! The list of a member's passkeys on their account page.

use serde::Serialize;

use super::super::account::Moment;
use super::super::wording::ago;
use super::super::{Member, Problem, Visit, Web};
use super::choice::Choice;
use super::signal;
use crate::auth::passkeys::{Suggest, provider};
use crate::domain::{Backup, Passkey, Persistence};

/// The section of the account page.
#[derive(Default, Serialize)]
pub(in crate::web) struct PasskeyList {
    lines: Vec<Line>,
    may_add: bool,
    /// The member said that others use this computer, too (BP-27).
    is_shared: bool,
    full_at: Option<usize>,
    all_on_one_device: bool,
    choice: Option<Choice>,
    /// One that was on several devices, and is not any more.
    no_longer_synced: Option<String>,
    signal: Option<String>,
}

#[derive(Default, Serialize)]
struct Line {
    handle: String,
    name: String,
    provider: Option<&'static str>,
    kind: &'static str,
    created: Moment,
    last_used: Option<String>,
    is_current: bool,
}

impl PasskeyList {
    /// Examples that go through all branches of the embedded template.
    pub(in crate::web) fn samples() -> Vec<Self> {
        let used = Line {
            provider: Some("P"),
            last_used: Some("1".to_owned()),
            is_current: true,
            ..Line::default()
        };
        let full = Self {
            lines: vec![used, Line::default()],
            full_at: Some(2),
            all_on_one_device: true,
            no_longer_synced: Some("P".to_owned()),
            signal: Some("{}".to_owned()),
            ..Self::default()
        };
        let choosing = Choice::samples().map(|choice| Self { choice: Some(choice), ..Self::default() });
        let shared = Self { is_shared: true, ..Self::default() };
        let mut samples = vec![full, shared, Self { may_add: true, ..Self::default() }];
        samples.extend(choosing);
        samples
    }
}

impl Web {
    /// What the account page says of passkeys; nothing if they are no business of this member.
    pub(in crate::web) fn passkey_list(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<PasskeyList>, Problem> {
        let Some(passkeys) = self.parts.passkeys.as_deref() else { return Ok(None) };
        let profile = member.session.profile();
        let all = self.passkeys_of(passkeys, profile.id, visit)?;
        let is_shared = member.session.persistence() == Persistence::Shared;
        let may_add = passkeys.are_offered_to(&profile) && !is_shared;
        if all.is_empty() && !(may_add && passkeys.options().suggest != Suggest::Never) {
            return Ok(None);
        }
        let limit = passkeys.options().max_per_user;
        Ok(Some(PasskeyList {
            lines: all.iter().map(|passkey| self.passkey_line(passkey, member)).collect(),
            may_add,
            is_shared,
            full_at: (may_add && all.len() >= limit).then_some(limit),
            all_on_one_device: !all.is_empty()
                && all.iter().all(|passkey| passkey.backup == Backup::DeviceBound),
            choice: Choice::of(passkeys, member, all.len()),
            no_longer_synced: all
                .iter()
                .find(|passkey| passkey.backup == Backup::Lost)
                .map(|passkey| passkey.name.as_str().to_owned()),
            signal: signal::to_text(passkeys, &profile, &all),
        }))
    }

    fn passkey_line(&self, passkey: &Passkey, member: &Member<'_>) -> Line {
        let now = self.parts.clock.now();
        Line {
            handle: passkey.id.handle(),
            name: passkey.name.as_str().to_owned(),
            provider: provider(passkey.aaguid),
            kind: kind(passkey),
            created: Moment::from(passkey.created),
            last_used: passkey.last_used.map(|used| ago(now.since(used))),
            is_current: self.opened(passkey, member),
        }
    }

    /// Whether this session was opened with this passkey. Not, if that can't be read.
    pub(super) fn opened(&self, passkey: &Passkey, member: &Member<'_>) -> bool {
        self.parts.sessions.opened_with(member.session).is_ok_and(|with| with.as_ref() == Some(&passkey.id))
    }
}

/// Where a passkey lives, in a member's words (BP-61).
fn kind(passkey: &Passkey) -> &'static str {
    let is_key = passkey.transports.iter().any(|way| way == "usb" || way == "nfc")
        && !passkey.transports.iter().any(|way| way == "internal");
    match passkey.backup {
        Backup::Done => "Synced",
        Backup::Lost => "No longer synced",
        Backup::Possible => "Not synced yet",
        Backup::DeviceBound if is_key => "Security key",
        Backup::DeviceBound => "This device only",
    }
}
