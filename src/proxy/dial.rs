//! The way to the forum for the gateway's own requests, such as a sign-in there.
//!
//! SECURITY: TLS-07. It is the engine's own connector with the engine's own peers: over TLS the certificate is verified for the same
//! name and by the same authorities as for requests that are passed on, before a byte of a request is sent.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::connectors::{ConnectorOptions, TransportConnector};

use super::options::ApplicationOptions;
use super::upstream::Upstream;
use crate::bridge::{Dial, Line};

/// Connects to the application that is the forum.
pub struct UpstreamDial {
    upstream: Arc<Upstream>,
    connector: TransportConnector,
}

impl UpstreamDial {
    /// A way to this application. Reads the certificates of the authorities.
    pub fn new(options: &ApplicationOptions) -> Self {
        // Nothing is given back to its pool.
        let connector = TransportConnector::new(Some(ConnectorOptions::new(1)));
        Self { upstream: Upstream::apart(options), connector }
    }
}

#[async_trait]
impl Dial for UpstreamDial {
    /// Names are looked up anew each time; addresses that lead nowhere are passed over, and servers too.
    async fn dial(&self, client: IpAddr) -> io::Result<Box<dyn Line>> {
        let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for peer in self.upstream.peers(client).await? {
            match self.connector.new_stream(&peer).await {
                Ok(line) => return Ok(Box::new(line)),
                Err(error) => why = io::Error::other(error.to_string()),
            }
        }
        Err(why)
    }
}
