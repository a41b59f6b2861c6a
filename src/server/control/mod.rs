//! What operators' commands do, whoever carries them: the admin socket of a running gateway, or a command that has opened
//! the store itself. One [`Control::execute`] for both.
//!
//! The socket asks nobody who they are: it lies in a folder of mode 0700 and has mode 0600 itself, so only the gateway's
//! own user (and root) can reach it, and they could read the store as well (SECURITY: OPS-06). No reply holds a password
//! or its hash; a set-up link is the one secret that is given out, to hand over.

mod accounts;
mod app_passwords;
mod applicants;
mod copying;
mod forum;
mod import;
mod invitations;
mod passkeys;
mod protocol;
mod required;
mod second_factors;
mod secret_text;
mod sessions;
mod socket;
mod throttle;

pub use app_passwords::{AppPasswordCommand, AppPasswordView};
pub use applicants::ApplicantCommand;
pub use copying::Copying;
pub use invitations::{InvitationCommand, InvitationView, NewInvitation};
pub use passkeys::{CountView, PasskeyView, Synced};
pub use protocol::{
    AskedFor, Command, Failure, LinkTo, MemberRecord, MemberView, NewAccount, Reply, SessionView, SessionsOf,
    SetupUrl, UserLine, UserView,
};
pub use required::{all_users, without_passkey, without_second_factor};
pub use second_factors::SecondFactorView;
pub use socket::{CallError, ControlSocket, call, call_for_copy, is_running, room_for_command};
pub use throttle::ThrottleView;

use std::pin::Pin;
use std::sync::Arc;

use crate::auth::import::Admission;
use crate::auth::mail::{Happened, Letter, MailQueue, Notice};
use crate::auth::second_factors::SecondFactors;
use crate::auth::throttle::Throttle;
use crate::auth::{Accounts, Sessions};
use crate::bridge::Vault;
use crate::domain::{Clock, Profile, User, UserName};
use crate::store::{Change, Store, StoreError};
use crate::web::PasskeyCounts;

/// Reads the configuration again. Gives what changed, or what was wrong, in lines to show.
pub type Reload = Box<dyn Fn() -> Reloading + Send + Sync>;

/// A [`Reload`] under way.
pub type Reloading = Pin<Box<dyn Future<Output = Result<Vec<String>, Vec<String>>> + Send>>;

/// The vault that is in use now.
pub type FindVault = Box<dyn Fn() -> Option<Arc<Vault>> + Send + Sync>;

/// Carries out commands.
pub struct Control {
    /// Management of accounts.
    pub accounts: Arc<Accounts>,
    /// How members of another application come in.
    pub admission: Admission,
    /// Where passkeys are read, whether or not members may use them now.
    pub store: Arc<dyn Store>,
    /// All sessions.
    pub sessions: Arc<Sessions>,
    /// Second factors.
    pub second_factors: Arc<SecondFactors>,
    /// What was tried to get in.
    pub throttle: Arc<Throttle>,
    /// Mails to members.
    pub mail: Arc<MailQueue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What became of ceremonies; none without a running gateway.
    pub passkey_counts: Option<Arc<PasskeyCounts>>,
    /// Passwords for the forum; none where it takes none.
    pub vault: FindVault,
    /// The address of our own pages, without a slash at its end; one-time links begin with it.
    pub own_pages: String,
    /// What [`Command::Reload`] does.
    pub reload: Reload,
}

impl Control {
    /// Carries out a command. What was refused is in the reply; it is never half done.
    pub async fn execute(&self, command: Command) -> Reply {
        tracing::info!(target: "passgate::audit", event = "operators-command", command = command.name(),
            member = command.member(), "operator's command");
        let result = match command {
            Command::Applicant(command) => self.decide(command).await,
            Command::AppPassword(command) => self.app_passwords(command).await,
            Command::Backup => self.copy().await,
            Command::ForumRotateKey => self.rotate_key().await,
            Command::Invitation(command) => self.invite(command).await,
            Command::PasskeyCounts => Ok(self.count_ceremonies()),
            Command::PasskeyList { name } => self.list_passkeys(name.as_deref()),
            Command::PasskeyRemove { name, passkey } => self.remove_passkey(&name, &passkey).await,
            Command::UserAdd(new) => self.add(new).await,
            Command::UserImport { from, members, mode } => self.import(&from, members, mode).await,
            Command::UserList => self.list(),
            Command::UserResetSecondFactor { name } => self.reset_second_factor(&name).await,
            Command::UserShow { name } => self.show(&name),
            Command::UserUnlock { name } => self.unlock(&name).await,
            Command::UserDisable { name } => self.disable(&name).await,
            Command::UserEnable { name } => self.enable(&name).await,
            Command::UserDelete { name } => self.delete(&name).await,
            Command::UserLink { name, to } => self.link(&name, to).await,
            Command::SessionList { user } => self.list_sessions(user.as_deref()),
            Command::SessionRevoke(which) => self.revoke(which).await,
            Command::Reload => (self.reload)().await.map(Reply::Reloaded).map_err(Failure::Configuration),
        };
        result.unwrap_or_else(Reply::Failed)
    }

    /// The mail that tells this member of something an operator did. None where no mail is sent, or they have no address.
    fn notice(&self, what: Happened, member: &Profile) -> Option<Change> {
        let letter = Letter::Notice(Notice { what, browser: String::new(), client: None });
        self.mail.hand_in(member.id, member.email.as_deref(), letter)
    }

    fn named(&self, name: &str) -> Result<User, Failure> {
        let name = read_name(name)?;
        let user = self.accounts.find(&name)?;
        user.ok_or_else(|| {
            Failure::Data(format!(
                "there is no member called {:?}; `passgate user list` shows all",
                name.as_str()
            ))
        })
    }
}

fn read_name(text: &str) -> Result<UserName, Failure> {
    UserName::parse(text).map_err(|error| Failure::Data(format!("the name {text:?} {error}")))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NameTaken => {
                Self::Data("that name, in this or another spelling, is taken".to_owned())
            }
            StoreError::NoSuchUser => Self::Data("the member has been deleted in the meantime".to_owned()),
            StoreError::Abandoned => {
                Self::Data("the member has been changed in the meantime; try again".to_owned())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
