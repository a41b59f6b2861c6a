//! Members straight from the forum's database, which is read and never written.

use std::time::Duration;

use super::{Desk, Import, Streams, Trouble, Unit, usage};
use crate::auth::import::{Live, Report, Unusable};
use crate::config::Config;
use crate::database::{Connection, DatabaseAccess, DatabaseError, Purpose, Terms};
use crate::domain::{Clock, SystemClock};

/// Counting the rows of a large forum takes its database a while.
const TERMS: Terms =
    Terms { purpose: Purpose::Read, connect: Duration::from_secs(15), answer: Duration::from_secs(300) };

/// Reads the members, and hands them over.
pub(super) fn read(
    import: &Import,
    config: &Config,
    streams: &mut Streams<'_>,
    report: &mut Report,
    desk: &mut Desk<'_>,
) -> Result<Result<(), Unusable>, Trouble> {
    let Some(access) = &config.database else {
        return Err(usage(
            "name a FILE, or the forum's database: here, or as forum.database in gateway.toml",
        ));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Trouble::unavailable(format!("no thread could be started: {error}")))?;
    Ok(read_all(import, access, &runtime, streams, report, desk))
}

/// Between two pages nobody waits on the database: taking members in has a runtime of its own.
fn read_all(
    import: &Import,
    access: &DatabaseAccess,
    runtime: &tokio::runtime::Runtime,
    streams: &mut Streams<'_>,
    report: &mut Report,
    desk: &mut Desk<'_>,
) -> Result<(), Unusable> {
    let mut connection = runtime.block_on(Connection::open(access, &TERMS))?;
    if let Some(warning) = connection.warning() {
        streams.say(warning);
    }
    let forum = runtime.block_on(connection.begin())?;
    let prefix = import.table_prefix.as_deref();
    let found = Live::find(import.from, prefix, SystemClock.now(), forum, report);
    let mut live = runtime.block_on(found)?;
    let bar = streams.progress(live.count(), Unit::Rows);
    bar.set_message("reading");
    let mut take = |_: &mut Report, member| desk.take(&member);
    let read = loop {
        match runtime.block_on(live.page()) {
            Ok(page) if page.is_empty() || !live.hand_out(&page, report, &mut take) => break Ok(()),
            Ok(page) => bar.inc(page.len() as u64),
            Err(unusable) => break Err(unusable),
        }
    };
    bar.finish_and_clear();
    read
}

/// What the database could not do, and what its operator can.
pub(super) fn explained(error: &DatabaseError, some_were_taken: bool) -> Trouble {
    let help = match error {
        _ if some_were_taken && error.ends_connection() => {
            "whoever was read before that has been taken; run the command again to go on, nobody is taken twice"
        }
        DatabaseError::Unreachable { .. } => "see that it runs, and that the URL says where",
        DatabaseError::Denied { .. } => {
            "see that the URL names the right user, and --database-password-file (or forum.database_password_file) the \
             file with that user's password"
        }
        DatabaseError::NoDatabase { .. } => "see how the forum's own configuration calls it",
        DatabaseError::Lost { .. } | DatabaseError::Slow { .. } => "run the command again",
        DatabaseError::Refused { .. } => {
            "the user needs the right to SELECT from the tables of members, groups and bans, and no other"
        }
    };
    Trouble::unavailable(format!("{error}; {help}"))
}
