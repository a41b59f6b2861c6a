//! Forms that came too late: posted after the sign-in had ended, or before a fresh one that their page asks for. They are
//! kept until their member has signed in and says what is to become of them.
//!
//! SECURITY: R3. A form belongs to one member and one browser, and goes to the one address it was posted to, once. It is
//! there for [`KeptForms::LIFETIME`] at most, also to copy from when it has been sent: the application may not have liked
//! it. What is kept is bounded for each form, each member and all.

mod body;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

use self::body::{Bodies, Body};
use super::SendToken;
use crate::domain::{Clock, ReturnTo, Timestamp, TokenHash, UserId, hex, random};

/// Whose a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The member who was signed in.
    pub member: UserId,
    /// The hash of the browser's token.
    pub browser: TokenHash,
}

/// The header fields that go along with a form.
#[derive(Clone, Debug)]
pub struct KeptHeaders {
    /// `Content-Type`.
    pub content_type: HeaderValue,
    /// `Origin`, if there was one.
    pub origin: Option<HeaderValue>,
    /// `Referer`, if there was one.
    pub referer: Option<HeaderValue>,
}

/// A kept form.
#[derive(Debug)]
pub struct KeptForm {
    id: [u8; 16],
    owner: Owner,
    kept_at: Timestamp,
    target: ReturnTo,
    headers: KeptHeaders,
    body: Body,
    room: Room,
}

impl KeptForm {
    /// What names it on its member's page.
    pub fn id(&self) -> String {
        hex(self.id)
    }

    /// Whose it is.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// When it came.
    pub fn kept_at(&self) -> Timestamp {
        self.kept_at
    }

    /// Where it was posted to.
    pub fn target(&self) -> &ReturnTo {
        &self.target
    }

    /// What goes along with it.
    pub fn headers(&self) -> &KeptHeaders {
        &self.headers
    }

    /// How large it is.
    pub fn bytes(&self) -> usize {
        self.room.bytes
    }
}

/// Room for one form; given back when dropped.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Room {
    /// How many bytes there is room for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why a form is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// The disk can't take it.
    #[error(transparent)]
    Disk(#[from] std::io::Error),
    /// Too many wait already.
    #[error("too many forms wait")]
    Full,
}

/// How far a form has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// The application has seen nothing of it.
    #[default]
    Waiting,
    /// It went to the application. It is not sent again.
    Sent,
    /// It went to the application, and no answer came. It may or may not have arrived.
    Unanswered,
}

/// What becomes of a request with a mark.
#[derive(Debug)]
pub enum Taken {
    /// The form to be sent.
    Form(Arc<KeptForm>),
    /// The mark is for another address, or of long ago; this request has nothing to do with it.
    Elsewhere,
    /// Another request has sent it.
    Gone,
}

/// All kept forms of this gateway.
pub struct KeptForms {
    all: Mutex<All>,
    bodies: Bodies,
    used: Arc<AtomicUsize>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct All {
    entries: Vec<Entry>,
    /// Marks that have been used, and for which address, as long as browsers may send them.
    used: Vec<(Mark, ReturnTo)>,
}

struct Entry {
    form: Arc<KeptForm>,
    mark: Option<Mark>,
    progress: Progress,
}

/// What marks the request that sends a form, and until when.
#[derive(Clone, Copy)]
struct Mark {
    hash: TokenHash,
    until: Timestamp,
}

impl All {
    fn find(&mut self, owner: Owner, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.form.owner == owner && entry.form.id() == id)
    }
}

impl KeptForms {
    /// How long a form waits.
    pub const LIFETIME: Duration = Duration::from_secs(3_600);
    /// How long after the member's click the browser may take to send it.
    pub const SENDING: Duration = Duration::from_secs(60);
    /// How many wait for one member; the oldest makes room.
    pub const PER_MEMBER: usize = 3;
    /// How many wait in all.
    pub const MOST: usize = 256;
    /// As many forms of full size have room.
    pub const FULL_SIZED: usize = 16;

    /// Without a folder all are kept in memory; with one, those above 64 KiB on its disk.
    pub fn new(clock: Arc<dyn Clock>, folder: Option<PathBuf>) -> Self {
        Self { all: Mutex::default(), bodies: Bodies::new(folder), used: Arc::default(), clock }
    }

    /// Room for a form of up to `bytes`, where one may have up to `limit`; to be asked for before it is read.
    pub fn room(&self, bytes: usize, limit: usize) -> Option<Room> {
        self.sweep();
        let most = limit.saturating_mul(Self::FULL_SIZED);
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Room { bytes, used: Arc::clone(&self.used) })
    }

    /// Keeps a form.
    pub async fn keep(
        &self,
        owner: Owner,
        target: ReturnTo,
        headers: KeptHeaders,
        body: Bytes,
        mut room: Room,
    ) -> Result<(), NotKept> {
        let unused = room.bytes.saturating_sub(body.len());
        room.bytes -= unused;
        room.used.fetch_sub(unused, Ordering::Relaxed);
        let body = self.bodies.put(body).await?;
        let form = KeptForm { id: random(), owner, kept_at: self.clock.now(), target, headers, body, room };
        let entries = &mut self.lock().entries;
        let is_own = |entry: &Entry| entry.form.owner.member == owner.member;
        if entries.iter().filter(|entry| is_own(entry)).count() >= Self::PER_MEMBER {
            let is_sent = |entry: &Entry| is_own(entry) && entry.progress == Progress::Sent;
            let oldest = entries.iter().position(is_sent).or_else(|| entries.iter().position(is_own));
            oldest.map(|at| entries.remove(at));
        }
        if entries.len() >= Self::MOST {
            return Err(NotKept::Full);
        }
        entries.push(Entry { form: Arc::new(form), mark: None, progress: Progress::Waiting });
        Ok(())
    }

    /// The forms of a signed-in member in this browser, the oldest first. Whatever this browser has of others is
    /// destroyed: whoever wrote it is not the one who sits there now.
    pub fn of(&self, owner: Owner) -> Vec<(Arc<KeptForm>, Progress)> {
        let entries = &mut self.lock().entries;
        entries.retain(|Entry { form, .. }| {
            form.owner.browser != owner.browser || form.owner.member == owner.member
        });
        let own = entries.iter().filter(|entry| entry.form.owner == owner);
        own.map(|entry| (Arc::clone(&entry.form), entry.progress)).collect()
    }

    /// A form's bytes.
    ///
    /// # Errors
    /// The disk's.
    pub async fn body(&self, form: &KeptForm) -> std::io::Result<Bytes> {
        self.bodies.fetch(&form.body).await
    }

    /// Gives the mark with which the browser may send a form now, in place of any it had.
    pub fn release(&self, owner: Owner, id: &str) -> Option<(SendToken, ReturnTo)> {
        let until = self.clock.now().after(Self::SENDING);
        let mut all = self.lock();
        let entry = all.find(owner, id).filter(|entry| entry.progress != Progress::Sent)?;
        let token = SendToken::generate();
        entry.mark = Some(Mark { hash: token.hash(), until });
        Some((token, entry.form.target.clone()))
    }

    /// Hands out the form that `mark` is for. It is sent then, unless [`KeptForms::put_back`] says otherwise.
    pub fn take(&self, owner: Owner, mark: &SendToken, target: &str) -> Taken {
        let hash = mark.hash();
        let mut all = self.lock();
        let is_marked = |entry: &&mut Entry| {
            entry.form.owner == owner
                && entry.form.target.as_str() == target
                && entry.mark.is_some_and(|mark| mark.hash == hash)
        };
        if let Some(entry) = all.entries.iter_mut().find(is_marked) {
            let (form, mark) = (Arc::clone(&entry.form), entry.mark.take());
            entry.progress = Progress::Sent;
            all.used.extend(mark.map(|mark| (mark, form.target.clone())));
            return Taken::Form(form);
        }
        let is_used = all.used.iter().any(|(used, of)| used.hash == hash && of.as_str() == target);
        if is_used { Taken::Gone } else { Taken::Elsewhere }
    }

    /// Corrects how far a form has come that was handed out.
    pub fn put_back(&self, form: &KeptForm, progress: Progress) {
        if let Some(entry) = self.lock().find(form.owner, &form.id()) {
            entry.progress = progress;
        }
    }

    /// Throws a form away. Returns it if it was there.
    pub fn discard(&self, owner: Owner, id: &str) -> Option<Arc<KeptForm>> {
        let entries = &mut self.lock().entries;
        let at = entries.iter().position(|entry| entry.form.owner == owner && entry.form.id() == id)?;
        Some(entries.remove(at).form)
    }

    /// Throws all of a member away that wait in this browser.
    pub fn discard_all(&self, owner: Owner) {
        self.lock().entries.retain(|entry| entry.form.owner != owner);
    }

    /// Drops what has waited for too long. To be called about once a minute.
    pub fn sweep(&self) {
        drop(self.lock());
    }

    /// Bytes that are taken up.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What is there, and not for too long. Nothing here runs code that could panic half-way, so what the lock guards is
    /// whole even if it was poisoned.
    fn lock(&self) -> MutexGuard<'_, All> {
        let now = self.clock.now();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.entries.retain(|entry| now.since(entry.form.kept_at) < Self::LIFETIME);
        all.entries.iter_mut().for_each(|entry| entry.mark = entry.mark.filter(|mark| now < mark.until));
        all.used.retain(|(mark, _)| now < mark.until);
        all
    }
}

#[cfg(test)]
mod tests;
