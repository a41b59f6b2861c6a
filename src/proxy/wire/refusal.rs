//! Why a client is answered before the engine has seen its request, and the short answer it gets.
//!
//! SECURITY: OPS-04. The answer tells no version, and nothing of what was sent.

/// A reason, for the log and the counters; the client gets its status and sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Refusal {
    /// No request line as RFC 9112 §3 has it.
    RequestLine,
    /// A method that nobody knows, or `CONNECT`.
    Method,
    /// A target with bytes that have to be escaped, or of no form that is served here (RFC 9112 §3.2).
    Target,
    /// A request line that is longer than any link.
    TargetTooLong,
    /// Any version but 1.0 and 1.1.
    Version,
    /// A field that is not a token, a colon and legal bytes; a folded one.
    Field,
    /// A line that ends in a bare line feed.
    LineEnd,
    /// No `Host`, several, or one that is no host.
    Host,
    /// More than one reading of where the message ends.
    Framing,
    /// An upgrade with a body.
    Upgrade,
    /// An expectation that can't be met.
    Expectation,
    /// Too many fields, or too long ones.
    HeadTooLarge,
    /// What HTTP/2 calls so (RFC 9113 §8.1.1).
    Malformed,
    /// A body that is not chunked as it says.
    Chunk,
    /// The head did not come in time.
    HeadTimeout,
    /// The body did not come in time.
    BodyTimeout,
    /// More connections than are served.
    Connections,
    /// More connections than one address gets.
    AddressConnections,
}

impl Refusal {
    /// All of them, in order.
    pub(in crate::proxy) const ALL: [Self; 18] = [
        Self::RequestLine,
        Self::Method,
        Self::Target,
        Self::TargetTooLong,
        Self::Version,
        Self::Field,
        Self::LineEnd,
        Self::Host,
        Self::Framing,
        Self::Upgrade,
        Self::Expectation,
        Self::HeadTooLarge,
        Self::Malformed,
        Self::Chunk,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::Connections,
        Self::AddressConnections,
    ];

    /// THE table: status and reason phrase, the word for log and counters, the sentence.
    const fn wording(self) -> (u16, &'static str, &'static str, &'static str) {
        const BAD: &str = "Bad Request";
        match self {
            Self::RequestLine => (400, BAD, "request-line", "The first line is no HTTP request."),
            Self::Method => (501, "Not Implemented", "method", "This method is not served here."),
            Self::Target => (400, BAD, "target", "The address is not written the way it should be."),
            Self::TargetTooLong => (414, "URI Too Long", "target-too-long", "The address is too long."),
            Self::Version => {
                (505, "HTTP Version Not Supported", "version", "This version of HTTP is not served here.")
            }
            Self::Field => (400, BAD, "field", "A header field is not written the way it should be."),
            Self::LineEnd => (400, BAD, "line-end", "A line does not end the way it should."),
            Self::Host => (400, BAD, "host", "A request names exactly one host."),
            Self::Framing => (400, BAD, "framing", "It is not clear where the request ends."),
            Self::Upgrade => (400, BAD, "upgrade", "An upgrade takes no body."),
            Self::Expectation => (417, "Expectation Failed", "expectation", "This expectation can't be met."),
            Self::HeadTooLarge => {
                (431, "Request Header Fields Too Large", "head-too-large", "The header fields are too large.")
            }
            Self::Malformed => (400, BAD, "malformed", "The request is not written the way it should be."),
            Self::Chunk => (400, BAD, "chunk", "The body is not written the way it should be."),
            Self::HeadTimeout => (408, "Request Timeout", "head-timeout", "The request took too long."),
            Self::BodyTimeout => (408, "Request Timeout", "body-timeout", "The request took too long."),
            Self::Connections => {
                (503, "Service Unavailable", "connections", "A lot is going on right now. Please try again.")
            }
            Self::AddressConnections => (
                503,
                "Service Unavailable",
                "address-connections",
                "There are too many connections from your address. Please try again.",
            ),
        }
    }

    /// The word for log and counters.
    pub(in crate::proxy) const fn code(self) -> &'static str {
        self.wording().2
    }

    /// The status code.
    pub(in crate::proxy) const fn status(self) -> u16 {
        self.wording().0
    }

    /// Whether it is not the client's fault, or not that of this connection alone.
    pub(in crate::proxy) const fn is_crowd(self) -> bool {
        matches!(self, Self::Connections | Self::AddressConnections)
    }

    /// The whole answer, as it goes over the wire; the connection ends after it. `hsts` is the value of `Strict-Transport-Security`,
    /// if the answer is to say it.
    pub(in crate::proxy) fn answer(self, hsts: Option<&str>) -> Vec<u8> {
        let (status, phrase, _, sentence) = self.wording();
        let hsts = hsts.map(|value| format!("Strict-Transport-Security: {value}\r\n")).unwrap_or_default();
        let retry = if status == 503 { "Retry-After: 5\r\n" } else { "" };
        let length = sentence.len() + 1;
        format!(
            "HTTP/1.1 {status} {phrase}\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\n\
             Cache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\n\
             {hsts}{retry}Connection: close\r\n\r\n{sentence}\n"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_one_whole_response_and_every_word_is_one_of_a_kind() {
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index, "counters are found by it");
            let answer = refusal.answer(None);
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut response = httparse::Response::new(&mut fields);
            let head = response.parse(&answer).unwrap().unwrap();
            assert_eq!(response.code, Some(refusal.status()));
            assert!(!response.headers.iter().any(|field| field.name.starts_with("Strict-")));
            let length = response.headers.iter().find(|field| field.name == "Content-Length").unwrap();
            assert_eq!(length.value, (answer.len() - head).to_string().as_bytes());
        }
        let said = String::from_utf8(Refusal::Host.answer(Some("max-age=1"))).unwrap();
        assert!(said.contains("\r\nStrict-Transport-Security: max-age=1\r\n"), "{said}");
        let mut codes = Refusal::ALL.map(Refusal::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refusal::ALL.len());
    }
}
