//! The commands that are about app passwords. They work on what is kept, also where app passwords are switched off.

use serde::{Deserialize, Serialize};

use super::Control;
use super::protocol::{Failure, Reply};
use crate::auth::app_passwords::AppPasswordLine;
use crate::auth::events::What;
use crate::auth::mail::Happened;
use crate::domain::Profile;
use crate::store::StoreError;

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppPasswordCommand {
    /// All, or those of one member.
    List {
        /// The member's name, in any spelling.
        name: Option<String>,
    },
    /// Removes one of a member's, or all.
    Remove {
        /// The member's name, in any spelling.
        name: String,
        /// Which, as a listing names it; none for all.
        id: Option<String>,
    },
}

/// An app password as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordView {
    /// The beginning of its hash: enough to name it, too little to be it.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What the member calls it.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was last used, exact to a day.
    pub last_used: Option<String>,
    /// The paths its member chose; none for all that are configured.
    pub paths: Option<Vec<String>>,
}

impl AppPasswordView {
    fn of(line: AppPasswordLine, profile: &Profile) -> Self {
        Self {
            id: line.id,
            user: profile.name.to_string(),
            name: line.name,
            created: line.since.to_string(),
            last_used: line.last_used.map(|moment| moment.to_string()),
            paths: line.chosen,
        }
    }
}

impl AppPasswordCommand {
    /// The command in words, for the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "app-password list",
            Self::Remove { .. } => "app-password remove",
        }
    }

    /// Whom it is about, as typed, for the log.
    pub(super) fn member(&self) -> Option<&str> {
        match self {
            Self::List { name } => name.as_deref(),
            Self::Remove { name, .. } => Some(name),
        }
    }
}

impl Control {
    pub(super) async fn app_passwords(&self, command: AppPasswordCommand) -> Result<Reply, Failure> {
        match command {
            AppPasswordCommand::List { name } => self.list_app_passwords(name.as_deref()),
            AppPasswordCommand::Remove { name, id } => self.remove_app_passwords(&name, id.as_deref()).await,
        }
    }

    fn list_app_passwords(&self, name: Option<&str>) -> Result<Reply, Failure> {
        let members = match name {
            Some(name) => vec![self.named(name)?],
            None => self.accounts.all()?,
        };
        let mut all = Vec::new();
        for member in members {
            let own = self.accounts.app_passwords(member.profile.id)?;
            all.extend(own.into_iter().map(|line| AppPasswordView::of(line, &member.profile)));
        }
        Ok(Reply::AppPasswords(all))
    }

    async fn remove_app_passwords(&self, name: &str, id: Option<&str>) -> Result<Reply, Failure> {
        let profile = self.named(name)?.profile;
        let id = id.map(|id| id.trim().to_ascii_lowercase());
        let mut meant = self.accounts.app_passwords(profile.id)?;
        meant.retain(|one| id.as_ref().is_none_or(|id| one.id == *id));
        let mut removed = Vec::new();
        for one in meant {
            if self.remove_one(&profile, &one).await? {
                removed.push(format!("{:?}", one.name));
            }
        }
        match (removed.as_slice(), id) {
            ([], Some(id)) => Err(Failure::Data(format!(
                "there is no app password {id:?} of {}; `passgate app-password list` shows all",
                profile.name
            ))),
            ([], None) => {
                Ok(Reply::Done(format!("{} has no app password; nothing was changed", profile.name)))
            }
            (removed, _) => Ok(Reply::Done(format!(
                "removed of {}: {}; programs that used them get in no longer",
                profile.name,
                removed.join(", ")
            ))),
        }
    }

    async fn remove_one(&self, profile: &Profile, one: &AppPasswordLine) -> Result<bool, StoreError> {
        let event = self.accounts.happened(What::AppPasswordRemoved).about(&one.name);
        let mut with = vec![event.kept(profile.id)];
        with.extend(self.notice(Happened::AppPasswordRemoved, profile));
        self.accounts.remove_app_password(profile.id, &one.id, with).await
    }
}
