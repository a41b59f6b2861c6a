//! The commands that are about accounts.

use super::protocol::{Failure, LinkTo, MemberView, NewAccount, Reply, SetupUrl, UserView};
use super::throttle::ThrottleView;
use super::{Control, all_users, read_name};
use crate::auth::mail::Happened;
use crate::auth::{About, Accounts, Busy, NewPassword, NewUser, WeakPassword};
use crate::domain::{EmailKey, Group, LinkKind, Secret, User, UserName, UserState};

impl Control {
    pub(super) async fn add(&self, new: NewAccount) -> Result<Reply, Failure> {
        let password = new.password;
        let user = NewUser {
            name: read_name(&new.name)?,
            full_name: new.full_name.as_deref().map(read_full_name).transpose()?,
            email: new.email.as_deref().map(read_email).transpose()?,
            groups: new.groups.iter().map(|text| read_group(text)).collect::<Result<_, _>>()?,
        };
        if self.accounts.find(&user.name)?.is_some() {
            return Err(Failure::Data(format!(
                "{:?}, in this or another spelling, is taken",
                user.name.as_str()
            )));
        }
        let mut warnings = self.shared_email(&user)?;
        let Some(password) = password else {
            let user = self.accounts.add(user, None).await?;
            let link = self.open_link(&user, LinkTo::SetUp).await?;
            return Ok(Reply::Added { user: UserView::of(&user), link: Some(link), warnings });
        };
        warnings.extend(self.judge(&password, &user).await?);
        let Ok(hash) = self.accounts.hash(password).await else {
            return Err(Failure::Unavailable("too many are signing in at this moment; try again".to_owned()));
        };
        let user = self.accounts.add(user, Some(hash)).await?;
        Ok(Reply::Added { user: UserView::of(&user), link: None, warnings })
    }

    pub(super) fn list(&self) -> Result<Reply, Failure> {
        Ok(Reply::Users(all_users(&self.accounts, &self.second_factors, self.store.as_ref())?))
    }

    pub(super) fn show(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        let passkeys = self.passkeys_of(&user.profile)?;
        let standing = self.throttle.standing(user.profile.id)?;
        let throttle = ThrottleView::of(&standing, self.clock.now());
        let second_factor = self.second_factor_of(user.profile.id)?;
        let confirmed = self.accounts.address_of(&user.profile)?.confirmed;
        let email_confirmed = confirmed.map(|at| at.to_string());
        let user = UserView::of(&user);
        Ok(Reply::User(MemberView { user, passkeys, second_factor, email_confirmed, throttle }))
    }

    pub(super) async fn disable(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        let notice = self.notice(Happened::AccountDisabled, &user.profile);
        let notice = notice.filter(|_| user.state == UserState::Active);
        self.accounts.disable_with(user.profile.id, notice.into_iter().collect()).await?;
        Ok(Reply::Done(format!("{} can no longer sign in; all their sessions have ended", user.profile.name)))
    }

    pub(super) async fn enable(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        if self.accounts.is_applicant(user.profile.id)? {
            let name = user.profile.name;
            return Err(Failure::Data(format!(
                "{name} waits for you to say yes; `passgate user approve NAME` does"
            )));
        }
        self.accounts.enable(user.profile.id).await?;
        Ok(Reply::Done(format!("{} can sign in again", user.profile.name)))
    }

    pub(super) async fn delete(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        self.accounts.delete(user.profile.id).await?;
        Ok(Reply::Done(format!("{} is deleted; all their sessions have ended", user.profile.name)))
    }

    pub(super) async fn link(&self, name: &str, to: LinkTo) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        if user.state != UserState::Active {
            let name = user.profile.name;
            return Err(Failure::Data(format!(
                "{name} is disabled, or switched their account off, so a link would not work; enable them first"
            )));
        }
        let has_none = user.password.is_none() && self.store.passkeys_of(user.profile.id)?.is_empty();
        let to = if has_none && to == LinkTo::SignIn { LinkTo::Reset } else { to };
        Ok(Reply::Link(self.open_link(&user, to).await?))
    }

    async fn open_link(&self, user: &User, to: LinkTo) -> Result<SetupUrl, Failure> {
        let (kind, page) = match to {
            LinkTo::Reset => (LinkKind::Reset, "setup"),
            LinkTo::SetUp => (LinkKind::SetUp, "setup"),
            LinkTo::SignIn => (LinkKind::SignIn, "link"),
        };
        let token = self.accounts.link(user.profile.id, kind).await?;
        let link = self.accounts.open_link(&token)?.and_then(|(user, _)| user.setup);
        let link =
            link.ok_or_else(|| Failure::Data("the member has been changed in the meantime".to_owned()))?;
        Ok(SetupUrl {
            to,
            url: format!("{}/{page}?token={}", self.own_pages, *token.to_text()),
            expires: link.expires.to_string(),
        })
    }

    /// An address that says who signs in has to be one account's alone.
    fn shared_email(&self, new: &NewUser) -> Result<Vec<String>, Failure> {
        let Some(email) = &new.email else { return Ok(Vec::new()) };
        let key = EmailKey::parse(email);
        let others = key.as_ref().map_or(Ok(Vec::new()), |key| self.accounts.with_email(key))?;
        let mut warnings: Vec<_> = others
            .iter()
            .map(|other| format!("{email} is the address of {} too; it signs in neither", other.profile.name))
            .collect();
        if let Ok(name) = UserName::parse(email)
            && let Some(other) = self.accounts.find(&name)?
        {
            warnings.push(format!("{email} is another member's name; it signs in {}", other.profile.name));
        }
        Ok(warnings)
    }

    /// Operators may choose a shorter and a weaker password than members, but none of those that are tried first.
    async fn judge(&self, password: &Secret<String>, new: &NewUser) -> Result<Vec<String>, Failure> {
        let refused = |what: &str| Err(Failure::Data(format!("the password is {what}")));
        let warned = |what: &str| Ok(vec![format!("the password {what}")]);
        let about = About::from_names(&new.name, new.full_name.as_deref(), new.email.as_deref());
        let least = self.accounts.min_password_chars();
        let chosen = NewPassword { text: password.clone(), about, min_chars: Accounts::MIN_PASSWORD_CHARS };
        match self.accounts.judge(chosen).await {
            Err(Busy) => {
                Err(Failure::Unavailable("too many are signing in at this moment; try again".to_owned()))
            }
            Ok(Err(WeakPassword::Common)) => refused("one of those that are tried first; take another"),
            Ok(Err(WeakPassword::TooLong(most))) => {
                refused(&format!("too long; take at most {most} characters"))
            }
            Ok(Err(WeakPassword::TooShort(least))) => {
                refused(&format!("too short; take at least {least} characters"))
            }
            Ok(Err(WeakPassword::Guessable)) => warned("is easy to guess; members could not choose it"),
            Ok(Err(WeakPassword::MadeOf(_))) => {
                warned("is made of the member's name or address; members could not choose it")
            }
            Ok(Ok(_)) if Accounts::check_length(password, least).is_ok() => Ok(Vec::new()),
            Ok(Ok(_)) => warned(&format!(
                "has fewer than the {least} characters that password.min_length asks of members"
            )),
        }
    }
}

/// A name to show follows the same rules as a name: one line, nothing invisible.
pub(super) fn read_full_name(text: &str) -> Result<String, Failure> {
    match UserName::parse(text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(error) => Err(Failure::Data(format!("the full name {text:?} {error}"))),
    }
}

pub(super) fn read_email(text: &str) -> Result<String, Failure> {
    if EmailKey::parse(text).is_none() {
        return Err(Failure::Data(format!("{text:?} is no e-mail address; write it as name@host")));
    }
    Ok(text.trim().to_owned())
}

pub(super) fn read_group(text: &str) -> Result<Group, Failure> {
    Group::parse(text).map_err(|error| Failure::Data(format!("the group {text:?} {error}")))
}
