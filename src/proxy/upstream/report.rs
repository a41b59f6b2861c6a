//! What operators are told of the servers: which are up, for metrics and readiness, and one by one.

use std::fmt::Write;
use std::sync::Arc;

use pingora::connectors::http::Connector;
use pingora::connectors::{ConnectorOptions, TransportConnector};

use super::{Upstream, Upstreams, checks};

/// What was seen of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of which application.
    pub application: String,
    /// Its URL.
    pub server: String,
    /// What is wrong with it, if anything.
    pub trouble: Option<String>,
}

impl Upstreams {
    /// For Prometheus. The label sets are those of the configuration.
    pub fn exposition(&self) -> String {
        let mut text = String::from(
            "# HELP passgate_upstream_up Whether a server gets requests: 0 while it can't be connected to, answers nobody in time, or its check fails.\n\
             # TYPE passgate_upstream_up gauge\n",
        );
        for upstream in self.all() {
            for server in &upstream.servers {
                let [application, name] = [&upstream.name, &server.name].map(|text| escaped(text));
                let up = u8::from(server.standing.is_up());
                // Writing to memory does not fail.
                let _ = writeln!(
                    text,
                    "passgate_upstream_up{{application=\"{application}\",server=\"{name}\"}} {up}"
                );
            }
        }
        text
    }

    /// Whether the site's own application has a server that requests could go to; and which of all servers are away.
    pub async fn readiness(&self) -> (bool, Vec<String>) {
        let (mut is_ready, mut away) = (false, Vec::new());
        for upstream in self.all() {
            for server in &upstream.servers {
                if !server.standing.is_down() && server.is_reachable().await {
                    is_ready |= Arc::ptr_eq(upstream, &self.sites);
                } else {
                    away.push(format!("{} of {} can't be reached", server.name, upstream.name));
                }
            }
        }
        (is_ready, away)
    }

    /// Tries each server once: looks its name up, connects, verifies its certificate where there is TLS, and asks what its check
    /// asks.
    pub async fn examine(&self) -> Vec<Seen> {
        let transport = TransportConnector::new(Some(ConnectorOptions::new(1)));
        let connector = Connector::new(None);
        let mut seen = Vec::new();
        for upstream in self.all() {
            for at in 0..upstream.servers.len() {
                let trouble = upstream.examine(at, &transport, &connector).await.err();
                let Some(server) = upstream.servers.get(at) else { continue };
                let (application, server) = (upstream.name.clone(), server.name.clone());
                seen.push(Seen { application, server, trouble });
            }
        }
        seen
    }
}

impl Upstream {
    async fn examine(
        &self,
        at: usize,
        transport: &TransportConnector,
        connector: &Connector,
    ) -> Result<(), String> {
        let Some(server) = self.servers.get(at) else { return Ok(()) };
        let security = self.security.load_full();
        server.look_up(&security).await.map_err(|error| error.to_string())?;
        let mut trouble = Err("its name has no address".to_owned());
        for peer in server.peers().iter() {
            trouble = match transport.new_stream(peer).await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.root_cause().to_string()),
            };
            if trouble.is_ok() {
                break;
            }
            server.pass_over(peer, 0);
        }
        trouble?;
        match &self.check {
            Some(check) => checks::ask(server, check, connector).await,
            None => Ok(()),
        }
    }
}

/// As a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
