//! The one task that sends mails, one after another.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::mailbox::Waiting;
use super::queue::{End, MailQueue};
use super::whose::Whose;
use super::{Enclosed, Fault, Letter, Message, Smtp, Undelivered, Written};
use crate::domain::{Timestamp, User};
use crate::store::StoreError;

/// How mails leave, and in which words.
pub struct Courier {
    /// The way to the mail server.
    pub carrier: Box<dyn Carrier>,
    /// The words.
    pub words: Box<dyn Words>,
    /// The address of our own pages, without a slash at its end; links begin with it. From the configuration: what a request says of
    /// its host is whatever its sender likes.
    pub own_pages: String,
}

/// A way to a mail server.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Hands a mail over. With `Ok` it is the server's.
    async fn send(&self, message: &Message) -> Result<(), Undelivered>;
}

#[async_trait]
impl Carrier for Smtp {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        self.hand_over(message).await
    }
}

/// Puts mails into words.
pub trait Words: Send + Sync {
    /// The mail for this member, or for somebody who is none yet; `at` is when what it tells of happened. What is wrong with a template, if it can't be made.
    fn write(
        &self,
        letter: &Letter,
        member: Option<&User>,
        at: Timestamp,
        enclosed: &Enclosed,
    ) -> Result<Written, String>;
}

impl MailQueue {
    /// Sends what waits, until `stop` says so; a mail that is being handed over then is finished.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        while !*stop.borrow() {
            match self.send_next().await {
                Ok(true) => continue,
                Ok(false) => {}
                // Nothing is lost: the mail waits, and the store says of itself how it is.
                Err(error) => {
                    tracing::debug!(target: "passgate::mail", %error, "a mail can't be read or noted")
                }
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = self.news() => {}
                _ = second.tick() => {}
            }
            if let Err(error) = self.forget_newcomers().await {
                tracing::debug!(target: "passgate::mail", %error, "what was mailed to an address can't be forgotten");
            }
        }
        if let Err(error) = self.look_for_asked().await {
            tracing::warn!(target: "passgate::mail", %error, "who has just asked for a new password has to ask again");
        }
    }

    /// Sends one mail. Tells whether there was one to send.
    pub(super) async fn send_next(&self) -> Result<bool, StoreError> {
        let Some(courier) = self.courier.load_full() else { return Ok(false) };
        self.look_for_asked().await?;
        self.take_in().await?;
        let Some((id, owner)) = self.next() else { return Ok(false) };
        let mail = self.mailbox(&owner)?.waiting.into_iter().find(|mail| mail.id == id);
        let member = owner.member().map(|user| self.store.user(user)).transpose()?.flatten();
        let is_gone = owner.member().is_some() && member.is_none();
        let Some(mail) = mail.filter(|_| !is_gone) else {
            self.forget(id);
            return Ok(true);
        };
        if self.is_late(&mail, self.clock.now()) {
            self.give_up(&mail, &owner, End::Late, "it was too late").await?;
            return Ok(true);
        }
        let Some(enclosed) = self.enclosed_in(&mail, member.as_ref(), &courier.own_pages).await? else {
            self.end(id, &owner, End::Needless).await?;
            return Ok(true);
        };
        match try_one(&courier, &mail, member.as_ref(), &enclosed).await {
            Ok(()) => self.sent(&mail, &owner).await?,
            Err(undelivered) => self.not_sent(&mail, &owner, &undelivered).await?,
        }
        Ok(true)
    }

    async fn sent(&self, mail: &Waiting, owner: &Whose) -> Result<(), StoreError> {
        if self.works() {
            tracing::info!(target: "passgate::mail", "the mail server takes mails again");
        }
        self.end(mail.id, owner, End::Sent).await?;
        tracing::info!(target: "passgate::audit", event = "mail-sent", mail = mail.letter.kind(), member = %owner);
        Ok(())
    }

    async fn not_sent(&self, mail: &Waiting, owner: &Whose, why: &Undelivered) -> Result<(), StoreError> {
        let reason = &why.reason;
        match why.fault {
            Fault::Mail => return self.give_up(mail, owner, End::Refused, reason).await,
            Fault::Moment => {
                self.works();
                let next = self.later(mail.id);
                tracing::info!(target: "passgate::mail", mail = mail.letter.kind(), member = %owner, reason, %next,
                    "a mail was not taken and is tried again");
            }
            Fault::Server => {
                if self.all_later(mail.id) {
                    tracing::warn!(target: "passgate::mail", reason,
                        "the mail server takes no mails; they wait");
                }
            }
        }
        Ok(())
    }

    /// Takes a mail out that did not go, and says so once.
    async fn give_up(&self, mail: &Waiting, owner: &Whose, end: End, why: &str) -> Result<(), StoreError> {
        self.end(mail.id, owner, end).await?;
        tracing::warn!(target: "passgate::audit", event = "mail-given-up", mail = mail.letter.kind(),
            reason = why, member = %owner, "a mail was not sent and is not tried again");
        Ok(())
    }

    fn is_late(&self, mail: &Waiting, now: Timestamp) -> bool {
        now.since(mail.at) >= mail.letter.worth_sending_for()
    }
}

async fn try_one(
    courier: &Courier,
    mail: &Waiting,
    member: Option<&User>,
    enclosed: &Enclosed,
) -> Result<(), Undelivered> {
    let Waiting { id, to, letter, at } = mail;
    let written = courier.words.write(letter, member, *at, enclosed).map_err(|mistake| Undelivered {
        fault: Fault::Mail,
        reason: format!("its template: {mistake}"),
        said: String::new(),
    })?;
    courier.carrier.send(&Message { id: id.to_string(), date: *at, to: to.clone(), written }).await
}

#[cfg(test)]
impl MailQueue {
    /// Sends all that is due.
    pub(crate) async fn send_due(&self) {
        while self.send_next().await.unwrap() {}
    }

    /// Forgets what is to be forgotten now.
    pub(crate) async fn forget_now(&self) {
        self.forget_newcomers().await.unwrap();
    }
}
