//! A connection to the application for one exchange that may have trailer fields.

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::VirtualSocketStream;

use super::{Connection, Crossing};
use crate::proxy::upstream::Line;

/// Connects and gives a [`Connection`] that carries trailer fields.
#[derive(Debug)]
pub(in crate::proxy) struct CarryingConnector(pub(in crate::proxy) Crossing);

#[async_trait]
impl L4Connect for CarryingConnector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let connection = Connection::new(Line::connect(address).await?);
        connection.carry(self.0.response.clone(), self.0.request.clone());
        Ok(Stream::from(VirtualSocketStream::new(Box::new(connection))))
    }
}
