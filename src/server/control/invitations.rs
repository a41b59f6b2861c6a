//! The commands that are about invitations.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Control;
use super::accounts::{read_email, read_group};
use super::protocol::{Failure, Reply};
use crate::auth::joining::{Invitation, InvitationToken, Invitations, MadeBy};
use crate::domain::{EmailKey, TokenHash};

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationCommand {
    /// All that are open.
    List,
    /// Makes one.
    Make(NewInvitation),
    /// Withdraws the one with this id, as a listing shows it.
    Withdraw {
        /// Its id.
        id: String,
    },
}

/// An invitation to be made, as typed.
#[derive(Debug, Serialize, Deserialize)]
pub struct NewInvitation {
    /// The e-mail address of who is invited.
    pub email: Option<String>,
    /// The groups they will be in.
    pub groups: Vec<String>,
    /// For how many accounts it is good.
    pub times: u32,
    /// For how many days.
    pub days: u32,
}

/// An invitation as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    /// The beginning of its hash: enough to name it, too little to be it.
    pub id: String,
    /// When it was made.
    pub created: String,
    /// Until when it is good.
    pub expires: String,
    /// For how many accounts it still is.
    pub left: u32,
    /// The groups of who joins with it.
    pub groups: Vec<String>,
    /// The address of who joins with it.
    pub email: Option<String>,
}

impl InvitationView {
    fn of(hash: TokenHash, invitation: &Invitation) -> Self {
        Self {
            id: hash.short(),
            created: invitation.created.to_string(),
            expires: invitation.expires.to_string(),
            left: invitation.left,
            groups: invitation.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            email: invitation.email.clone(),
        }
    }
}

impl InvitationCommand {
    /// The command in words, for the log.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::List => "invitation list",
            Self::Make(_) => "invitation make",
            Self::Withdraw { .. } => "invitation withdraw",
        }
    }
}

impl Control {
    pub(super) async fn invite(&self, command: InvitationCommand) -> Result<Reply, Failure> {
        let invitations = Invitations::new(self.store.clone(), self.clock.clone());
        match command {
            InvitationCommand::List => self.list_invitations(&invitations),
            InvitationCommand::Make(new) => self.make_invitation(&invitations, new).await,
            InvitationCommand::Withdraw { id } => withdraw(&invitations, &id).await,
        }
    }

    fn list_invitations(&self, invitations: &Invitations) -> Result<Reply, Failure> {
        let (now, mut all) = (self.clock.now(), invitations.all()?);
        all.retain(|(_, invitation)| now < invitation.expires && invitation.made_by == MadeBy::Operator);
        all.sort_by_key(|(hash, invitation)| (invitation.created, *hash));
        Ok(Reply::Invitations(
            all.iter().map(|(hash, invitation)| InvitationView::of(*hash, invitation)).collect(),
        ))
    }

    async fn make_invitation(&self, invitations: &Invitations, new: NewInvitation) -> Result<Reply, Failure> {
        let groups = new.groups.iter().map(|text| read_group(text)).collect::<Result<_, _>>()?;
        let email = new.email.as_deref().map(read_email).transpose()?;
        if let Some(email) = &email
            && let Some(other) =
                EmailKey::parse(email).map_or(Ok(Vec::new()), |key| self.accounts.with_email(&key))?.first()
        {
            let name = &other.profile.name;
            return Err(Failure::Data(format!("{email} is the address of {name} already")));
        }
        let lifetime = Duration::from_secs(u64::from(new.days) * 24 * 60 * 60);
        let made = invitations.make(groups, email, new.times, lifetime).await?;
        let Some((token, invitation)) = made else {
            let most = Invitations::MOST;
            return Err(Failure::Data(format!("{most} invitations are open; withdraw some first")));
        };
        let url = self.join_url(&token);
        Ok(Reply::Invited { url, invitation: InvitationView::of(token.hash(), &invitation) })
    }

    fn join_url(&self, token: &InvitationToken) -> String {
        format!("{}/join?token={}", self.own_pages, *token.to_text())
    }
}

async fn withdraw(invitations: &Invitations, id: &str) -> Result<Reply, Failure> {
    let all = invitations.all()?;
    let Some((hash, _)) = all.into_iter().find(|(hash, _)| hash.short() == id) else {
        return Err(Failure::Data(format!(
            "there is no invitation {id:?}; `passgate invitation list` shows all"
        )));
    };
    invitations.withdraw(hash).await?;
    Ok(Reply::Done("the invitation is withdrawn; accounts made with it stay".to_owned()))
}
