//! The engine alone: a pingora proxy that looks its visitors' sessions up in a map, forwards, and does nothing else. What
//! passgate takes beyond it is passgate's own.

use std::net::SocketAddr;

use async_trait::async_trait;
use dashmap::DashMap;
use pingora::prelude::{HttpPeer, ProxyHttp, Server, Session, http_proxy_service};
use pingora::server::configuration::ServerConf;
use sha2::{Digest, Sha256};

struct Bare {
    upstream: SocketAddr,
    sessions: DashMap<[u8; 32], u64>,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = Option<u64>;

    fn new_ctx(&self) -> Self::CTX {
        None
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> pingora::Result<bool> {
        let cookie = session.req_header().headers.get("cookie");
        *ctx = cookie
            .and_then(|cookie| self.sessions.get(&Sha256::digest(cookie.as_bytes())[..]).map(|entry| *entry));
        Ok(false)
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Self::CTX) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// Serves with as many threads as the gateway.
pub(crate) fn serve(listen: &str, upstream: SocketAddr) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut server = Server::new_with_opt_and_conf(None, ServerConf { threads, ..ServerConf::default() });
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream, sessions: DashMap::new() });
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever();
}
