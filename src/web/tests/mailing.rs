//! A site whose mails are caught.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::auth::mail::{AskedReset, Carrier, Courier, MailQueue, Message, Undelivered};
use crate::web::Letters;

/// To whom, subject and text.
pub(super) type Mail = (String, String, String);

/// The mails that went.
#[derive(Default)]
pub(super) struct Post(Mutex<Vec<Mail>>);

#[async_trait]
impl Carrier for Arc<Post> {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let written = &message.written;
        let mail = (message.to.to_string(), written.subject.clone(), written.text.clone());
        self.0.lock().unwrap().push(mail);
        Ok(())
    }
}

/// A site that sends mails.
pub(super) struct Mailing {
    pub(super) site: Site,
    pub(super) queue: Arc<MailQueue>,
    post: Arc<Post>,
}

impl Mailing {
    pub(super) fn new() -> Self {
        Self::with(options())
    }

    pub(super) fn with(options: PageOptions) -> Self {
        Self::made(options, None)
    }

    pub(super) fn made(options: PageOptions, passkeys: Option<PasskeyOptions>) -> Self {
        let mut site = Site::made(options.clone(), CHEAP, passkeys).unwrap();
        let (store, clock) = (Arc::clone(&site.store), Arc::clone(&site.clock));
        let queue = Arc::new(MailQueue::open(store as _, clock as _).unwrap());
        let post = Arc::<Post>::default();
        let (carrier, words) = (Box::new(Arc::clone(&post)), Box::new(Letters::new(&options).unwrap()));
        let own_pages = format!("{ORIGIN_OF_SITE}/.passgate");
        queue.set_courier(Some(Courier { carrier, words, own_pages }));
        let parts = WebParts { mail: Some(Arc::clone(&queue)), ..site.web.parts };
        site.web = Web::new(parts).unwrap();
        Self { site, queue, post }
    }

    /// Has somebody ask for a link to a new password.
    pub(super) fn ask_reset(&self, typed: &str) {
        let (typed, request_id) = (Secret::new(typed.to_owned()), "0f1e2d3c".to_owned());
        assert!(self.queue.ask_reset(AskedReset { typed, request_id, client: [127, 0, 0, 1].into() }));
    }

    /// What has gone since the last time.
    pub(super) async fn mails(&self) -> Vec<Mail> {
        self.queue.send_due().await;
        std::mem::take(&mut *self.post.0.lock().unwrap())
    }
}
