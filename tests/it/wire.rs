//! What clients and applications can send, to the byte, and what becomes of it: one table a side
//! (SECURITY: H1-01 … H1-17, PATH-07, PATH-08, HDR-02, HDR-03, HDR-10).

mod attacks;
mod hostile;
mod limits;
mod templates;

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::RawClient;
use crate::support::upstream::{Act, Recorder};

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };

/// Everything that comes back for these bytes until the gateway closes the connection. Nobody hangs up before: the
/// engine gives up what it does for one who has.
async fn answer_to(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut client = RawClient::connect(gateway.address).await;
    // An answer may come before all is sent, and the connection be closed after it.
    let _ = client.send(bytes).await;
    String::from_utf8_lossy(&client.rest().await.unwrap_or_default()).into_owned()
}

/// The status codes of the answers in a text.
fn statuses(text: &str) -> Vec<u16> {
    let starts = text.match_indices("HTTP/1.1 ").map(|(at, found)| at + found.len());
    starts.filter_map(|at| text.get(at..at + 3)?.parse().ok()).collect()
}

/// An application that answers everything, and a gateway that lets everybody in but to `/closed`.
async fn open() -> (Recorder, Gateway) {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/closed\"\nrequire = \"login\"";
    let gateway = Gateway::with(upstream.address(), Settings { access, ..GUEST }).await;
    (upstream, gateway)
}
