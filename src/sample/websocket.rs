//! `/ws`: a proper handshake (RFC 6455, section 4.2), then every byte back as it came. Frames are not taken apart, so what
//! comes back is still masked; a test compares bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};

use super::Forum;
use super::body::Body;
use super::reply::{Answer, add, answer as reply};

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Shakes hands and echoes, or says 426 to who does not ask for a WebSocket.
pub(super) fn answer(forum: &Forum, mut request: Request<Incoming>) -> Answer {
    let Some(key) = key(request.headers()) else {
        let body = Body::sized("this address speaks WebSocket, version 13\n");
        let mut answer = reply(StatusCode::UPGRADE_REQUIRED, "text/plain", body);
        add(&mut answer, UPGRADE, "websocket");
        add(&mut answer, CONNECTION, "upgrade");
        add(&mut answer, SEC_WEBSOCKET_VERSION, "13");
        return answer;
    };
    let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize());
    tokio::spawn(echo(hyper::upgrade::on(&mut request), forum.ending.clone()));
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    add(&mut answer, UPGRADE, "websocket");
    add(&mut answer, CONNECTION, "Upgrade");
    add(&mut answer, SEC_WEBSOCKET_ACCEPT, &accept);
    answer
}

/// The key of a request that asks for a WebSocket as it should.
fn key(headers: &HeaderMap) -> Option<String> {
    let says = |name, word: &str| {
        let mut lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        lines.any(|line| line.split(',').any(|token| token.trim().eq_ignore_ascii_case(word)))
    };
    let asks = says(UPGRADE, "websocket") && says(CONNECTION, "upgrade") && says(SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    (asks && STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)).then(|| key.to_owned())
}

async fn echo(upgrade: hyper::upgrade::OnUpgrade, mut ending: tokio::sync::watch::Receiver<()>) {
    let Ok(upgraded) = upgrade.await else { return };
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    tokio::select! {
        // A peer that breaks off is its own affair.
        _ = tokio::io::copy(&mut from, &mut to) => {}
        _ = ending.changed() => {}
    }
}
