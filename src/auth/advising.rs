//! Telling somebody how good a new password is while they type it.
//!
//! SECURITY: THR-09. It costs what judging costs and needs no form to be sent, so each asker is told so often in a minute at most, and
//! in the whole process one at a time (see [`Passwords::advise`](super::Passwords::advise)): whoever signs in finds a thread, or the
//! next turn of one. No account's password plays a part in what is told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::passwords::{Busy, Strength, WeakPassword};
use super::{Accounts, NewPassword};
use crate::domain::{Timestamp, TokenHash, UserId};

/// Who is told: somebody who has shown that they may choose a password here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Whoever holds this invitation.
    Invited(TokenHash),
    /// A member: signed in, or with a link of theirs.
    Member(UserId),
}

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
pub enum Advice {
    /// Not now; in a second it may be another thing.
    Busy,
    /// The password would be taken, or not.
    Judged(Result<Strength, WeakPassword>),
    /// They have been told often enough for so long.
    TooOften(Duration),
}

/// Who has been told how often within the last minute.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<HashMap<Asker, (Timestamp, u32)>>);

impl Asked {
    /// People who type stop now and then; a minute of that asks less often.
    const MOST: u32 = 60;
    const WHILE: Duration = Duration::from_secs(60);
    /// So many askers are known at once; others wait. Each of them is a member or was invited, so it takes that many people.
    const ASKERS: usize = 10_000;

    /// Counts one, or says for how long there are enough.
    fn count(&self, asker: Asker, now: Timestamp) -> Result<(), Duration> {
        // A clock that was set back makes nobody wait for longer.
        let is_over = |since: Timestamp| now < since || now.since(since) >= Self::WHILE;
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= Self::ASKERS && !asked.contains_key(&asker) {
            asked.retain(|_, (since, _)| !is_over(*since));
            if asked.len() >= Self::ASKERS {
                return Err(Self::WHILE);
            }
        }
        let (since, count) = asked.entry(asker).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        if *count >= Self::MOST {
            return Err(Self::WHILE.saturating_sub(now.since(*since)));
        }
        *count += 1;
        Ok(())
    }
}

impl Accounts {
    /// How a password would be judged if `asker` sent it.
    pub async fn advise(&self, asker: Asker, new: NewPassword) -> Advice {
        if let Err(wait) = self.asked.count(asker, self.clock.now()) {
            return Advice::TooOften(wait);
        }
        if let Err(weak) = Self::check_length(&new.text, new.min_chars) {
            return Advice::Judged(Err(weak));
        }
        match self.passwords.advise(new.text, new.about).await {
            Ok(judged) => Advice::Judged(judged),
            Err(Busy) => Advice::Busy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u32) -> Asker {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Asker::Member(UserId(id))
    }

    #[test]
    fn thr_09_each_asker_is_told_so_often_in_a_minute() {
        let (asked, start) = (Asked::default(), Timestamp::from_millis(1_000_000));
        let told = |asker, now| (0..100).filter(|_| asked.count(asker, now).is_ok()).count();
        assert_eq!((told(member(1), start), told(member(2), start)), (60, 60));
        let later = start.after(Duration::from_secs(20));
        assert_eq!(asked.count(member(1), later), Err(Duration::from_secs(40)));
        assert_eq!(told(member(1), start.after(Asked::WHILE)), 60);
        assert_eq!(told(member(1), start), 60, "the clock was set back");
    }

    #[test]
    fn thr_14_no_more_askers_are_known_than_fit() {
        let (asked, start) = (Asked::default(), Timestamp::from_millis(1_000_000));
        let told =
            |all: std::ops::Range<u32>, now| all.filter(|n| asked.count(member(*n), now).is_ok()).count();
        assert_eq!((told(0..20_000, start), asked.0.lock().unwrap().len()), (10_000, 10_000));
        let later = start.after(Asked::WHILE);
        assert_eq!((told(20_000..25_000, later), asked.0.lock().unwrap().len()), (5_000, 5_000));
    }
}
