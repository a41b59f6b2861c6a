//! A forum of 2008, in memory: what `passgate demo` puts the gateway in front of, and what tests and benches measure
//! against. Knows nothing of the gateway; imports nothing of ours.
//!
//! It has boards, topics, posting by form, attachments, its own login form, pages that answer 200 and refresh by `<meta>`,
//! cookies with brackets, `;` in links and one page of 2 MB (`viewtopic.php?t=50`). Every page says which member the
//! forum believes is there: the one named by `Remote-User`, else the one who used its own login, else a guest.
//! Header names are read as CGI does (`Remote_User` is `Remote-User`), and all of one name are joined, so a gateway that
//! lets a forged line through is found out.
//!
//! Like the forums of its time it forgets nothing at logout: the login cookie is a keyed hash and stays valid. Text and
//! attachments are bounded (64 MiB and 256 MiB; the oldest attachments go first).
//!
//! | address | for tests and benches |
//! | --- | --- |
//! | `/whoami.json` | `{"method","target","version","headers":[[name, value], …],"member"}`; names in lower case, lines of one name together, non-UTF-8 values lossy. `/whoami.php` is the same for people |
//! | `/echo` | the request's body, streamed back with its `Content-Type` while it still arrives |
//! | `/bytes?n=N` | N bytes in pieces of 64 KiB, byte `i` being `i % 65536 % 251`; `chunked=1` leaves `Content-Length` out |
//! | `/sink` | reads everything, answers `{"bytes":N,"trailers":[[name, value], …]}` |
//! | `/status?code=N` | an answer with that status, 200 to 599 |
//! | `/slow?ms=N` | head and the first byte at once, the second and last after N ms; `head=1` holds the head back as well |
//! | `/trailers` | a chunked answer with the trailer `x-checksum`, sent only if the request says `TE: trailers` |
//! | `/setcookie` | six `Set-Cookie` lines: `order` three times, one with a bracketed name, `__Host-passgate=evil`, `passgate=evil` |
//! | `/ws` | a WebSocket handshake; afterwards every byte comes back as it was sent (so client frames stay masked) |

mod attachments;
mod boards;
mod body;
mod diagnostics;
mod download;
mod fields;
mod login;
mod members;
mod pages;
mod posting;
mod range;
mod reading;
mod reply;
mod routes;
mod seed;
mod server;
mod statics;
mod views;
mod visit;
mod websocket;

pub use members::{MEMBERS, SampleMember};
pub use server::{RunningForum, SampleForum};

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Everything the forum holds. One for the process, shared by all connections.
struct Forum {
    boards: Mutex<boards::Boards>,
    attachments: Mutex<attachments::Attachments>,
    members: members::Members,
    pages: pages::Pages,
    /// Closed when the server ends, which ends what outlives a request.
    ending: watch::Receiver<()>,
}

impl Forum {
    fn new(ending: watch::Receiver<()>) -> std::io::Result<Self> {
        Ok(Self {
            boards: Mutex::new(seed::boards(unix_now())),
            attachments: Mutex::default(),
            members: members::Members::new()?,
            pages: pages::Pages::new().map_err(std::io::Error::other)?,
            ending,
        })
    }

    fn boards(&self) -> MutexGuard<'_, boards::Boards> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachments(&self) -> MutexGuard<'_, attachments::Attachments> {
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970, the forum's only notion of time.
fn unix_now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "an application of its own, with nothing of ours below it")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
