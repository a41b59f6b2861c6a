//! What the throttle has counted of a member, and the command that forgets it.

use serde::{Deserialize, Serialize};

use super::Control;
use super::protocol::{Failure, Reply};
use crate::auth::throttle::{Standing, Wait};
use crate::domain::Timestamp;

/// How the throttle treats an account.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleView {
    /// Wrong tries since somebody last got in.
    pub wrong_tries: u32,
    /// How many networks and known devices have to wait for their own sake.
    pub waiting_places: usize,
    /// Until when everyone has to wait but passkeys and known devices: a time, or `until-lifted`; none if nobody has.
    pub locked: Option<String>,
}

impl ThrottleView {
    pub(super) fn of(standing: &Standing, now: Timestamp) -> Self {
        let locked = match standing.wait {
            Wait::For(time) => (!time.is_zero()).then(|| now.after(time).to_string()),
            Wait::UntilLifted => Some("until-lifted".to_owned()),
        };
        Self { wrong_tries: standing.wrong, waiting_places: standing.waiting, locked }
    }
}

impl Control {
    pub(super) async fn unlock(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        let wrong = self.throttle.standing(user.profile.id)?.wrong;
        self.throttle.forgive(user.profile.id)?;
        self.throttle.flush().await?;
        let name = user.profile.name;
        let words = match wrong {
            0 => format!("no wrong password was counted for {name}; nothing was changed"),
            1 => format!("the wrong password that was tried for {name} is forgotten"),
            wrong => format!("the {wrong} wrong passwords that were tried for {name} are forgotten"),
        };
        Ok(Reply::Done(words))
    }
}
