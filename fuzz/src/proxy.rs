//! Of `src/proxy` what reads HTTP/1.1.

#[path = "../../src/proxy/wire/mod.rs"]
mod wire;

use wire::{Answer, Body, Framing, Head, HeadReader, Refusal};

fn verdict(bytes: &[u8], piece: usize) -> Result<Option<Head>, Refusal> {
    let mut reader = HeadReader::default();
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        if let Some(head) = reader.advance(&bytes[..end])? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// A head is judged alike however it is cut, and what is accepted the engine's parser reads alike.
pub fn head(data: &[u8]) {
    let whole = verdict(data, data.len().max(1));
    let piece = usize::from(data.first().copied().unwrap_or(1) % 31) + 1;
    assert_eq!(verdict(data, piece), whole);
    let Ok(Some(head)) = whole else { return };
    let bytes = &data[..head.length];
    let mut space = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut space);
    assert_eq!(request.parse(data), Ok(httparse::Status::Complete(head.length)));
    assert!(head.length <= HeadReader::LONGEST_HEAD && request.headers.len() <= 100);
    let field = |name: &str| {
        let all = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        all.map(|field| field.value).collect::<Vec<_>>()
    };
    assert_eq!(field("host").len(), 1);
    let length = field("content-length").pop();
    match head.framing {
        Framing::Chunked => assert!(length.is_none() && field("transfer-encoding").len() == 1),
        Framing::Length(expected) => {
            let told = length.map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
            assert!(expected == told && field("transfer-encoding").len() == 0);
        }
    }
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(bytes.windows(2).filter(|two| two == b"\r\n").count(), lines);
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\r').count(), lines);
}

fn length(bytes: &[u8], framing: Framing, piece: usize) -> Option<(usize, bool)> {
    let mut body = Body::of_request(framing);
    let mut length = 0;
    for part in bytes.chunks(piece) {
        let taken = body.advance(part).ok()?;
        assert!(taken == part.len() || body == Body::Ended);
        length += taken;
    }
    Some((length, body == Body::Ended))
}

/// A body ends in one place however it is cut; and an answer, where only what it ends with matters.
pub fn body(data: &[u8]) {
    let [first, rest @ ..] = data else { return };
    let piece = usize::from(first % 31) + 1;
    for framing in [Framing::Chunked, Framing::Length(u64::from(*first))] {
        assert_eq!(length(rest, framing, piece), length(rest, framing, rest.len().max(1)));
    }
    let (mut whole, mut cut) = (Answer::default(), Answer::default());
    whole.advance(rest, false);
    rest.chunks(piece).for_each(|part| cut.advance(part, false));
    assert_eq!((whole.is_whole(), whole.is_tunnel()), (cut.is_whole(), cut.is_tunnel()));
}
