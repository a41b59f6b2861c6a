//! The limit: bytes carried to the upstream and back, unread. What reads requests can't be cheaper on the same runtime.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Serves with as many threads as the gateway.
pub(crate) fn serve(listen: &str, upstream: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.unwrap();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            // Whoever breaks off ends one connection.
            tokio::spawn(async move { carry(client, upstream).await.ok() });
        }
    });
}

async fn carry(mut client: TcpStream, upstream: SocketAddr) -> std::io::Result<(u64, u64)> {
    let mut upstream = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut upstream).await
}
