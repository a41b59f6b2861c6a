//! The commands that are about accounts which wait for an operator.

use serde::{Deserialize, Serialize};

use super::Control;
use super::protocol::{Failure, Reply};
use crate::auth::mail::Letter;
use crate::domain::User;

/// What an operator says of one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicantCommand {
    /// It may be used from now on.
    Approve {
        /// Its name, in any spelling.
        name: String,
    },
    /// It is taken away.
    Refuse {
        /// Its name, in any spelling.
        name: String,
    },
}

impl ApplicantCommand {
    /// The command in words, for the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "user approve",
            Self::Refuse { .. } => "user refuse",
        }
    }

    /// Whom it is about.
    pub(super) fn member(&self) -> &str {
        match self {
            Self::Approve { name } | Self::Refuse { name } => name,
        }
    }
}

impl Control {
    /// Whoever it is about is told by mail, where mails are sent.
    pub(super) async fn decide(&self, command: ApplicantCommand) -> Result<Reply, Failure> {
        let user = self.named(command.member())?;
        let (id, email, name) = (user.profile.id, user.profile.email.as_deref(), user.profile.name.as_str());
        let (was_waiting, words) = match command {
            ApplicantCommand::Approve { .. } => {
                let mail = self.mail.hand_in(id, email, Letter::Approved);
                let done = self.accounts.approve(id, mail.into_iter().collect()).await?;
                (done, format!("{name} may sign in now{}", self.told(&user)))
            }
            ApplicantCommand::Refuse { .. } => {
                let mail = self.mail.tell_refused(email, &user.profile.name);
                let done = self.accounts.refuse(id, mail.into_iter().collect()).await?;
                (done, format!("the account {name} is taken away{}", self.told(&user)))
            }
        };
        if !was_waiting {
            return Err(Failure::Data(format!(
                "{name} does not wait for you; `passgate user list --waiting` shows who does"
            )));
        }
        Ok(Reply::Done(words))
    }

    fn told(&self, user: &User) -> &'static str {
        if user.profile.email.is_some() && self.mail.is_on() { ", and is told so by mail" } else { "" }
    }
}
