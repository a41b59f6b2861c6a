//! The log: human lines on a terminal, JSON objects elsewhere, on standard error.
//!
//! SECURITY: OPS-03. Only our own events are written. The engine and the store log through another facade, which is not
//! connected: at trace level the engine's lines hold whole requests, cookies included.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::log_writer::{LogGuard, LogWriter};
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

/// Starts writing events; to be called once. A second call changes nothing. All is written when the guard has gone.
pub fn start_log(options: &LogOptions) -> Result<LogGuard, LogError> {
    let filter = EnvFilter::try_new(&options.level).map_err(|error| LogError::BadLevel(error.to_string()))?;
    let is_terminal = std::io::stderr().is_terminal();
    let (writer, guard) = LogWriter::start()?;
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let json = match options.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    // An error means that a subscriber is there already, as in tests.
    let _ = match json {
        true => events.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        false => events.with_ansi(is_terminal).try_init(),
    };
    Ok(guard)
}
