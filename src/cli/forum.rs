//! `passgate forum preset`, which prints what is known of the forum, and `passgate forum rotate-key`.

use clap::Subcommand;

use super::reach::{carry_out, unexpected};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{Command, Reply};

#[derive(Debug, Subcommand)]
pub(super) enum Forum {
    /// Print the preset in force, with what [forum.override] says, as a file that forum.preset can name
    Preset,
    /// Seal members' passwords for the forum with a new key, and drop the old one
    RotateKey,
}

impl Forum {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        if let Self::Preset = self {
            let forum =
                config.forum.as_ref().ok_or_else(|| Trouble::data("no forum is named; set forum.preset"))?;
            return streams.data(forum.preset.to_text().trim_end());
        }
        let Reply::Done(words) = carry_out(config, Command::ForumRotateKey)? else {
            return Err(unexpected());
        };
        streams.say(&words);
        Ok(())
    }
}
