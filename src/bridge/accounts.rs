//! [`ForumAccounts`]: members' accounts at the forum, as pages and proxy deal with them. One try each time a member gives a
//! password; what works is kept in the vault, what does not is never tried again by itself. Where sessions are made from the
//! forum's database there is no vault, and no member is asked for anything.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderValue};

use super::browsers::Browsers;
use super::jar::setting;
use super::newcomers::Newcomers;
use super::options::{CookiesAt, FirstSignIn, ForumOptions, Passwords};
use super::vault::Unlocked;
use super::{
    Accounts, AsWhom, Ask, Bridge, ByName, CookieNames, Credentials, Dial, Forum, ForumSession, InBrowser,
    Jar, Known, NotKnown, Origin, PasswordSetting, RealPause, Seen, Turn, Unclaimed, Vault, VaultError,
    Visitor, Whose,
};
use crate::domain::{Clock, Profile, Secret, SessionId, Timestamp, UserId, UserName};

/// By what means members become known to the forum.
pub enum Means {
    /// They are signed in at its form with their passwords.
    Passwords(Arc<Vault>),
    /// Their sessions are made from its database.
    Database(ByName),
}

/// Members' accounts at the forum.
pub struct ForumAccounts {
    bridge: Bridge,
    /// There where members sign in at the forum's form.
    vault: Option<Arc<Vault>>,
    passwords: Passwords,
    origin: Origin,
    fields: HeaderMap,
    names: CookieNames,
    /// There where members' browsers have the forum's cookies, too.
    browsers: Option<Browsers>,
    /// The sessions whose members went on as guests of the forum.
    guests: Mutex<HashSet<SessionId>>,
    /// There where its members get an account here when they first sign in.
    newcomers: Option<Arc<Newcomers>>,
}

impl ForumAccounts {
    /// Accounts at the forum that `dial` leads to.
    pub fn new(options: &ForumOptions, means: Means, dial: Arc<dyn Dial>, clock: Arc<dyn Clock>) -> Self {
        let forum = Forum::new(options.preset.clone(), &options.base, dial, clock, Arc::new(RealPause));
        let passwords = options.passwords;
        let generates = options.preset.change.clone().filter(|_| passwords == Passwords::Generated);
        let (accounts, vault): (Arc<dyn Accounts>, _) = match means {
            Means::Passwords(vault) => (Arc::new(Unlocked::new(Arc::clone(&vault), generates)), Some(vault)),
            Means::Database(members) => (Arc::new(members), None),
        };
        let bridge = Bridge::new(forum, accounts);
        let (origin, fields) = (options.origin.clone(), options.fields.clone());
        let names = options.preset.cookies.session.clone();
        let browsers = match options.cookies {
            CookiesAt::Browser => Some(Browsers::new(names.clone(), origin.clone(), &options.base)),
            CookiesAt::Gateway => None,
        };
        let newcomers = (options.first_sign_in == FirstSignIn::Create).then(Arc::default);
        Self {
            bridge,
            vault,
            passwords,
            origin,
            fields,
            names,
            browsers,
            guests: Mutex::default(),
            newcomers,
        }
    }

    /// Where the passwords are, where there are any; it gives none out.
    pub fn vault(&self) -> Option<Arc<Vault>> {
        self.vault.clone()
    }

    /// The member's browser, as the forum is to see it.
    pub fn visitor(&self, client: IpAddr, request: &HeaderMap) -> Visitor {
        let visitor = Visitor::new(self.origin.clone(), client).as_browser(request);
        let fields = self.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
        fields.fold(visitor, |visitor, (name, value)| visitor.with(name, value))
    }

    /// By what the forum knows a member; signs in first if need be.
    pub async fn known(&self, session: SessionId, member: UserId, visitor: &Visitor) -> Known {
        match self.bridge.cookies_for(session, member, visitor).await {
            Known::AsksMember(_) if self.is_guest(&session) || self.vault.is_none() => Known::Anonymous,
            known => known,
        }
    }

    /// Tries a password that the member has given for the forum, once, and keeps it if it works. Where the forum is away or wants
    /// a pause and nothing is kept yet, it is kept untried, and judged at the member's next request after that.
    pub async fn connect(
        &self,
        session: SessionId,
        member: &Profile,
        password: Secret<String>,
        visitor: &Visitor,
    ) -> Result<Known, VaultError> {
        let Some(vault) = &self.vault else { return Ok(Known::Anonymous) };
        let credentials = Credentials { name: member.name.to_string(), password };
        let known = self.bridge.link(session, member.id, &credentials, visitor).await?;
        match &known {
            Known::Cookies(_) => {
                self.guests().remove(&session);
            }
            // One that has worked is still there, and may be the only one: nobody else knows it, if it was made here.
            Known::AsksMember(Ask::WrongPassword | Ask::UnknownUser) if vault.has(member.id)? => {
                self.bridge.account_changed(member.id);
            }
            Known::AsksMember(Ask::WrongPassword | Ask::UnknownUser) => vault.refuse(member.id).await?,
            Known::Anonymous if !vault.has(member.id)? => {
                vault.keep(member.id, &credentials.password).await?
            }
            Known::AsksMember(_) | Known::Anonymous => {}
        }
        Ok(known)
    }

    /// Whether a password that this member gives is replaced at the forum by one that the gateway makes.
    pub fn replaces_password_of(&self, member: &Profile) -> bool {
        self.passwords == Passwords::Generated && !member.runs_the_forum()
    }

    /// Whether the gateway knows the form in which members change their password there.
    pub fn can_set_passwords(&self) -> bool {
        self.vault.is_some() && self.bridge.forum().preset().change.is_some()
    }

    /// Whether the member's password at the forum is one that the gateway has made, so that nobody knows it.
    pub fn is_generated(&self, member: UserId) -> Result<bool, VaultError> {
        self.vault.as_ref().map_or(Ok(false), |vault| vault.is_generated(member))
    }

    /// Sets a password at the forum that the member has chosen, in the place of the one it has.
    pub async fn set_password(
        &self,
        session: SessionId,
        member: UserId,
        password: &Secret<String>,
        visitor: &Visitor,
    ) -> Result<PasswordSetting, VaultError> {
        self.bridge.set_password(session, member, password, visitor).await
    }

    /// Whatever the forum has asked of a member, the next request tries again to sign in there.
    pub fn try_again(&self, session: SessionId, member: UserId) {
        self.bridge.account_changed(member);
        self.guests().remove(&session);
    }

    /// Whether members of the forum whom nobody knows here get an account when they first sign in.
    pub fn takes_newcomers(&self) -> bool {
        self.newcomers.is_some()
    }

    /// Waits for the turn to ask the forum about somebody of a name that nobody has here.
    pub async fn turn(&self, name: &UserName, visitor: &Visitor) -> Result<Turn, NotKnown> {
        match &self.newcomers {
            Some(newcomers) => newcomers.turn(&self.bridge, name, visitor).await,
            None => Err(NotKnown::Away),
        }
    }

    /// Keeps the password of somebody whom the forum has just let in.
    pub async fn keep_password(&self, member: UserId, password: &Secret<String>) -> Result<(), VaultError> {
        match &self.vault {
            Some(vault) => vault.keep(member, password).await,
            None => Ok(()),
        }
    }

    /// The session at the forum that was made before there was one here is this one's.
    pub fn adopt(&self, session: SessionId, member: UserId, forum: Unclaimed) {
        match self.passwords {
            Passwords::Members => self.bridge.adopt(session, member, forum),
            // Their first request signs in with what was kept, and sets another password.
            Passwords::Generated => drop(forum.claim()),
        }
    }

    /// Whether a password that this member signs in with here may be tried at the forum: nothing was before.
    pub fn is_untried(&self, member: UserId) -> Result<bool, VaultError> {
        self.vault.as_ref().map_or(Ok(false), |vault| vault.is_untried(member))
    }

    /// Whether the member's account at the forum is connected; none where there is nothing for members to connect.
    pub fn is_connected(&self, member: UserId) -> Result<Option<bool>, VaultError> {
        self.vault.as_ref().map(|vault| vault.has(member)).transpose()
    }

    /// Whether members give their passwords for the forum here.
    pub fn takes_passwords(&self) -> bool {
        self.vault.is_some()
    }

    /// Forgets the member's password, and the sessions at the forum that were made with it.
    pub async fn disconnect(&self, session: SessionId, member: UserId) -> Result<(), VaultError> {
        if let Some(vault) = &self.vault {
            vault.take_back(member).await?;
        }
        self.bridge.forget_member(member);
        self.go_without(session);
        Ok(())
    }

    /// For the rest of this session the member is a guest at the forum, as long as it takes something of them not to be.
    pub fn go_without(&self, session: SessionId) {
        self.guests().insert(session);
    }

    /// Whether the member of this session chose to be a guest.
    pub fn is_guest(&self, session: &SessionId) -> bool {
        self.guests().contains(session)
    }

    /// Looks at an answer to a request that went out with a member's cookies.
    pub fn notice(&self, session: &ForumSession, seen: &Seen<'_>) {
        self.bridge.notice(session, seen);
    }

    /// A session is over here. It is ended at the forum, too, without anybody waiting for that.
    pub fn forget(&self, session: &SessionId) {
        self.bridge.forget(session);
        self.guests().remove(session);
    }

    /// The `Set-Cookie` fields by which a session's browser forgets the forum's cookies. To be asked for before the session ends.
    pub fn farewell(&self, session: &SessionId, now: Timestamp) -> Vec<HeaderValue> {
        let known = self.bridge.current(session);
        let fields = known.map(|known| known.fields(now)).unwrap_or_default();
        self.browsers
            .iter()
            .flat_map(|browsers| fields.iter().filter_map(|field| browsers.taken(field)))
            .collect()
    }

    /// Forgets all but these sessions.
    pub fn keep(&self, is_live: impl Fn(&SessionId) -> bool) {
        self.bridge.keep(&is_live);
        self.guests().retain(is_live);
    }

    /// Whether requests that go as this one, and their answers, keep their cookies as they are.
    pub fn leaves_alone(&self, whom: &AsWhom) -> bool {
        matches!(whom, AsWhom::Guest) && self.browsers.is_none()
    }

    /// The `Cookie` field of a request for `path`, made of the browser's own ones, and what is amiss with these.
    pub fn cookies(
        &self,
        whom: &AsWhom,
        browsers: &[&[u8]],
        path: &str,
        now: Timestamp,
    ) -> (Option<HeaderValue>, InBrowser) {
        let fields = || browsers.iter().copied();
        match (whom, &self.browsers) {
            (AsWhom::Member(session), all) => {
                let found = all.as_ref().map(|all| all.compare(session, fields(), path, now));
                (session.field(fields(), path, now), found.unwrap_or_default())
            }
            (AsWhom::Guest, Some(all)) => all.guests_field(fields()),
            (AsWhom::Guest | AsWhom::Nobody, _) => {
                (Jar::default().field(fields(), &self.names, path, now), InBrowser::default())
            }
        }
    }

    /// What of a `Set-Cookie` field of the answer the browser gets. Fields are given in their order.
    pub fn pass(
        &self,
        whom: &AsWhom,
        field: &HeaderValue,
        path: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let AsWhom::Member(session) = whom else {
            self.browsers.iter().for_each(|all| all.give_to_guest(field.as_bytes(), now));
            return Some(field.clone());
        };
        match (session.take(field.as_bytes(), path, now), &self.browsers) {
            (Whose::Browsers, _) => Some(field.clone()),
            // SECURITY: O1. Whoever is signed out gets nothing more of that session, however late the answer comes.
            (Whose::Gateways, Some(all)) if !session.is_over() || takes_away(field, now) => {
                all.given(field.as_bytes())
            }
            (Whose::Gateways, _) => None,
        }
    }

    /// The `Set-Cookie` fields that put a browser right: those that take away what it should not have, and those that give it what
    /// it lacks.
    pub fn put_right(
        &self,
        whom: &AsWhom,
        found: &InBrowser,
        now: Timestamp,
    ) -> (Vec<HeaderValue>, Vec<HeaderValue>) {
        let Some(all) = &self.browsers else { return Default::default() };
        let lacking = match whom {
            AsWhom::Member(session) if found.lacks && !session.is_over() => session.fields(now),
            _ => Vec::new(),
        };
        let taken = found.strays.iter().flat_map(|name| all.taken_by_name(name));
        (taken.collect(), lacking.iter().filter_map(|field| all.given(field)).collect())
    }

    fn guests(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn takes_away(field: &HeaderValue, now: Timestamp) -> bool {
    setting(field.as_bytes(), now).is_some_and(|setting| setting.value.is_none())
}
