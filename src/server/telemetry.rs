//! The log: human lines on a terminal, JSON objects elsewhere, on standard error.
//!
//! SECURITY: OPS-03. Only our own events are written. The engine and the store log through another facade, which is not
//! connected: at trace level the engine's lines hold whole requests, cookies included.

use std::io::IsTerminal;
use std::path::Path;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use super::audit_log::{AuditLayer, AuditWriter, FOLDER};
use super::json_lines::JsonLines;
use super::log_writer::{LinesGuard, LogWriter};
use super::options::{LogFormat, LogOptions};

/// Why no events can be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `log.level` is not a filter.
    #[error("log.level: {0}; write `error`, `warn`, `info`, `debug` or `trace`")]
    BadLevel(String),
    /// No thread for it.
    #[error("can't start the log's thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The library that checks passkeys writes whole ceremonies down at the finer levels, and an error for each broken answer
/// that a stranger sends; what matters of them is in our own events. `log.level` may still name it.
const QUIET: &str = "webauthn_rs=off,webauthn_rs_core=off";

/// All is written when it has gone; to be kept until the process ends.
#[derive(Debug)]
pub struct LogGuard {
    _audit: Option<AuditWriter>,
    // Behind it: what the audit log has to say goes into the log.
    _lines: LinesGuard,
}

/// Starts writing events; to be called once. A second call changes nothing.
pub fn start_log(options: &LogOptions, data_dir: &Path) -> Result<LogGuard, LogError> {
    let filter = filter(&options.level)?;
    let is_terminal = std::io::stderr().is_terminal();
    let (writer, lines) = LogWriter::start()?;
    let events = fmt::layer().with_writer(writer);
    let json = match options.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let events: Box<dyn Layer<Registry> + Send + Sync> = match json {
        true => Box::new(events.event_format(JsonLines)),
        false => Box::new(events.with_ansi(is_terminal)),
    };
    let audit = options.audit.then(|| AuditWriter::start(data_dir.join(FOLDER))).transpose()?;
    let (layer, audit) = audit.unzip();
    // An error means that a subscriber is there already, as in tests.
    let _ = tracing_subscriber::registry()
        .with(events.with_filter(filter))
        .with(layer.map(AuditLayer::filtered))
        .try_init();
    Ok(LogGuard { _audit: audit, _lines: lines })
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|error| LogError::BadLevel(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g15_no_level_of_ours_makes_the_passkey_library_write_ceremonies_down() {
        let directives = |level: &str| {
            let mut all: Vec<_> = filter(level).unwrap().to_string().split(',').map(str::to_owned).collect();
            all.sort();
            all
        };
        assert_eq!(directives("trace"), ["trace", "webauthn_rs=off", "webauthn_rs_core=off"]);
        let named = directives("info,webauthn_rs_core=debug");
        assert_eq!(named, ["info", "webauthn_rs=off", "webauthn_rs_core=debug"]);
        assert!(filter("passgate=loud").is_err());
    }
}
