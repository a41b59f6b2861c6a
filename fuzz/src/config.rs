//! The configuration, as `passgate check` reads it.

use passgate::auth::Transport;
use passgate::config::Config;

/// A text is a configuration, or all that is wrong with it is told, each in full and every time alike. One that sends cookies
/// in the clear is for this machine alone.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_toml_str(text) {
        Ok(config) => {
            let host = config.host.to_string();
            let is_here = host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]";
            assert!(config.transport == Transport::Tls || is_here, "{host}");
            assert!(config.prefix.starts_with('/') && config.prefix.len() > 1 && !config.prefix.ends_with('/'));
            assert!(config.max_per_member > 0 && config.hashing_workers > 0);
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                let parts = [&problem.key, &problem.found, &problem.expected, &problem.help];
                assert!(parts.iter().all(|part| !part.is_empty()), "{problem:?}");
            }
            let again = Config::from_toml_str(text).expect_err("it is as wrong as before");
            assert_eq!(format!("{problems:?}"), format!("{again:?}"));
        }
    }
}
