//! What travels over the admin socket: one JSON object a line, a [`Command`] there and a [`Reply`] back. Also the shape of
//! `--json` listings. Times are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

use super::app_passwords::{AppPasswordCommand, AppPasswordView};
use super::applicants::ApplicantCommand;
use super::copying::Copying;
use super::invitations::{InvitationCommand, InvitationView};
use super::passkeys::{CountView, PasskeyView};
use super::second_factors::SecondFactorView;
use super::secret_text;
use super::throttle::ThrottleView;
use crate::auth::import::{ImportedMember, Mode, Outcome};
use crate::domain::{LinkKind, PasskeyFor, Persistence, Profile, Secret, Session, User, UserState};

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Something about accounts that wait for an operator.
    Applicant(ApplicantCommand),
    /// Something about app passwords.
    AppPassword(AppPasswordCommand),
    /// A copy of all that is kept but sessions, in many replies: [`Reply::Copy`], then [`Reply::Done`].
    Backup,
    /// Seals all passwords for the forum with a new key.
    ForumRotateKey,
    /// Something about invitations.
    Invitation(InvitationCommand),
    /// All passkeys, or those of one member.
    PasskeyList {
        /// The member's name, in any spelling.
        name: Option<String>,
    },
    /// What became of ceremonies since the gateway's start.
    PasskeyCounts,
    /// Removes a member's passkey and ends the sessions it opened.
    PasskeyRemove {
        /// The member's name, in any spelling.
        name: String,
        /// The passkey, as a listing names it.
        passkey: String,
    },
    /// Reads the configuration again.
    Reload,
    /// All live sessions, or those of one member.
    SessionList {
        /// The member's name.
        user: Option<String>,
    },
    /// Ends sessions.
    SessionRevoke(SessionsOf),
    /// Adds an account.
    UserAdd(NewAccount),
    /// Removes an account and ends its sessions.
    UserDelete {
        /// The member's name, in any spelling.
        name: String,
    },
    /// Keeps a member out and ends their sessions.
    UserDisable {
        /// The member's name, in any spelling.
        name: String,
    },
    /// Lets a member sign in again.
    UserEnable {
        /// The member's name, in any spelling.
        name: String,
    },
    /// Takes in members of another application; at most [`crate::auth::import::Admission::BATCH`].
    UserImport {
        /// Which application.
        from: String,
        /// Who; no two of the same name.
        members: Vec<MemberRecord>,
        /// Whether it is meant.
        mode: Mode,
    },
    /// Makes a one-time link.
    UserLink {
        /// The member's name, in any spelling.
        name: String,
        /// What for.
        to: LinkTo,
    },
    /// All accounts.
    UserList,
    /// Takes a member's second factor away.
    UserResetSecondFactor {
        /// The member's name, in any spelling.
        name: String,
    },
    /// One account.
    UserShow {
        /// The member's name, in any spelling.
        name: String,
    },
    /// Forgets the wrong passwords that were tried for a member.
    UserUnlock {
        /// The member's name, in any spelling.
        name: String,
    },
}

/// An account to be made, as typed.
#[derive(Debug, Serialize, Deserialize)]
pub struct NewAccount {
    /// The name to sign in with.
    pub name: String,
    /// A name to show.
    pub full_name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// A password; none for a set-up link.
    #[serde(with = "secret_text")]
    pub password: Option<Secret<String>>,
}

/// A member of another application.
#[derive(Debug, Serialize, Deserialize)]
pub struct MemberRecord {
    /// The name to sign in with.
    pub name: String,
    /// A name to show.
    pub full_name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Whether they may sign in.
    pub state: UserState,
    /// The hash of their password, in the form in which it is stored.
    #[serde(with = "secret_text")]
    pub password: Option<Secret<String>>,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkTo {
    /// Getting back in: a new password, or signing in and adding one passkey.
    Reset,
    /// Setting a password.
    SetUp,
    /// Signing in. For a member who has neither password nor passkey it is made [`LinkTo::Reset`]: there is nothing they
    /// could confirm a change with.
    SignIn,
}

/// Which sessions to end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionsOf {
    /// Everyone's.
    Everyone,
    /// The one with this id, as a listing shows it.
    Id(String),
    /// This member's.
    User(String),
}

/// What came of a command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The account is there.
    Added {
        /// It.
        user: UserView,
        /// Where a password can be set, if none was given.
        link: Option<SetupUrl>,
        /// Things to know, in words.
        warnings: Vec<String>,
    },
    /// App passwords, by their members' names, oldest first.
    AppPasswords(Vec<AppPasswordView>),
    /// The next lines of a copy.
    Copy {
        /// About how many lines there are altogether.
        total: u64,
        /// Some of them.
        lines: Vec<String>,
    },
    /// A copy, from which its lines are to be taken; it does not travel itself.
    #[serde(skip)]
    Copying(Copying),
    /// Done; the line says what.
    Done(String),
    /// What came of each of a batch of members, in its order.
    Imported(Vec<Outcome>),
    /// Not done.
    Failed(Failure),
    /// Invitations, oldest first.
    Invitations(Vec<InvitationView>),
    /// An invitation.
    Invited {
        /// To be handed to whom it is for.
        url: String,
        /// What it is good for.
        invitation: InvitationView,
    },
    /// A set-up link.
    Link(SetupUrl),
    /// What became of ceremonies; none without a running gateway.
    PasskeyCounts(Option<Vec<CountView>>),
    /// Passkeys, by their members' names, oldest first.
    Passkeys(Vec<PasskeyView>),
    /// Read again; the lines say what changed.
    Reloaded(Vec<String>),
    /// Sessions, latest use first.
    Sessions(Vec<SessionView>),
    /// One account.
    User(MemberView),
    /// Accounts, by name.
    Users(Vec<UserLine>),
}

/// Why a command was not carried out.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The configuration has problems; one entry each. The old one still holds.
    Configuration(Vec<String>),
    /// What was asked for makes no sense here.
    Data(String),
    /// Something that is needed does not answer.
    Unavailable(String),
}

/// A one-time link.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetupUrl {
    /// What it is for, which may be more than was asked for.
    pub to: LinkTo,
    /// To be handed to the member.
    pub url: String,
    /// When it stops working.
    pub expires: String,
}

/// An account as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// Its lasting id.
    pub id: String,
    /// The name signed in with.
    pub name: String,
    /// The name to show.
    pub full_name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// Whether the member may sign in.
    pub state: UserState,
    /// Whether a password is set.
    pub has_password: bool,
    /// When the account was made.
    pub created: String,
    /// When the member last signed in.
    pub last_sign_in: Option<String>,
    /// Until when a one-time link works, if one was made and not used; this may be over.
    pub link_expires: Option<String>,
    /// For what the member wants a passkey to be asked, beside what the site asks of them.
    #[serde(default)]
    pub passkey_for: Vec<AskedFor>,
}

/// For what a member may want a passkey to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedFor {
    /// Changes of what one signs in with, and pages that ask for a fresh sign-in.
    SensitiveActions,
    /// Signing in.
    SigningIn,
}

/// An account in a listing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLine {
    /// The account.
    #[serde(flatten)]
    pub user: UserView,
    /// How many passkeys it has.
    pub passkeys: usize,
    /// Whether it has a second factor.
    #[serde(default)]
    pub second_factor: bool,
    /// Since when it waits for an operator, if it does.
    #[serde(default)]
    pub waits_since: Option<String>,
}

/// An account with what belongs to it, as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// The account.
    #[serde(flatten)]
    pub user: UserView,
    /// Its passkeys, oldest first.
    pub passkeys: Vec<PasskeyView>,
    /// Their second factor, if they have one.
    #[serde(default)]
    pub second_factor: Option<SecondFactorView>,
    /// When they confirmed that the e-mail address is theirs, if they did.
    #[serde(default)]
    pub email_confirmed: Option<String>,
    /// What the throttle has counted.
    #[serde(default)]
    pub throttle: ThrottleView,
}

/// A session as operators see it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// The beginning of its id: enough to name it, too little to be it.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// When the member signed in.
    pub created: String,
    /// When it was last used.
    pub last_seen: String,
    /// Whether "stay signed in" was ticked.
    pub remembered: bool,
    /// What the browser called itself.
    pub user_agent: String,
}

impl Command {
    /// The command in a word, for the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Applicant(command) => command.name(),
            Self::AppPassword(command) => command.name(),
            Self::Backup => "backup",
            Self::ForumRotateKey => "forum rotate-key",
            Self::Invitation(command) => command.name(),
            Self::PasskeyCounts => "passkey stats",
            Self::PasskeyList { .. } => "passkey list",
            Self::PasskeyRemove { .. } => "passkey remove",
            Self::Reload => "reload",
            Self::SessionList { .. } => "session list",
            Self::SessionRevoke(_) => "session revoke",
            Self::UserAdd(_) => "user add",
            Self::UserDelete { .. } => "user delete",
            Self::UserDisable { .. } => "user disable",
            Self::UserEnable { .. } => "user enable",
            Self::UserImport { .. } => "user import",
            Self::UserLink { to: LinkTo::Reset, .. } => "user link --reset",
            Self::UserLink { to: LinkTo::SetUp, .. } => "user link --set-up",
            Self::UserLink { to: LinkTo::SignIn, .. } => "user link",
            Self::UserList => "user list",
            Self::UserResetSecondFactor { .. } => "user reset-second-factor",
            Self::UserShow { .. } => "user show",
            Self::UserUnlock { .. } => "user unlock",
        }
    }

    /// Whom it is about, as typed, for the log.
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::UserAdd(NewAccount { name, .. })
            | Self::UserDelete { name }
            | Self::UserDisable { name }
            | Self::UserEnable { name }
            | Self::UserLink { name, .. }
            | Self::UserResetSecondFactor { name }
            | Self::UserShow { name }
            | Self::UserUnlock { name }
            | Self::PasskeyRemove { name, .. }
            | Self::SessionRevoke(SessionsOf::User(name)) => Some(name),
            Self::Applicant(command) => Some(command.member()),
            Self::AppPassword(command) => command.member(),
            Self::SessionList { user: name } | Self::PasskeyList { name } => name.as_deref(),
            Self::Backup
            | Self::ForumRotateKey
            | Self::Invitation(_)
            | Self::PasskeyCounts
            | Self::Reload
            | Self::UserImport { .. }
            | Self::UserList
            | Self::SessionRevoke(_) => None,
        }
    }

    /// Whether an account may come to be where there was none.
    pub const fn makes_accounts(&self) -> bool {
        matches!(self, Self::UserAdd(_) | Self::UserImport { mode: Mode::Write, .. })
    }
}

impl From<&ImportedMember> for MemberRecord {
    fn from(member: &ImportedMember) -> Self {
        Self {
            name: member.name.to_string(),
            full_name: member.full_name.clone(),
            email: member.email.clone(),
            groups: member.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            state: member.state,
            password: member.password.clone().map(Secret::new),
        }
    }
}

impl AskedFor {
    fn all(choice: PasskeyFor) -> Vec<Self> {
        let sensitive = choice.sensitive_actions.then_some(Self::SensitiveActions);
        choice.signing_in.then_some(Self::SigningIn).into_iter().chain(sensitive).collect()
    }

    /// The choice that is told so.
    pub fn choice(all: &[Self]) -> PasskeyFor {
        PasskeyFor {
            signing_in: all.contains(&Self::SigningIn),
            sensitive_actions: all.contains(&Self::SensitiveActions),
        }
    }
}

impl UserView {
    pub(super) fn of(user: &User) -> Self {
        let profile = &user.profile;
        let link = user.setup.as_ref().filter(|link| link.kind != LinkKind::Grant);
        Self {
            id: profile.id.to_string(),
            name: profile.name.to_string(),
            full_name: profile.full_name.clone(),
            email: profile.email.clone(),
            groups: profile.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            state: user.state,
            has_password: user.password.is_some(),
            created: user.created.to_string(),
            last_sign_in: user.last_sign_in.map(|moment| moment.to_string()),
            link_expires: link.map(|link| link.expires.to_string()),
            passkey_for: AskedFor::all(user.passkey_for),
        }
    }
}

impl SessionView {
    pub(super) fn of(session: &Session, profile: &Profile) -> Self {
        Self {
            id: session.id.short(),
            user: profile.name.to_string(),
            created: session.created.to_string(),
            last_seen: session.last_seen.to_string(),
            remembered: session.persistence == Persistence::Remembered,
            user_agent: session.user_agent.clone(),
        }
    }
}
