use tokio::io::{AsyncReadExt, DuplexStream};

use super::*;
use crate::proxy::access_log::Metrics;
use crate::proxy::options::ConnectionLimits;

/// What arrives at once when `writes` are written one after the other to a stream that takes `room` bytes at a time.
async fn sent(room: usize, writes: &[&[u8]]) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(room);
    let writes: Vec<Vec<u8>> = writes.iter().map(|write| write.to_vec()).collect();
    let writing = tokio::spawn(async move {
        let mut connection = Connection::new(near);
        for write in &writes {
            connection.write_all(write).await.unwrap();
        }
        connection.shutdown().await.unwrap();
    });
    let mut arrived = Vec::new();
    far.read_to_end(&mut arrived).await.unwrap();
    writing.await.unwrap();
    arrived
}

#[tokio::test]
async fn every_byte_arrives_in_order_however_little_the_stream_takes() {
    let pattern: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for room in [1, 7, 1460, 100_000] {
        for sizes in
            [vec![200, 9_800], vec![10_000], vec![1_000, 1_000, 1_000], vec![1_460, 1, 3_000], vec![3]]
        {
            let mut rest = &pattern[..];
            let writes: Vec<&[u8]> = sizes
                .iter()
                .map(|size| {
                    let (write, left) = rest.split_at(*size);
                    rest = left;
                    write
                })
                .collect();
            assert_eq!(sent(room, &writes).await, writes.concat(), "{room} {sizes:?}");
        }
    }
}

#[tokio::test]
async fn what_members_send_is_not_printed() {
    let (near, mut far) = tokio::io::duplex(4096);
    let mut connection = Connection::new(near);
    far.write_all(b"POST / HTTP/1.1\r\nCookie: secret").await.unwrap();
    connection.read_exact(&mut [0; 10]).await.unwrap();
    connection.write_all(b"secret").await.unwrap();
    let Connection { stream, .. } = &connection;
    assert_eq!(format!("{connection:?}"), format!("Connection {{ stream: {stream:?}, .. }}"));
}

#[tokio::test]
async fn a_header_waits_for_its_body_and_a_flush_waits_for_nothing() {
    let (near, mut far) = tokio::io::duplex(4096);
    let mut connection = Connection::new(near);
    let mut buf = [0; 4096];
    connection.write_all(b"header").await.unwrap();
    assert_eq!(connection.held, b"header");
    connection.write_all(&[b'x'; 2000]).await.unwrap();
    assert!(connection.held.is_empty());
    far.read_exact(&mut buf[..2006]).await.unwrap();
    connection.write_all(b"piece").await.unwrap();
    connection.flush().await.unwrap();
    assert_eq!(far.read(&mut buf).await.unwrap(), 5);
}

/// A member's connection and its other end.
fn accepted(limits: ConnectionLimits) -> (Connection<DuplexStream>, DuplexStream, Arc<Metrics>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let metrics = Arc::new(Metrics::new().unwrap());
    let guard = Guard::new(Manners::new(limits, Arc::clone(&metrics)), [192, 0, 2, 1].into());
    (Connection::new(near).with(guard), far, metrics)
}

fn quick() -> ConnectionLimits {
    let moment = Duration::from_millis(30);
    ConnectionLimits {
        head_timeout: moment,
        idle_timeout: moment,
        rate_grace: moment,
        stall_timeout: moment,
        ..ConnectionLimits::default()
    }
}

/// What can be read now; none if that is nothing.
async fn ready(connection: &mut Connection<DuplexStream>) -> Option<String> {
    let mut space = [0; 4096];
    let mut buf = ReadBuf::new(&mut space);
    let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut *connection).poll_read(cx, &mut buf))).await;
    poll.is_ready().then(|| String::from_utf8(buf.filled().to_vec()).unwrap())
}

/// Reads to the end, as the engine does; returns that, and what the client got meanwhile before it hung up.
async fn told(connection: &mut Connection<DuplexStream>, mut far: DuplexStream) -> (String, String) {
    let client = async move {
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let mut read = String::new();
    let (_, answer) = tokio::join!(connection.read_to_string(&mut read), client);
    (read, answer)
}

fn refusals(metrics: &Metrics, word: &str) -> bool {
    metrics.render(0).unwrap().contains(&format!("passgate_refused_total{{reason=\"{word}\"}} 1\n"))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: f\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: f\r\nContent-Length: 3\r\n\r\n";
const DONE: &str = "HTTP/1.1 204 No\r\n\r\n";

#[tokio::test]
async fn h1_06_a_request_that_is_refused_is_answered_counted_and_never_seen_by_the_engine() {
    for (request, word, status) in [
        ("GET / HTTP/1.1\nHost: f\r\n\r\n", "line-end", "HTTP/1.1 400 "),
        ("GET / HTTP/3.0\r\nHost: f\r\n\r\n", "version", "HTTP/1.1 505 "),
        ("POST / HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\nx", "chunk", "HTTP/1.1 400 "),
    ] {
        let (mut connection, mut far, metrics) = accepted(ConnectionLimits::default());
        far.write_all(request.as_bytes()).await.unwrap();
        let (read, answer) = told(&mut connection, far).await;
        assert_eq!(read, "", "{word}");
        assert!(answer.starts_with(status) && answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(refusals(&metrics, word), "{word}");
        connection.write_all(DONE.as_bytes()).await.unwrap_err();
    }
}

#[tokio::test]
async fn rel_01_a_head_that_does_not_come_in_time_ends_the_first_request_and_any_later_one() {
    for before in ["", GET] {
        let (mut connection, mut far, metrics) = accepted(quick());
        if !before.is_empty() {
            far.write_all(before.as_bytes()).await.unwrap();
            assert_eq!(ready(&mut connection).await.unwrap(), before);
            connection.write_all(DONE.as_bytes()).await.unwrap();
        }
        far.write_all(b"GET / HT").await.unwrap();
        let (read, answer) = told(&mut connection, far).await;
        assert_eq!(read, "");
        assert!(answer.contains("HTTP/1.1 408 ") && refusals(&metrics, "head-timeout"), "{answer}");
    }
}

#[tokio::test]
async fn rel_02_a_connection_without_a_request_ends_without_a_word() {
    let (mut connection, mut far, metrics) = accepted(quick());
    far.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), GET);
    connection.write_all(DONE.as_bytes()).await.unwrap();
    connection.flush().await.unwrap();
    assert_eq!(connection.read(&mut [0; 100]).await.unwrap(), 0);
    drop(connection);
    let mut answer = String::new();
    far.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, DONE);
    assert!(!metrics.render(0).unwrap().contains("\"} 1\n"));
}

#[tokio::test]
async fn rel_03_a_body_that_stands_still_ends_the_request_unless_it_waits_to_be_told() {
    let (mut connection, mut far, metrics) = accepted(quick());
    far.write_all(POST.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), POST);
    far.write_all(b"a").await.unwrap();
    let (read, answer) = told(&mut connection, far).await;
    assert_eq!(read, "a");
    assert!(answer.starts_with("HTTP/1.1 408 ") && refusals(&metrics, "body-timeout"), "{answer}");

    let (mut connection, mut far, _) = accepted(quick());
    let head = "POST / HTTP/1.1\r\nHost: f\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    far.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), head);
    let waited = tokio::time::timeout(quick().rate_grace * 2, connection.read(&mut [0; 9])).await;
    waited.unwrap_err();
    connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    connection.flush().await.unwrap();
    let (_, answer) = told(&mut connection, far).await;
    assert!(answer.contains("\r\n\r\nHTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn rel_03_a_client_that_does_not_take_its_answer_is_given_up() {
    let (mut connection, mut far, _) = accepted(quick());
    far.write_all(GET.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), GET);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{}", "x".repeat(999_999));
    let error = connection.write_all(answer.as_bytes()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn h1_12_the_next_request_begins_when_the_answer_to_the_one_before_is_whole() {
    let (mut connection, mut far, _) = accepted(ConnectionLimits::default());
    let three = format!("{POST}abc{GET}{GET}");
    for (at, byte) in three.bytes().enumerate() {
        far.write_all(&[byte]).await.unwrap();
        let whole = [POST.len(), POST.len() + 1, POST.len() + 2, POST.len() + 3].contains(&(at + 1));
        assert_eq!(ready(&mut connection).await.is_some(), whole, "after {} bytes", at + 1);
    }
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"] {
        connection.write_all(interim.as_bytes()).await.unwrap();
        assert_eq!(ready(&mut connection).await, None);
    }
    connection.write_all(b"k").await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), GET);
    assert_eq!(ready(&mut connection).await, None);
    connection.write_all(DONE.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), GET);
    drop(far);
    assert_eq!(ready(&mut connection).await.unwrap(), "", "that the client has gone is told");
}

#[tokio::test]
async fn h1_09_nothing_behind_an_upgrade_is_handed_on_before_it_is_granted() {
    let head = "GET / HTTP/1.1\r\nHost: f\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (answer, expected) in [
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "\u{81}\u{5}hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n", "\u{81}\u{5}hello"),
        (DONE, ""),
    ] {
        let (mut connection, mut far, metrics) = accepted(ConnectionLimits::default());
        far.write_all(format!("{head}\u{81}\u{5}hello").as_bytes()).await.unwrap();
        assert_eq!(ready(&mut connection).await.unwrap(), head);
        assert_eq!(ready(&mut connection).await, None);
        connection.write_all(answer.as_bytes()).await.unwrap();
        connection.flush().await.unwrap();
        if expected.is_empty() {
            assert!(told(&mut connection, far).await.1.contains("\r\n\r\nHTTP/1.1 400 "));
            assert!(refusals(&metrics, "request-line"));
        } else {
            assert_eq!(ready(&mut connection).await.unwrap(), expected);
            far.write_all(b"\n\n\0").await.unwrap();
            assert_eq!(ready(&mut connection).await.unwrap(), "\n\n\0", "what is no HTTP is not judged");
        }
    }
}

#[tokio::test]
async fn what_was_said_last_arrives_though_the_client_is_still_sending() {
    let (mut connection, mut far, _) = accepted(ConnectionLimits::default());
    far.write_all(POST.as_bytes()).await.unwrap();
    assert_eq!(ready(&mut connection).await.unwrap(), POST);
    connection.write_all(DONE.as_bytes()).await.unwrap();
    AsyncWriteExt::shutdown(&mut connection).await.unwrap();
    let guard = connection.guard.as_mut().unwrap();
    guard.linger();
    let mut answer = String::new();
    far.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, DONE);
    far.write_all(b"abc").await.unwrap();
    drop(far);
    poll_fn(|cx| guard.poll_leave(&mut connection.stream, cx)).await;
}

#[tokio::test]
async fn rel_11_whoever_is_turned_away_is_told_to_come_again() {
    for (crowd, word) in [(Crowd::InAll, "connections"), (Crowd::FromAddress, "address-connections")] {
        let (connection, mut far, metrics) = accepted(ConnectionLimits::default());
        far.write_all(GET.as_bytes()).await.unwrap();
        let client = async move {
            let mut answer = String::new();
            far.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let ((), answer) = tokio::join!(connection.turn_away(crowd), client);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
        assert!(refusals(&metrics, word));
    }
}
