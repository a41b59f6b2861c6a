//! `passgate check`: every problem at once, or what the configuration comes to. Problems are told by whoever loads it.

use super::{Streams, Trouble};
use crate::config::Config;
use crate::proxy::options::UpstreamScheme;
use crate::server::options::StoreOptions;

pub(super) fn run(config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let upstream = &config.proxy.upstream;
    let scheme = if upstream.scheme == UpstreamScheme::Https { "https" } else { "http" };
    let store = match &config.store {
        StoreOptions::Memory => "in memory, gone when the gateway stops".to_owned(),
        StoreOptions::Sled { path, .. } => path.display().to_string(),
    };
    let file =
        config.file.as_ref().map_or_else(|| "none; defaults".to_owned(), |file| file.display().to_string());
    let listen: Vec<_> = config.server.listen.iter().map(ToString::to_string).collect();
    let admin =
        config.server.admin_listen.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    let lines = [
        ("file", file),
        ("site", format!("{} at {}", config.pages.site_name, config.server.public_url)),
        ("listens on", listen.join(", ")),
        ("application", format!("{scheme}://{}:{}", upstream.host, upstream.port)),
        ("own pages", config.own_url("/")),
        ("metrics, health", admin),
        ("store", store),
    ];
    streams.data("configuration is fine")?;
    streams.data(&lines.map(|(label, value)| format!("  {label:<16} {value}")).join("\n"))
}
