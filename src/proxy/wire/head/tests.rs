use proptest::prelude::*;

use super::*;

const HOST: &str = "Host: f\r\n";

/// The verdict on a head that comes in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> Result<Option<Head>, Refusal> {
    let mut reader = HeadReader::default();
    for end in (piece..bytes.len()).step_by(piece).chain([bytes.len()]) {
        if let Some(head) = reader.advance(&bytes[..end])? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// The verdict on a head, which is the same however it is cut.
fn verdict(bytes: impl AsRef<[u8]>) -> Result<Option<Head>, Refusal> {
    let bytes = bytes.as_ref();
    let verdict = read(bytes, bytes.len().max(1));
    for piece in [1, 2, 3, 5, 16] {
        assert_eq!(
            read(bytes, piece),
            verdict,
            "in pieces of {piece}: {:?}",
            bytes.escape_ascii().to_string()
        );
    }
    verdict
}

fn refused(text: impl AsRef<[u8]>) -> Option<Refusal> {
    verdict(text).err()
}

/// A good request with these fields in it.
fn with(fields: &str) -> String {
    format!("POST /x HTTP/1.1\r\n{HOST}{fields}\r\n")
}

fn framing(fields: &str) -> Result<Framing, Refusal> {
    verdict(with(fields)).map(|head| head.expect("it is whole").framing)
}

#[test]
fn a_plain_request_is_read() {
    for (text, expected) in [
        ("GET / HTTP/1.1\r\nHost: f\r\n\r\n", (Framing::Length(0), false, false)),
        ("HEAD / HTTP/1.0\r\nHost: f:80\r\n\r\n", (Framing::Length(0), true, false)),
        ("\r\n\r\nGET / HTTP/1.1\r\nHOST:[::1]:80\r\n\r\n", (Framing::Length(0), false, false)),
        ("OPTIONS * HTTP/1.1\r\nHost: f\r\n\r\n", (Framing::Length(0), false, false)),
        ("M-SEARCH http://f/ HTTP/1.1\r\nHost: f\r\n\r\n", (Framing::Length(0), false, false)),
        (
            "PUT /?a[]=|{}^`\\' HTTP/1.1\r\nHost: f\r\ncontent-length:12\r\n\r\n",
            (Framing::Length(12), false, false),
        ),
        (
            "POST / HTTP/1.1\r\nHost: f\r\nExpect: 100-Continue\r\nTransfer-Encoding: Chunked\r\n\r\n",
            (Framing::Chunked, false, true),
        ),
    ] {
        let (framing, is_head, waits) = expected;
        let is_question = matches!(text.trim_start().as_bytes()[0], b'G' | b'H' | b'O');
        let head = Head { length: text.len(), framing, is_head, is_question, waits };
        assert_eq!(verdict(text), Ok(Some(head)), "{text:?}");
        assert_eq!(verdict(format!("{text}GET /")), Ok(Some(head)), "{text:?}");
        assert_eq!(verdict(&text[..text.len() - 1]), Ok(None), "{text:?}");
    }
}

/// SECURITY: HDR-03. Whatever could take a field of ours away, or belongs to the next hop, is not a plain question.
#[test]
fn hdr_03_a_question_has_no_body_and_nothing_for_the_next_hop() {
    let is_question = |method: &str, fields: &str| {
        let text = format!("{method} /x HTTP/1.1\r\n{HOST}{fields}\r\n");
        verdict(text).unwrap().unwrap().is_question
    };
    for fields in [
        "",
        "Content-Length: 0\r\n",
        "connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n",
        "Connection: close\r\n",
        "Cookie: a=1\r\nProxied: x\r\nTea: x\r\n",
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(is_question(method, fields), "{method} {fields:?}");
        }
        for method in ["POST", "PUT", "DELETE", "TRACE", "get", "PROPFIND"] {
            assert!(!is_question(method, fields), "{method} {fields:?}");
        }
    }
    for fields in [
        "Content-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close, Remote-User\r\n",
        "Connection: keep-alive\r\nConnection: Remote-User\r\n",
        "Connection: \r\n",
        "TE: trailers\r\n",
        "Trailer: x\r\n",
        "Upgrade: websocket\r\n",
        "HTTP2-Settings: x\r\n",
        "Proxy-Connection: close\r\n",
        "proxy-authorization: Basic x\r\n",
        "Expect: 100-continue\r\n",
    ] {
        assert!(!is_question("GET", fields), "{fields:?}");
    }
}

#[test]
fn h1_15_a_host_in_the_target_is_the_one_in_the_field() {
    let asked =
        |target: &str, host: &str| refused(format!("GET {target} HTTP/1.1\r\nX: 1\r\nHost: {host} \r\n\r\n"));
    for target in [
        "http://f:80",
        "HTTPS://f:80?x",
        "http://f:80/x",
        "http://f:80/http://g/",
        "/http://g/",
        "/?http://g",
    ] {
        assert_eq!(asked(target, "f:80"), None, "{target}");
    }
    for target in
        ["http://f/", "http://g:80/", "http://F:80/", "http://f:80.g/", "http://x@f:80/", "http://f:80\\x"]
    {
        assert!(matches!(asked(target, "f:80"), Some(Refusal::Host | Refusal::Target)), "{target}");
    }
    for nobody in ["http://", "http:///x", "http://?x", "http://a:b:c/", "http://[::1/"] {
        assert_eq!(asked(nobody, "f"), Some(Refusal::Target), "{nobody}");
    }
}

#[test]
fn h1_01_h1_02_a_body_with_two_ends_is_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\ncontent-length: 0\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;x\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chunked \r\n",
        "Transfer-Encoding:  chunked\r\n",
        "Transfer-Encoding:\tchunked\r\n",
        "Transfer-Encoding: \r\n",
        "Transfer-Encoding:\r\n",
        "Transfer_Encoding: chunked\r\n",
        "Transfer.Encoding: chunked\r\n",
        "TransferEncoding: chunked\r\n",
        "Content_Length: 5\r\n",
    ] {
        assert_eq!(framing(fields), Err(Refusal::Framing), "{fields:?}");
    }
    assert_eq!(refused(with("Transfer-Encoding: \u{b}chunked\r\n")), Some(Refusal::Field));
}

#[test]
fn h1_04_a_length_is_one_plain_number() {
    for value in [
        "+5",
        "-0",
        "5_0",
        "0x5",
        "5 ",
        " 5",
        "5,5",
        "5, 6",
        "",
        "9223372036854775808",
        "18446744073709551616",
        "123456789012345678901234567890",
        "\u{665}",
        "5\r\nContent-Length: 5",
        "5\r\nContent-Length: 6",
        "5.0",
        "1e1",
    ] {
        assert_eq!(framing(&format!("Content-Length: {value}\r\n")), Err(Refusal::Framing), "{value:?}");
    }
    assert_eq!(framing("Content-Length: 005\r\n"), Ok(Framing::Length(5)));
    assert_eq!(
        framing("Content-Length: 999999999999999999\r\n"),
        Ok(Framing::Length(999_999_999_999_999_999))
    );
}

#[test]
fn h1_06_lines_and_fields_are_written_as_they_should_be() {
    for (text, refusal) in [
        ("GET / HTTP/1.1\nHost: f\n\n".to_owned(), Refusal::LineEnd),
        (with("X: 1\n"), Refusal::LineEnd),
        (with("\n"), Refusal::LineEnd),
        ("\nGET / HTTP/1.1\r\nHost: f\r\n\r\n".to_owned(), Refusal::LineEnd),
        (with("X: 1\rY: 2\r\n"), Refusal::Field),
        (with("X: 1\r\r\n"), Refusal::Field),
        (with("\r\r\n"), Refusal::Field),
        (with("X: a\0b\r\n"), Refusal::Field),
        (with("X: 1\r\n Y: 2\r\n"), Refusal::Field),
        (with("X: 1\r\n\tY: 2\r\n"), Refusal::Field),
        (with("X : 1\r\n"), Refusal::Field),
        (with("X\t: 1\r\n"), Refusal::Field),
        (format!("GET / HTTP/1.1\r\n X: 1\r\n{HOST}\r\n"), Refusal::Field),
        (format!("GET / HTTP/1.1\r\n\t{HOST}\r\n"), Refusal::Field),
        (with(": 1\r\n"), Refusal::Field),
        (with("X\r\n"), Refusal::Field),
        (with("X(1): 1\r\n"), Refusal::Field),
    ] {
        assert_eq!(refused(&text), Some(refusal), "{text:?}");
    }
    for byte in (0..=0x20).chain(0x7f..=0xff) {
        if matches!(byte, b'\n') {
            continue;
        }
        let text = [b"GET / HTTP/1.1\r\nHost: f\r\nX".as_slice(), &[byte], b"Y: 1\r\n\r\n"].concat();
        assert_eq!(refused(&text), Some(Refusal::Field), "{byte:#x} in a name");
    }
    assert_eq!(framing("X: caf\u{e9} \t \"'<>\r\nY:\r\n"), Ok(Framing::Length(0)));
}

#[test]
fn h1_07_the_request_line_is_written_as_it_should_be() {
    use Refusal::{LineEnd, Method, RequestLine, Target, TargetTooLong, Version};
    let (long, long_method) = ("a".repeat(64 * 1024), "A".repeat(1000));
    for (line, refusal) in [
        ("GET /", RequestLine),
        ("GET", RequestLine),
        ("GET / ", RequestLine),
        ("GET / HTTP/0.9", Version),
        ("GET / HTTP/1.2", Version),
        ("GET / HTTP/1.32", Version),
        ("GET / HTTP/1", Version),
        ("GET / HTTP/2.0", Version),
        ("GET / HTTP/1.1x", Version),
        ("GET / http/1.1", RequestLine),
        ("GET / XTTP/1.1", RequestLine),
        ("GET  / HTTP/1.1", Target),
        ("GET /  HTTP/1.1", Target),
        ("GET / HTTP/1.1 ", Target),
        (" GET / HTTP/1.1", RequestLine),
        ("GET\t/ HTTP/1.1", RequestLine),
        ("GET /\tHTTP/1.1", RequestLine),
        ("GET / a HTTP/1.1", Target),
        ("GET /\u{e9} HTTP/1.1", Target),
        ("GET /?\u{e9} HTTP/1.1", Target),
        ("GET /\u{1} HTTP/1.1", Target),
        ("GET /\u{7f} HTTP/1.1", Target),
        ("GET /\r HTTP/1.1", Target),
        ("GET /<x> HTTP/1.1", Target),
        ("GET /?\"x\" HTTP/1.1", Target),
        ("GET /`x HTTP/1.1", Target),
        ("GET /#x HTTP/1.1", Target),
        ("GET x HTTP/1.1", Target),
        ("GET * HTTP/1.1", Target),
        ("GET ftp://f/ HTTP/1.1", Target),
        ("GET f:80 HTTP/1.1", Target),
        ("G(T / HTTP/1.1", RequestLine),
        ("CONNECT f:80 HTTP/1.1", Method),
        (&format!("{long_method} / HTTP/1.1"), Method),
        (&format!("GET /{long} HTTP/1.1"), TargetTooLong),
        ("GET / HTTP/1.1\n", LineEnd),
        ("\r\n\r\n\r\nGET / HTTP/1.1", RequestLine),
    ] {
        let text =
            if line.ends_with('\n') { format!("{line}{HOST}\r\n") } else { format!("{line}\r\n{HOST}\r\n") };
        assert_eq!(refused(&text), Some(refusal), "{:.80?}", line);
    }
    assert_eq!(refused(b"\x16\x03\x01\x02\x00"), Some(RequestLine), "a TLS handshake is not waited for");
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Target));
}

#[test]
fn h1_08_h1_10_h1_15_old_versions_expectations_and_hosts() {
    assert_eq!(
        refused("POST / HTTP/1.0\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Some(Refusal::Framing)
    );
    for fields in
        ["Expect: y 100-continue\r\n", "Expect: \r\n", "Expect: 100-continue\r\nExpect: 100-continue\r\n"]
    {
        assert_eq!(refused(with(fields)), Some(Refusal::Expectation), "{fields:?}");
    }
    assert_eq!(refused(with("Upgrade: websocket\r\nContent-Length: 1\r\n")), Some(Refusal::Upgrade));
    assert_eq!(refused("GET / HTTP/1.1\r\nX: 1\r\n\r\n"), Some(Refusal::Host));
    for host in ["", " ", "a b", "a,b", "u@f", "f/", "f\r\nHost: f", "f\r\nhost: g", "f?", "\u{e9}"] {
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
            Some(Refusal::Host),
            "{host:?}"
        );
    }
}

#[test]
fn h1_16_heads_have_limits() {
    let field = |length: usize| format!("X: {}\r\n", "x".repeat(length - 3));
    assert!(framing(&field(8 * 1024 - 1)).is_ok());
    assert_eq!(refused(with(&field(8 * 1024 + 1))), Some(Refusal::HeadTooLarge));
    assert_eq!(refused("X".repeat(8 * 1024 + 1)), Some(Refusal::TargetTooLong), "before it is over");
    assert!(framing(&"X: 1\r\n".repeat(99)).is_ok());
    assert_eq!(refused(with(&"X: 1\r\n".repeat(100))), Some(Refusal::HeadTooLarge));
    let room = HeadReader::LONGEST_HEAD - with("").len();
    let most = format!("{}{}", field(8_000).repeat(4), field(room - 4 * 8_002 - 2));
    assert_eq!(with(&most).len(), HeadReader::LONGEST_HEAD);
    assert!(framing(&most).is_ok());
    assert_eq!(refused(with(&format!("{most}X: 1\r\n"))), Some(Refusal::HeadTooLarge));
    let endless = format!("GET / HTTP/1.1\r\n{}", field(8_000).repeat(5));
    assert_eq!(
        refused(&endless[..HeadReader::LONGEST_HEAD]),
        Some(Refusal::HeadTooLarge),
        "before it is over"
    );
}

/// Bytes that are nearly a head.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("GET / HTTP/1.1".to_owned()),
        Just("POST /a?b=c HTTP/1.0".to_owned()),
        "[A-Z]{1,5} [/a-z?*: ]{1,9} HTTP/[12].[01]",
    ];
    let field = prop_oneof![
        Just("Host: f".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        "[A-Za-z-]{1,17}:[ -~\t]{0,20}",
        "[A-Za-z :\t\u{0}\u{e9}]{0,6}",
    ];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    let lines = proptest::collection::vec((field, end), 0..8);
    (line, lines, any::<proptest::sample::Index>(), proptest::option::of(any::<u8>())).prop_map(
        |(line, lines, at, byte)| {
            let fields: String = lines.iter().map(|(field, end)| format!("{field}{end}")).collect();
            let mut bytes = format!("{line}\r\nHost: f\r\n{fields}\r\n").into_bytes();
            if let Some(byte) = byte {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

/// Name and value of each field as [`HeadReader`] takes lines apart.
fn fields(head: &[u8]) -> Vec<(&[u8], &[u8])> {
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.skip_while(|line| line.is_empty()).skip(1).take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_at_checked(memchr(b':', line)?))
        .map(|(name, value)| (name, trim(&value[1..])))
        .collect()
}

proptest! {
    #[test]
    fn h1_03_what_is_accepted_the_engines_parser_reads_alike(bytes in nearly_a_head()) {
        let bytes = bytes.as_slice();
        let verdict = read(bytes, bytes.len());
        for piece in [1, 3, 7, 20] {
            prop_assert_eq!(read(bytes, piece), verdict);
        }
        let Ok(Some(head)) = verdict else { return Ok(()) };
        let mut space = [httparse::EMPTY_HEADER; 256];
        let mut request = httparse::Request::new(&mut space);
        prop_assert_eq!(request.parse(bytes), Ok(httparse::Status::Complete(head.length)));
        let line = [request.method.unwrap(), request.path.unwrap(), &format!("HTTP/1.{}", request.version.unwrap())];
        prop_assert!(bytes.starts_with(line.join(" ").as_bytes()));
        let theirs: Vec<_> = request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
        prop_assert_eq!(fields(&bytes[..head.length]), theirs);
    }
}
