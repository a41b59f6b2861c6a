//! Having a command carried out: by the gateway that runs on the data folder, or, if none does, on the store itself.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::Trouble;
use crate::app::Services;
use crate::auth::import::{Admission, Mode};
use crate::auth::mail::MailQueue;
use crate::auth::throttle::Throttle;
use crate::auth::{Accounts, Passwords, Sessions};
use crate::bridge::VaultError;
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::server::control::{Command, Control, Failure, Reply, call, call_for_copy};
use crate::server::options::StoreOptions;
use crate::store::{MemoryStore, SledStore, Store, StoreError};

/// Carries out a command; what was refused is trouble.
pub(super) fn carry_out(config: &Config, command: Command) -> Result<Reply, Trouble> {
    Reach::new(config).carry_out(command)
}

/// The way to whoever carries out commands, for as long as several are to be carried out.
pub(super) struct Reach<'c> {
    config: &'c Config,
    store: Option<(Control, Runtime)>,
}

impl<'c> Reach<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        Self { config, store: None }
    }

    /// Carries out a command. The store stays open once it had to be opened.
    pub(super) fn carry_out(&mut self, command: Command) -> Result<Reply, Trouble> {
        if self.store.is_none()
            && let Some(reply) = call(&self.config.server.data_dir, &command)?
        {
            return granted(reply);
        }
        let (control, runtime) = match &mut self.store {
            Some(store) => store,
            closed => closed.insert(on_the_store(self.config, &command)?),
        };
        granted(runtime.block_on(control.execute(command)))
    }
}

/// Has everything that is kept but sessions copied, and hands over each [`Reply::Copy`].
pub(super) fn copy(config: &Config, take: &mut dyn FnMut(Reply) -> ControlFlow<()>) -> Result<(), Trouble> {
    if let Some(last) = call_for_copy(&config.server.data_dir, take)? {
        return granted(last).map(drop);
    }
    let mut reach = Reach::new(config);
    let Reply::Copying(mut copying) = reach.carry_out(Command::Backup)? else { return Err(unexpected()) };
    loop {
        let reply = granted(copying.next_reply())?;
        if !matches!(reply, Reply::Copy { .. }) || take(reply).is_break() {
            return Ok(());
        }
    }
}

fn granted(reply: Reply) -> Result<Reply, Trouble> {
    match reply {
        Reply::Failed(failure) => Err(failure.into()),
        reply => Ok(reply),
    }
}

/// A reply of another kind than the command has.
pub(super) fn unexpected() -> Trouble {
    Trouble::unavailable("the gateway gave an answer that does not fit; compare its version with this one's")
}

/// An import seldom comes back to a page, and a page in the cache takes several times what it does on the disk.
const IMPORT_CACHE_BYTES: u64 = 4 << 20;

/// What carries out this command, and those after it, where no gateway runs.
fn on_the_store(config: &Config, command: &Command) -> Result<(Control, Runtime), Trouble> {
    let nobody = format!("no gateway runs on {}", config.server.data_dir.display());
    let StoreOptions::Sled { path, cache_bytes, .. } = &config.store else {
        return Err(Trouble::unavailable(format!(
            "{nobody}, and store.backend = \"memory\" keeps nothing without one"
        )));
    };
    if matches!(command, Command::Reload) {
        return Err(Trouble::unavailable(format!("{nobody}, so there is nothing to reload")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Trouble::unavailable(format!("no thread could be started: {error}")))?;
    if !path.exists() && matches!(command, Command::UserImport { mode: Mode::Rehearse, .. }) {
        // It is rehearsed on a store as empty as the one that would be made.
        return Ok((control(config, Arc::new(MemoryStore::new())).map_err(refused)?, runtime));
    }
    if !path.exists() && !command.makes_accounts() {
        let help = "`passgate user add NAME` makes it, if this is the right configuration";
        return Err(Trouble::unavailable(format!("there is no store in {} yet; {help}", path.display())));
    }
    owned_by_us(path, &config.server.data_dir)?;
    let most = if matches!(command, Command::UserImport { .. }) { IMPORT_CACHE_BYTES } else { u64::MAX };
    let store = SledStore::open(path, (*cache_bytes).min(most)).map_err(explained)?;
    Ok((control(config, Arc::new(store)).map_err(refused)?, runtime))
}

fn refused(error: VaultError) -> Trouble {
    Failure::from(error).into()
}

/// What carries out commands on a store that nobody else has open.
pub(super) fn control(config: &Config, store: Arc<dyn Store>) -> Result<Control, VaultError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sessions = Arc::new(Sessions::open(Arc::clone(&store), Arc::clone(&clock), config.lifetimes)?);
    let vault = Services::vault(&store, config)?;
    let passwords = Arc::new(Passwords::new(config.hashing, 1));
    let admission = Admission::new(Arc::clone(&store), Arc::clone(&clock));
    let second_factors = Services::second_factors(config, &store, &sessions, &clock)?;
    let throttle = Throttle::open(config.throttle, Arc::clone(&store), Arc::clone(&clock))?;
    let accounts = Accounts::new(
        Arc::clone(&store),
        Arc::clone(&sessions),
        passwords,
        Arc::clone(&clock),
        config.password,
    );
    let mail = MailQueue::open(Arc::clone(&store), Arc::clone(&clock))?;
    if config.mail.is_some() {
        mail.accept();
    }
    Ok(Control {
        accounts: Arc::new(accounts),
        admission,
        mail: Arc::new(mail),
        store,
        sessions,
        second_factors: Arc::new(second_factors),
        throttle: Arc::new(throttle),
        clock,
        passkey_counts: None,
        own_pages: config.own_url(""),
        vault: Box::new(move || vault.clone()),
        reload: Box::new(|| Box::pin(async { Err(vec!["no gateway is running".to_owned()]) })),
    })
}

/// Files made as another user would keep the gateway out of its own store.
pub(super) fn owned_by_us(path: &Path, data_dir: &Path) -> Result<(), Trouble> {
    let owner =
        [path, data_dir].into_iter().find_map(|folder| Some((folder, fs::metadata(folder).ok()?.uid())));
    // Where there is no /proc, who we are can't be asked without unsafe code.
    let (Some((folder, owner)), Ok(ourselves)) = (owner, fs::metadata("/proc/self")) else { return Ok(()) };
    if owner == ourselves.uid() {
        return Ok(());
    }
    Err(Trouble::unavailable(format!(
        "{} belongs to user {owner}; run the command as that user (sudo -u '#{owner}' passgate …)",
        folder.display(),
    )))
}

pub(super) fn explained(error: StoreError) -> Trouble {
    match error {
        StoreError::InUse { path } => Trouble::unavailable(format!(
            "the store in {} is in use by another process, but no gateway answers on its socket; if one is just \
             starting or stopping, try again in a moment",
            path.display()
        )),
        other => Failure::from(other).into(),
    }
}
