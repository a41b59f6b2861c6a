//! Applications on Unix sockets: what passes there is what passes on a port.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;

use super::{admin, gateway, request};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};

/// A socket that leads to an application; gone when dropped.
struct Socket {
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Socket {
    fn to(application: &Recorder) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("app.sock")).unwrap();
        let address = application.address();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut beyond = TcpStream::connect(address).await.unwrap();
                    // Either side may break off.
                    let _ = copy_bidirectional(&mut stream, &mut beyond).await;
                });
            }
        });
        Self { folder, task }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.sock")
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_forms_and_websockets_pass_through_a_unix_socket() {
    let accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let application = Recorder::on_request(move |heard| match heard.head.text().contains("/socket") {
        true => vec![Act::Send(accepted.into()), Act::Echo],
        false => vec![Act::ok("hello")],
    })
    .await;
    let socket = Socket::to(&application);
    for url in [format!("unix:{}", socket.path().display()), format!("unix://{}", socket.path().display())] {
        let gateway = gateway(&format!("url = \"{url}\"\nhost_header = \"upstream\""), "").await;
        let host = gateway.host();
        let mut client = RawClient::connect(gateway.address).await;
        for asked in [
            request("GET /a", &host, ""),
            request("POST /b", &host, "Content-Length: 4\r\n") + "body",
            request("POST /c", &host, "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n")
                + "1\r\nx\r\n0\r\nX-T: 1\r\n\r\n",
        ] {
            assert_eq!(client.exchange(asked).await.unwrap().text(), "hello");
        }
        let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        assert_eq!(client.exchange(request("GET /socket", &host, handshake)).await.unwrap().status(), 101);
        client.send("ping").await.unwrap();
        assert_eq!(client.receive(4).await.unwrap(), b"ping");
        assert_eq!(admin(&gateway, "/ready").await, (200, "ready\n".to_owned()));
        let records = application.records();
        let heard = &records.requests[records.requests.len() - 4..];
        assert_eq!(heard[0].head.value("host").unwrap(), "localhost");
        assert_eq!(heard[1].body.bytes, b"body");
        assert_eq!(heard[2].body.trailers, [("X-T".to_owned(), "1".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_a_socket_where_nobody_listens_is_a_site_on_a_break() {
    let folder = TempDir::new().unwrap();
    for file in ["gone.sock", "left.sock"] {
        let path = folder.path().join(file);
        if file == "left.sock" {
            // As an application leaves it that was killed.
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        }
        let gateway = gateway(&format!("url = \"unix:{}\"", path.display()), "").await;
        for line in ["GET /", "POST /"] {
            let asked = request(line, &gateway.host(), "Content-Length: 0\r\n");
            let reply = exchange(gateway.address, asked).await.unwrap();
            assert_eq!(reply.status(), 502);
            assert!(
                reply.text().contains("having a break") && !reply.text().contains("sock"),
                "{}",
                reply.text()
            );
            assert!(reply.head.value("retry-after").is_some());
        }
        assert_eq!(admin(&gateway, "/ready").await.0, 503);
    }
}
