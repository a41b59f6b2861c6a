//! H2-10: frames as RFC 9113 does not want them, by section; what the gateway makes of each, and that the application hears
//! of none. The cases are those of h2spec, written anew.
//!
//! The `h2` crate is less exact than the RFC in ways that do no harm: it says PROTOCOL_ERROR for lengths and fields that
//! it can't read, ends the connection where a stream would do for names that are none, and bears frames on a stream that was
//! just given up, as well as other frames before the first settings. Pseudo-fields among trailers it drops, and the gateway passes no
//! trailers on.

use crate::support::http2::Verdict::{Connection, Fine, Status, Stream};
use crate::support::http2::kind::{
    CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::http2::{Frames, Verdict, block, flag, frame};
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;
const END: u8 = flag::END_HEADERS | flag::END_STREAM;

/// A request's fields, those of `/bad` unless said otherwise.
fn fields<'f>(changed: &[(&'f str, Option<&'f str>)], more: &[(&'f str, &'f str)]) -> Vec<u8> {
    let usual = [(":method", "GET"), (":scheme", "https"), (":path", "/bad"), (":authority", "localhost")];
    let kept = usual.iter().filter_map(|(name, value)| {
        let changed = changed.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        Some((*name, changed.unwrap_or(Some(value))?))
    });
    block(&kept.chain(more.iter().copied()).collect::<Vec<_>>())
}

fn get(changed: &[(&str, Option<&str>)], more: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END, 1, &fields(changed, more))
}

/// A request that is fine; its answer waits until the test is over.
fn waiting(stream: u32) -> Vec<u8> {
    frame(HEADERS, END, stream, &fields(&[(":path", Some("/wait"))], &[]))
}

/// A request whose body is still to come.
fn post(more: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flag::END_HEADERS, 1, &fields(&[(":method", Some("POST"))], more))
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

async fn site() -> (Recorder, Secure) {
    let upstream = Recorder::on_request(|heard| match heard.head.start_line().contains("/wait") {
        true => vec![Act::Silence],
        false => vec![Act::ok("")],
    })
    .await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    (upstream, site)
}

/// Sends each case on a connection of its own, after settings; the verdict has to be one of those expected.
async fn judge(cases: &[(&str, Vec<u8>, &[Verdict])]) {
    let (upstream, site) = site().await;
    let mut wrong = Vec::new();
    for (name, bytes, expected) in cases {
        let mut client = site.frames().await;
        client.begin().await;
        client.send(bytes).await;
        let verdict = client.verdict().await;
        if !expected.contains(&verdict) {
            wrong.push(format!("{name}: {verdict:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let heard = upstream.request_heads();
    assert!(heard.iter().all(|head| !head.start_line().contains("/bad")), "{heard:#?}");
}

const PROTOCOL: &[Verdict] = &[Connection(Some(PROTOCOL_ERROR))];
const SIZE: &[Verdict] = &[Connection(Some(FRAME_SIZE_ERROR)), Connection(Some(PROTOCOL_ERROR))];
const COMPRESSION: &[Verdict] = &[Connection(Some(COMPRESSION_ERROR)), Connection(Some(PROTOCOL_ERROR))];
const MALFORMED: &[Verdict] = &[Stream(PROTOCOL_ERROR)];
const NO_NAME: &[Verdict] = &[Stream(PROTOCOL_ERROR), Connection(Some(PROTOCOL_ERROR))];

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_beginnings_that_are_none() {
    let (upstream, site) = site().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let mut client = site.frames().await;
        client.send(bytes).await;
        assert!(matches!(client.verdict().await, Connection(None | Some(PROTOCOL_ERROR))), "§3.4");
    }
    let mut client = site.frames().await;
    client.send(&[Frames::PREFACE, &frame(PING, flag::NONE, 0, &[0; 8])].concat()).await;
    let verdict = client.verdict().await;
    assert!(
        matches!(verdict, Fine | Connection(Some(PROTOCOL_ERROR))),
        "§3.4 no settings first: {verdict:?}"
    );
    assert!(upstream.connections().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_the_form_of_frames() {
    let long = vec![0; 16_385];
    judge(&[
        ("§4.1 an unknown type is ignored", frame(0x77, 0xff, 0, &[1; 8]), &[Fine]),
        ("§4.1 unknown flags are ignored", frame(PING, 0xfe, 0, &[0; 8]), &[Fine]),
        ("§4.1 the reserved bit is ignored", frame(PING, flag::NONE, 1 << 31, &[0; 8]), &[Fine]),
        (
            "§4.2 DATA is too long",
            [post(&[]), frame(DATA, flag::NONE, 1, &long)].concat(),
            &[Connection(Some(FRAME_SIZE_ERROR)), Stream(FRAME_SIZE_ERROR)],
        ),
        ("§4.2 HEADERS are too long", frame(HEADERS, END, 1, &long), SIZE),
        ("§4.2 SETTINGS are too long", frame(SETTINGS, flag::NONE, 0, &[0; 16_386]), SIZE),
        ("§4.3 an index beyond the table", frame(HEADERS, END, 1, &[0xff, 0x80, 0x7f]), COMPRESSION),
        ("§4.3 index zero", frame(HEADERS, END, 1, &[0x80]), COMPRESSION),
        ("§4.3 a block that is cut off", frame(HEADERS, END, 1, &[0, 5, b'a']), COMPRESSION),
        ("§4.3 a table larger than agreed", frame(HEADERS, END, 1, &[0x3f, 0xff, 0xff, 0x7f]), COMPRESSION),
        (
            "§5.5 an unknown frame within a block",
            [frame(HEADERS, flag::END_STREAM, 1, &fields(&[], &[])), frame(0x77, flag::NONE, 0, &[])]
                .concat(),
            PROTOCOL,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_frames_on_streams_that_are_in_no_state_for_them() {
    let increment = 1u32.to_be_bytes();
    let reset = [0, 0, 0, 8];
    let closed: &[Verdict] = &[
        Stream(STREAM_CLOSED),
        Connection(Some(STREAM_CLOSED)),
        Connection(Some(PROTOCOL_ERROR)),
        Stream(PROTOCOL_ERROR),
    ];
    judge(&[
        ("§5.1 DATA on an idle stream", frame(DATA, flag::END_STREAM, 1, b"x"), PROTOCOL),
        ("§5.1 RST_STREAM on an idle stream", frame(RST_STREAM, flag::NONE, 1, &reset), PROTOCOL),
        ("§5.1 WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, flag::NONE, 1, &increment), PROTOCOL),
        ("§5.1 CONTINUATION on an idle stream", frame(CONTINUATION, flag::END_HEADERS, 1, &[]), PROTOCOL),
        (
            "§5.1 PRIORITY on an idle stream is fine",
            frame(PRIORITY, flag::NONE, 9, &[0, 0, 0, 0, 1]),
            &[Fine],
        ),
        ("§5.1 DATA after the end", [waiting(1), frame(DATA, flag::END_STREAM, 1, b"x")].concat(), closed),
        ("§5.1 HEADERS after the end", [waiting(1), get(&[], &[])].concat(), closed),
        (
            "§5.1 CONTINUATION after the end",
            [waiting(1), frame(CONTINUATION, flag::END_HEADERS, 1, &[])].concat(),
            closed,
        ),
        (
            "§5.1 DATA after a reset",
            [post(&[]), frame(RST_STREAM, flag::NONE, 1, &reset), frame(DATA, flag::END_STREAM, 1, b"x")]
                .concat(),
            &[Fine, Stream(STREAM_CLOSED), Connection(Some(STREAM_CLOSED))],
        ),
        ("§5.1.1 a stream of the server's", frame(HEADERS, END, 2, &fields(&[], &[])), PROTOCOL),
        (
            "§5.1.1 a stream older than the last",
            [waiting(5), frame(HEADERS, END, 3, &fields(&[], &[]))].concat(),
            &[Connection(Some(PROTOCOL_ERROR)), Connection(Some(STREAM_CLOSED))],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_more_streams_than_agreed_are_refused() {
    let (_upstream, site) = site().await;
    let mut client = site.frames().await;
    client.begin().await;
    let hundred: Vec<u8> = (0..100).flat_map(|at| waiting(2 * at + 1)).collect();
    client.send(&hundred).await;
    assert_eq!(client.verdict().await, Fine);
    client.send(&waiting(201)).await;
    assert!(matches!(client.verdict().await, Stream(REFUSED_STREAM | PROTOCOL_ERROR)), "§5.1.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_each_type_of_frame_in_its_place() {
    let padded = flag::PADDED | END;
    judge(&[
        ("§6.1 DATA on the connection", frame(DATA, flag::NONE, 0, b"x"), PROTOCOL),
        (
            "§6.1 DATA with too much padding",
            [post(&[]), frame(DATA, flag::PADDED, 1, &[9, 1, 2])].concat(),
            PROTOCOL,
        ),
        ("§6.2 HEADERS on the connection", frame(HEADERS, END, 0, &fields(&[], &[])), PROTOCOL),
        ("§6.2 HEADERS with too much padding", frame(HEADERS, padded, 1, &[200, 1, 2]), PROTOCOL),
        ("§6.3 PRIORITY on the connection", frame(PRIORITY, flag::NONE, 0, &[0, 0, 0, 3, 1]), PROTOCOL),
        (
            "§6.3 PRIORITY of another length",
            [waiting(1), frame(PRIORITY, flag::NONE, 1, &[0; 4])].concat(),
            &[Stream(FRAME_SIZE_ERROR), Connection(Some(FRAME_SIZE_ERROR)), Connection(Some(PROTOCOL_ERROR))],
        ),
        ("§6.4 RST_STREAM on the connection", frame(RST_STREAM, flag::NONE, 0, &[0; 4]), PROTOCOL),
        (
            "§6.4 RST_STREAM of another length",
            [waiting(1), frame(RST_STREAM, flag::NONE, 1, &[0; 3])].concat(),
            SIZE,
        ),
        ("§6.5 SETTINGS on a stream", frame(SETTINGS, flag::NONE, 1, &[]), PROTOCOL),
        ("§6.5 SETTINGS of another length", frame(SETTINGS, flag::NONE, 0, &[0; 7]), SIZE),
        ("§6.5 an acknowledgement with content", frame(SETTINGS, flag::ACK, 0, &[0; 6]), SIZE),
        ("§6.5.2 ENABLE_PUSH of two", frame(SETTINGS, flag::NONE, 0, &setting(2, 2)), PROTOCOL),
        (
            "§6.5.2 a window beyond 2^31-1",
            frame(SETTINGS, flag::NONE, 0, &setting(4, 1 << 31)),
            &[Connection(Some(FLOW_CONTROL_ERROR)), Connection(Some(PROTOCOL_ERROR))],
        ),
        ("§6.5.2 frames below 2^14", frame(SETTINGS, flag::NONE, 0, &setting(5, 16_383)), PROTOCOL),
        ("§6.5.2 frames beyond 2^24-1", frame(SETTINGS, flag::NONE, 0, &setting(5, 1 << 24)), PROTOCOL),
        ("§6.5.2 an unknown setting is ignored", frame(SETTINGS, flag::NONE, 0, &setting(0x99, 7)), &[Fine]),
        ("§6.6 PUSH_PROMISE", frame(PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2]), PROTOCOL),
        ("§6.7 PING on a stream", frame(PING, flag::NONE, 1, &[0; 8]), PROTOCOL),
        ("§6.7 PING of another length", frame(PING, flag::NONE, 0, &[0; 6]), SIZE),
        ("§6.7 an answer nobody asked for is ignored", frame(PING, flag::ACK, 0, &[7; 8]), &[Fine]),
        ("§6.8 GOAWAY on a stream", frame(GOAWAY, flag::NONE, 1, &[0; 8]), PROTOCOL),
        (
            "§6.10 CONTINUATION of nothing",
            [waiting(1), frame(CONTINUATION, flag::END_HEADERS, 1, &[])].concat(),
            &[Connection(Some(PROTOCOL_ERROR)), Connection(Some(STREAM_CLOSED))],
        ),
        (
            "§6.10 CONTINUATION on the connection",
            [
                frame(HEADERS, flag::END_STREAM, 1, &fields(&[], &[])),
                frame(CONTINUATION, flag::END_HEADERS, 0, &[]),
            ]
            .concat(),
            PROTOCOL,
        ),
        (
            "§6.10 DATA within a block",
            [frame(HEADERS, flag::END_STREAM, 1, &fields(&[], &[])), frame(DATA, flag::NONE, 1, b"x")]
                .concat(),
            PROTOCOL,
        ),
        (
            "§6.10 another stream within a block",
            [
                frame(HEADERS, flag::END_STREAM, 1, &fields(&[], &[])),
                frame(HEADERS, END, 3, &fields(&[], &[])),
            ]
            .concat(),
            PROTOCOL,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_10_windows() {
    let (most, zero) = (0x7fff_ffffu32.to_be_bytes(), [0; 4]);
    judge(&[
        ("§6.9 an increment of zero", frame(WINDOW_UPDATE, flag::NONE, 0, &zero), PROTOCOL),
        (
            "§6.9 an increment of zero on a stream",
            [waiting(1), frame(WINDOW_UPDATE, flag::NONE, 1, &zero)].concat(),
            &[Stream(PROTOCOL_ERROR), Connection(Some(PROTOCOL_ERROR))],
        ),
        ("§6.9 an increment of another length", frame(WINDOW_UPDATE, flag::NONE, 0, &[0; 3]), SIZE),
        (
            "§6.9.1 a window beyond 2^31-1",
            frame(WINDOW_UPDATE, flag::NONE, 0, &most),
            &[Connection(Some(FLOW_CONTROL_ERROR))],
        ),
        (
            "§6.9.1 a stream's window beyond 2^31-1",
            [waiting(1), frame(WINDOW_UPDATE, flag::NONE, 1, &most)].concat(),
            &[Stream(FLOW_CONTROL_ERROR)],
        ),
        (
            "§6.9.2 settings that make a window too large",
            [
                waiting(1),
                frame(WINDOW_UPDATE, flag::NONE, 1, &0x7fff_0000u32.to_be_bytes()),
                frame(SETTINGS, flag::NONE, 0, &setting(4, 0x7fff_ffff)),
            ]
            .concat(),
            &[Connection(Some(FLOW_CONTROL_ERROR)), Stream(FLOW_CONTROL_ERROR)],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_01_requests_that_are_none() {
    let content = |length: &str, data: &[&[u8]]| {
        let last = data.len().saturating_sub(1);
        let frames = data.iter().enumerate().flat_map(|(at, data)| {
            frame(DATA, if at == last { flag::END_STREAM } else { flag::NONE }, 1, data)
        });
        [post(&[("content-length", length)]), frames.collect()].concat()
    };
    judge(&[
        (
            "§8.1 a second block that does not end it",
            [post(&[]), frame(HEADERS, flag::END_HEADERS, 1, &block(&[("a", "b")]))].concat(),
            MALFORMED,
        ),
        ("§8.1.1 less than said", content("9", &[b"abc"]), MALFORMED),
        ("§8.1.1 more than said", content("2", &[b"abc"]), MALFORMED),
        ("§8.1.1 more than said, in pieces", content("2", &[b"a", b"b", b"c"]), MALFORMED),
        ("§8.1.1 a length and no content", get(&[], &[("content-length", "5")]), MALFORMED),
        ("§8.1.1 two lengths", get(&[], &[("content-length", "0"), ("content-length", "5")]), MALFORMED),
        ("§8.1.1 a length that is no number", get(&[], &[("content-length", "+0")]), MALFORMED),
        ("§8.2 capitals in a name", get(&[], &[("X-A", "b")]), NO_NAME),
        ("§8.2.1 a blank in a name", get(&[], &[("x a", "b")]), NO_NAME),
        ("§8.2.1 a colon in a name", get(&[], &[("x:a", "b")]), NO_NAME),
        ("§8.2.1 an empty name", get(&[], &[("", "b")]), NO_NAME),
        ("§8.2.1 a line feed in a value", get(&[], &[("x-a", "b\nc: d")]), NO_NAME),
        ("§8.2.1 a carriage return in a value", get(&[], &[("x-a", "b\r")]), NO_NAME),
        ("§8.2.1 a zero in a value", get(&[], &[("x-a", "b\0")]), NO_NAME),
        ("§8.2.1 a line feed in a name", get(&[], &[("x\na", "b")]), NO_NAME),
        ("§8.2.2 connection", get(&[], &[("connection", "close")]), MALFORMED),
        ("§8.2.2 transfer-encoding", get(&[], &[("transfer-encoding", "chunked")]), MALFORMED),
        ("§8.2.2 keep-alive", get(&[], &[("keep-alive", "1")]), MALFORMED),
        ("§8.2.2 proxy-connection", get(&[], &[("proxy-connection", "x")]), MALFORMED),
        ("§8.2.2 upgrade", get(&[], &[("upgrade", "websocket")]), MALFORMED),
        ("§8.2.2 te of another kind", get(&[], &[("te", "gzip")]), MALFORMED),
        ("§8.2.2 te of both kinds", get(&[], &[("te", "trailers, deflate")]), MALFORMED),
        ("§8.3 an unknown pseudo-field", get(&[], &[(":x", "y")]), NO_NAME),
        ("§8.3 one of answers", get(&[], &[(":status", "200")]), MALFORMED),
        ("§8.3 one after a field", get(&[(":path", None)], &[("a", "b"), (":path", "/bad")]), MALFORMED),
        ("§8.3.1 no method", get(&[(":method", None)], &[]), MALFORMED),
        ("§8.3.1 no scheme", get(&[(":scheme", None)], &[]), MALFORMED),
        ("§8.3.1 no path", get(&[(":path", None)], &[]), &[Stream(PROTOCOL_ERROR), Status(400)]),
        ("§8.3.1 an empty path", get(&[(":path", Some(""))], &[]), MALFORMED),
        ("§8.3.1 two methods", get(&[], &[(":method", "GET")]), MALFORMED),
        ("§8.3.1 two schemes", get(&[], &[(":scheme", "https")]), MALFORMED),
        ("§8.3.1 two paths", get(&[], &[(":path", "/bad")]), MALFORMED),
        ("§8.3.1 two authorities", get(&[], &[(":authority", "localhost")]), MALFORMED),
        ("§8.3.1 a blank in the method", get(&[(":method", Some("GET /bad"))], &[]), NO_NAME),
        ("§8.3.1 text in the scheme", get(&[(":scheme", Some("https://x/?"))], &[]), MALFORMED),
        ("§8.3.1 a line feed in the path", get(&[(":path", Some("/bad\r\nx: y"))], &[]), MALFORMED),
        ("§8.3.1 a blank in the path", get(&[(":path", Some("/bad HTTP/1.1"))], &[]), MALFORMED),
        ("§8.3.1 a path in the authority", get(&[(":authority", Some("localhost/x"))], &[]), MALFORMED),
        ("§8.3.1 a user in the authority", get(&[(":authority", Some("a@localhost"))], &[]), &[Status(400)]),
        ("§8.3.1 another host than the authority", get(&[], &[("host", "other.example")]), &[Status(400)]),
        ("§8.3.1 two hosts", get(&[], &[("host", "localhost"), ("host", "localhost")]), &[Status(400)]),
        ("§8.3.1 neither host nor authority", get(&[(":authority", None)], &[]), &[Status(400)]),
        (
            "§8.3.1 a whole URL for a path",
            get(&[(":path", Some("https://localhost/bad"))], &[]),
            &[Status(400), Stream(PROTOCOL_ERROR)],
        ),
        (
            "§8.3.1 a path without a slash",
            get(&[(":path", Some("bad"))], &[]),
            &[Status(400), Stream(PROTOCOL_ERROR)],
        ),
        (
            "RFC 8441 a tunnel for WebSockets",
            get(&[(":method", Some("CONNECT"))], &[(":protocol", "websocket")]),
            MALFORMED,
        ),
    ])
    .await;
}
