//! Asking servers whether they work: an ordinary request, on a connection of its own, over the TLS that members' requests go over.

use std::sync::Arc;

use http::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use http::{Method, StatusCode};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;
use tokio::task::JoinSet;

use super::{CheckOptions, Server, Tick, Upstream, Upstreams};

/// Who asks.
pub struct Checks {
    connector: Arc<Connector>,
    running: JoinSet<()>,
}

impl Checks {
    /// Reads the system's certificates.
    pub fn new() -> Self {
        Self { connector: Arc::new(Connector::new(None)), running: JoinSet::new() }
    }

    /// Begins to ask whoever is due; returns at once. What is asked already is not asked twice: an answer takes less than an interval.
    pub fn begin(&mut self, upstreams: &Upstreams) {
        while self.running.try_join_next().is_some() {}
        for upstream in upstreams.all() {
            let Some(check) = &upstream.check else { continue };
            for (at, server) in upstream.servers.iter().enumerate() {
                if server.standing.is_check_due(Tick::now(), check.interval) {
                    let (upstream, connector) = (Arc::clone(upstream), Arc::clone(&self.connector));
                    self.running.spawn(async move { upstream.check(at, &connector).await });
                }
            }
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self::new()
    }
}

impl Upstream {
    async fn check(&self, at: usize, connector: &Connector) {
        let (Some(server), Some(check)) = (self.servers.get(at), &self.check) else { return };
        match ask(server, check, connector).await {
            Ok(()) => self.tell(server, server.standing.checked(true), "works, says its check"),
            Err(why) => {
                self.tell(
                    server,
                    server.standing.checked(false),
                    &format!("does not work, says its check: {why}"),
                );
            }
        }
    }
}

/// Asks once.
///
/// # Errors
/// What is wrong, in a few words.
pub(super) async fn ask(server: &Server, check: &CheckOptions, connector: &Connector) -> Result<(), String> {
    let peer = server.peer().ok_or("its name has no address")?;
    let request = request(server, check).map_err(|error| error.to_string())?;
    let asking = tokio::time::timeout(check.timeout, status(request, &peer, connector));
    match asking.await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(Err(error)) => Err(error.etype().as_str().to_owned()),
        Ok(Ok(status)) if status == check.status => Ok(()),
        Ok(Ok(status)) => Err(format!("its answer is {}", status.as_u16())),
    }
}

fn request(server: &Server, check: &CheckOptions) -> pingora::Result<RequestHeader> {
    let mut request = RequestHeader::build(Method::GET, check.target.as_bytes(), None)?;
    let host = check.host.clone().unwrap_or_else(|| server.place.authority());
    request.insert_header(HOST, host)?;
    request.insert_header(USER_AGENT, concat!("passgate/", env!("CARGO_PKG_VERSION"), " (health check)"))?;
    request.insert_header(ACCEPT, "*/*")?;
    request.insert_header(CONNECTION, "close")?;
    if let Some((name, proof)) = &check.proof {
        request.insert_header(name.clone(), proof)?;
    }
    Ok(request)
}

async fn status(
    request: RequestHeader,
    peer: &HttpPeer,
    connector: &Connector,
) -> pingora::Result<StatusCode> {
    let (mut session, _) = connector.get_http_session(peer).await?;
    session.write_request_header(Box::new(request)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    Ok(session.response_header().map_or(StatusCode::BAD_GATEWAY, |response| response.status))
}
