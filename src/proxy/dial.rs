//! The way to the application for the gateway's own requests, such as a sign-in at the forum.
//!
//! SECURITY: TLS-07. It is the engine's own connector with the engine's own settings: over TLS the certificate is verified for the same
//! name and by the same authorities as for requests that are passed on, before a byte of a request is sent.

use std::io;

use async_trait::async_trait;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use tokio::net::lookup_host;

use super::options::UpstreamOptions;
use super::upstream::peer_at;
use crate::bridge::{Dial, Line};

/// Connects to the application.
pub struct UpstreamDial {
    options: UpstreamOptions,
    connector: TransportConnector,
}

impl UpstreamDial {
    /// A way to this application. Reads the certificates of the authorities.
    pub fn new(options: UpstreamOptions) -> Self {
        let ca_file = options.ca_file.as_ref().map(|file| file.path().to_owned());
        // Nothing is given back to its pool.
        let connector =
            TransportConnector::new(Some(ConnectorOptions { ca_file, ..ConnectorOptions::new(1) }));
        Self { options, connector }
    }
}

#[async_trait]
impl Dial for UpstreamDial {
    /// The name is looked up anew each time; addresses that lead nowhere are passed over.
    async fn dial(&self) -> io::Result<Box<dyn Line>> {
        let mut why = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((self.options.bare_host(), self.options.port)).await? {
            match self.connector.new_stream(&peer_at(&self.options, address)).await {
                Ok(line) => return Ok(Box::new(line)),
                Err(error) => why = io::Error::other(error.to_string()),
            }
        }
        Err(why)
    }
}
