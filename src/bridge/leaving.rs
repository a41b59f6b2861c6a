//! Sessions at the forum that nobody here needs any more are ended there, behind everybody's back: few at once, each for a
//! short time at most, and only as far as the forum lets itself be asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Forum, ForumSession};

/// How many at once.
const AT_ONCE: usize = 4;
/// How long one may take, with its wait for a turn: of a thousand that are revoked at once from a forum that hangs, the last
/// ones end by their age.
const TIME: Duration = Duration::from_secs(60);

/// Signs members out.
pub(super) struct Leaving {
    forum: Arc<Forum>,
    turns: Arc<Semaphore>,
}

impl Leaving {
    pub(super) fn new(forum: Arc<Forum>) -> Self {
        Self { forum, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Ends a session here at once, and at the forum later on, unless it was over before.
    pub(super) fn leave(&self, session: &Arc<ForumSession>) {
        if !session.end() {
            return;
        }
        let (forum, turns, session) = (Arc::clone(&self.forum), Arc::clone(&self.turns), Arc::clone(session));
        tokio::spawn(async move {
            let leaving = async {
                let _turn = turns.acquire().await;
                let jar = session.jar().clone();
                forum.sign_out(jar, session.visitor()).await
            };
            match tokio::time::timeout(TIME, leaving).await {
                Ok(Ok(())) => tracing::debug!("signed a member out at the forum, too"),
                Ok(Err(steps)) => tracing::warn!(?steps, "a member could not be signed out at the forum"),
                Err(_) => tracing::warn!("the forum takes too long to sign a member out"),
            }
        });
    }
}
