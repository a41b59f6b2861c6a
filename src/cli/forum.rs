//! `passgate forum rotate-key`.

use clap::Subcommand;

use super::reach::{carry_out, unexpected};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{Command, Reply};

#[derive(Debug, Subcommand)]
pub(super) enum Forum {
    /// Seal members' passwords for the forum with a new key, and drop the old one
    RotateKey,
}

impl Forum {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Self::RotateKey = self;
        let Reply::Done(words) = carry_out(config, Command::ForumRotateKey)? else {
            return Err(unexpected());
        };
        streams.say(&words);
        Ok(())
    }
}
