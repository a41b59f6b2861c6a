//! `passgate reload`.

use super::reach::{carry_out, unexpected};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{Command, Reply};

pub(super) fn run(config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let Reply::Reloaded(lines) = carry_out(config, Command::Reload)? else { return Err(unexpected()) };
    lines.iter().for_each(|line| streams.say(line));
    streams.say("the configuration has been read again");
    Ok(())
}
