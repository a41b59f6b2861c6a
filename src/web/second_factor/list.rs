//! The account page's section on second factors.

use http::HeaderMap;
use serde::Serialize;

use super::super::account::Moment;

use super::super::{Member, Problem, Visit, Web};
use crate::auth::browser_name;
use crate::auth::second_factors::{CodeWay, Kind, SecondFactors};
use crate::domain::UserId;

/// What the section shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct TwoStep {
    /// Since when there is one; none if there is none.
    since: Option<Moment>,
    recovery_codes: usize,
    /// Whether codes are mailed, and no app makes them.
    by_mail: bool,
    /// Why mailed codes don't count now, if they don't.
    rests: bool,
    /// How the member stands to having codes mailed who has no second factor.
    mail: Mail,
    /// The site asks this member for one.
    is_required: bool,
    devices: Vec<DeviceLine>,
}

/// Whether codes can be mailed.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mail {
    /// Once the address is confirmed.
    AfterConfirming,
    #[default]
    NotOffered,
    Offered,
}

/// A device that is trusted.
#[derive(Default, Serialize)]
struct DeviceLine {
    name: String,
    browser: String,
    until: Moment,
    is_current: bool,
}

/// So few recovery codes are a reason to make new ones.
const FEW: usize = 3;

impl TwoStep {
    /// Examples that go through all branches of the embedded template.
    pub(in crate::web) fn samples() -> Vec<Self> {
        let on = |recovery_codes| Self { since: Some(Moment::default()), recovery_codes, ..Self::default() };
        let devices = vec![DeviceLine { is_current: true, ..DeviceLine::default() }, DeviceLine::default()];
        let mail = [Mail::AfterConfirming, Mail::Offered].map(|mail| Self { mail, ..Self::default() });
        let by_mail = |rests| Self { by_mail: true, rests, ..on(10) };
        let mut all =
            vec![Self::default(), Self { is_required: true, devices, ..on(10) }, on(1), on(0), on(FEW)];
        all.extend(mail);
        all.extend([false, true].map(by_mail));
        all
    }
}

impl Web {
    /// None where there are no second factors.
    pub(in crate::web) fn two_step_section(
        &self,
        member: &Member<'_>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<Option<TwoStep>, Problem> {
        let second_factors = &self.parts.second_factors;
        if !second_factors.are_on() {
            return Ok(None);
        }
        let (user, profile) = (member.session.user(), member.session.profile());
        let failed = |error| self.store_failed(&error, visit);
        let is_required = second_factors.are_required_of(&profile);
        let Some(standing) = second_factors.of(user).map_err(failed)? else {
            let mail = self.mail_standing(user, visit)?;
            return Ok(Some(TwoStep { is_required, mail, ..TwoStep::default() }));
        };
        let account = self.parts.accounts.by_id(user).map_err(failed)?;
        let way = account.map(|user| second_factors.code_way(&user)).transpose().map_err(failed)?;
        let rests = matches!(way.flatten(), Some(CodeWay::NotByMail(_)));
        let own = self.parts.cookies.trusted(Self::cookie_fields(headers)).token();
        let own = own.map(|token| SecondFactors::name_of(&token));
        let devices = second_factors.trusted(user).map_err(failed)?.into_iter();
        let devices = devices.map(|(name, device)| DeviceLine {
            is_current: own.as_ref() == Some(&name),
            name,
            browser: browser_name(&device.user_agent),
            until: Moment::from(device.until),
        });
        Ok(Some(TwoStep {
            since: Some(Moment::from(standing.since)),
            recovery_codes: standing.recovery_codes,
            by_mail: standing.kind == Kind::Mail,
            rests,
            mail: Mail::NotOffered,
            is_required,
            devices: devices.collect(),
        }))
    }

    fn mail_standing(&self, user: UserId, visit: &Visit<'_>) -> Result<Mail, Problem> {
        let second_factors = &self.parts.second_factors;
        let failed = |error| self.store_failed(&error, visit);
        let Some(user) = self.parts.accounts.by_id(user).map_err(failed)? else {
            return Ok(Mail::NotOffered);
        };
        if second_factors.can_be_mailed_to(&user).map_err(failed)? {
            return Ok(Mail::Offered);
        }
        let is_allowed = second_factors.are_mailed() && !second_factors.are_required_of(&user.profile);
        Ok(if is_allowed { Mail::AfterConfirming } else { Mail::NotOffered })
    }
}
