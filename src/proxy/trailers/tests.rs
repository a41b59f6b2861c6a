use proptest::prelude::*;

use super::*;
use crate::proxy::headers::plain_rules;

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

fn passage() -> Arc<Passage> {
    Passage::new(&Arc::new(plain_rules()))
}

fn lines(passage: &Passage) -> Option<&str> {
    passage.lines.get().map(|lines| std::str::from_utf8(lines).unwrap())
}

/// `bytes` in pieces that end at these places, modulo the length.
fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> =
        cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    ends.sort_unstable();
    ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

/// What has been taken off a message that was read in these pieces.
fn taken(bytes: &[u8], cuts: &[usize]) -> Option<String> {
    let passage = passage();
    let mut carriage = Carriage::default();
    carriage.carry(Some(Arc::clone(&passage)), None);
    pieces(bytes, cuts).into_iter().for_each(|piece| carriage.arrived(piece));
    lines(&passage).map(str::to_owned)
}

/// What a message becomes that gets these lines and is written in these pieces.
fn given(message: &[u8], cuts: &[usize], lines: &str) -> Vec<u8> {
    let passage = passage();
    passage.lines.set(lines.as_bytes().to_vec()).unwrap();
    let mut carriage = Carriage::default();
    carriage.carry(None, Some(passage));
    let mut out = Vec::new();
    pieces(message, cuts).into_iter().for_each(|piece| carriage.write(piece, &mut out));
    out
}

/// A body in chunks of these data, up to the line of the last one.
fn chunked(data: &[(Vec<u8>, bool)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (data, is_odd) in data.iter().filter(|(data, _)| !data.is_empty()) {
        let size = if *is_odd {
            format!("00{:x} ;a=\"0\"\r\n", data.len())
        } else {
            format!("{:X}\r\n", data.len())
        };
        body.extend_from_slice(&[size.as_bytes(), data, b"\r\n"].concat());
    }
    body.extend_from_slice(b"0\r\n");
    body
}

/// Data that may look like the end of a body.
fn data() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let bytes = prop_oneof![
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"\r\n0\r\nX: 1\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..600),
    ];
    proptest::collection::vec((bytes, any::<bool>()), 0..5)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(any::<usize>(), 0..12)
}

proptest! {
    #[test]
    fn however_a_body_is_cut_the_same_fields_are_taken_off_it(data in data(), cuts in cuts()) {
        let message = [REQUEST, &chunked(&data), b"X-Sum: 1\r\nHost: x\r\n\r\nPOST / HTTP"].concat();
        prop_assert_eq!(taken(&message, &cuts), Some("X-Sum: 1\r\n".to_owned()));
        let unfinished = &message[..message.len() - b"\r\nPOST / HTTP".len()];
        prop_assert_eq!(taken(unfinished, &cuts), None);
    }

    #[test]
    fn however_a_body_is_cut_the_fields_are_added_at_its_end(data in data(), cuts in cuts()) {
        let head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let before = [&head[..], &chunked(&data)].concat();
        let after = b"\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let expected = [&before, &b"A: 1\r\n"[..], after].concat();
        prop_assert_eq!(given(&[&before, &after[..]].concat(), &cuts, "A: 1\r\n"), expected);
    }

    #[test]
    fn h1_17_whatever_is_read_nothing_forbidden_is_taken_off_and_what_is_written_stays_whole(
        bytes in "[0a\r\n:;, TE\u{0}-]{0,40}((Host|Remote_User|X): 1\r\n){0,3}(\r\n){0,2}",
        cuts in cuts(),
    ) {
        let message = [REQUEST, bytes.as_bytes()].concat();
        let lines = taken(&message, &cuts);
        prop_assert_eq!(&lines, &taken(&message, &[]));
        let lines = lines.unwrap_or_default();
        prop_assert!(!lines.contains("Host") && !lines.contains("User"), "{:?}", lines);
        prop_assert!(lines.is_empty() || lines.ends_with("\r\n") && !lines.contains("\r\n\r\n"));
        prop_assert_eq!(given(&message, &cuts, ""), message);
    }
}

#[test]
fn a_message_that_is_not_chunked_gets_no_fields() {
    for message in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ] {
        assert_eq!(given(message.as_bytes(), &[], "A: 1\r\n"), message.as_bytes());
    }
}

#[test]
fn what_came_with_the_head_is_followed_too_and_every_message_anew() {
    let mut carriage = Carriage::default();
    for sum in ["X-Sum: 1\r\n", "X-Sum: 2\r\n"] {
        let body = format!("3\r\nabc\r\n0\r\n{sum}\r\n");
        carriage.arrived(REQUEST);
        carriage.arrived(&body.as_bytes()[..4]);
        let passage = passage();
        carriage.carry(Some(Arc::clone(&passage)), None);
        carriage.arrived(&body.as_bytes()[4..]);
        assert_eq!(lines(&passage), Some(sum));
        assert!(!carriage.departs());
    }
}

#[test]
fn nothing_is_kept_of_page_loads_and_little_of_anything() {
    let mut carriage = Carriage::default();
    carriage.arrived(b"GET / HTTP/1.1\r\nHost: f\r\n\r\n");
    assert!(matches!(carriage.incoming, Incoming::Passed));
    carriage.departs();
    carriage.arrived(b"\x81\x05hello");
    assert!(matches!(carriage.incoming, Incoming::Passed), "a tunnel's bytes");
    carriage.departs();
    carriage.arrived(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
    carriage.arrived(&[0; Carriage::MOST_BEGUN]);
    assert!(matches!(carriage.incoming, Incoming::Passed));
    let passage = passage();
    carriage.carry(Some(Arc::clone(&passage)), None);
    carriage.arrived(b"0\r\nX: 1\r\n\r\n");
    assert_eq!(lines(&passage), None, "where the body began is not known any more");

    let (mut carriage, passage) = (Carriage::default(), self::passage());
    carriage.carry(Some(Arc::clone(&passage)), None);
    carriage.arrived(&[REQUEST, b"0\r\nX: "].concat());
    for _ in 0..1000 {
        carriage.arrived(&[b'x'; 1000]);
        if let Incoming::Followed(follower) = &carriage.incoming {
            assert!(follower.section.len() <= Follower::LONGEST_SECTION + 2);
        }
    }
    carriage.arrived(b"\r\n\r\n");
    assert_eq!(lines(&passage), None, "more than anyone needs");
}

#[tokio::test]
async fn a_connection_adds_the_fields_however_little_the_stream_takes() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = chunked(&[(vec![b'x'; 40_000], false), (b"0\r\n\r\n".to_vec(), true)]);
    let before = [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &body].concat();
    for room in [1, 100, 100_000] {
        let (near, mut far) = tokio::io::duplex(room);
        let passage = passage();
        passage.lines.set(b"A: 1\r\n".to_vec()).unwrap();
        let message = [&before, &b"\r\nHTTP/1.1 200 OK\r\n\r\n"[..]].concat();
        let writing = tokio::spawn(async move {
            let mut connection = Connection::new(near);
            connection.carry(None, Some(passage));
            connection.write_all(&message).await.unwrap();
            connection.shutdown().await.unwrap();
        });
        let mut arrived = Vec::new();
        far.read_to_end(&mut arrived).await.unwrap();
        writing.await.unwrap();
        assert!(arrived == [&before, &b"A: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"[..]].concat(), "{room}");
    }
}
