//! What an application in PHP sees of who is there, under the three servers that most of them run on: `php -S`, nginx with
//! php-fpm, and Apache with mod_php. Each has names of its own for a header, folds others to them, and takes some for more than a
//! header (SECURITY: HDR-01, HDR-02, HDR-03, HDR-07, HDR-08).
//!
//! Whatever is forged says `evil`, so it is found under whatever name it arrives.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::Value;

use crate::program::{Program, free_port, root, words};
use crate::support::raw::Reply;
use crate::support::secure::{Secure, Wanted};

/// Names as the gateway may be told to use them: for the user, the name, the address, the groups and the proof.
const NAMES: [[&str; 5]; 2] = [
    ["Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Gateway-Secret"],
    ["X-Passgate-User", "X-Passgate-Name", "X-Passgate-Mail", "X-Passgate-Groups", "X-Passgate-Proof"],
];

/// What else could say who somebody is, where they are, or what they ask for.
const OTHERS: [&str; 10] = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-User",
    "Forwarded",
    "X-Real-IP",
    "Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "Proxy",
];

/// What can stand between the words of a name (RFC 9110 §5.6.2).
const SEPARATORS: [&str; 19] =
    ["-", "_", ".", "", "!", "#", "$", "%", "&", "'", "*", "+", "^", "`", "|", "~", "--", "-_", "_."];

/// How a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Http1,
    Http2,
}

/// Where it goes, and whether a member makes it; whoever passes there is named or not.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: &'static str,
    is_member: bool,
    is_named: bool,
}

const WAYS: [Way; 5] = [
    Way { path: "/guest/x", is_member: false, is_named: false },
    Way { path: "/guest/x", is_member: true, is_named: true },
    Way { path: "/public/x", is_member: false, is_named: false },
    Way { path: "/public/x", is_member: true, is_named: false },
    Way { path: "/member/x", is_member: true, is_named: true },
];

const ACCESS: &str = "default = \"guest\"\n[[access.rule]]\npath = \"/public/**\"\nrequire = \"public\"\n\
                      [[access.rule]]\npath = \"/member/**\"\nrequire = \"login\"";

/// A gateway before a server, with these names.
struct Site {
    secure: Secure,
    names: [&'static str; 5],
    cookie: String,
    what: String,
}

impl Site {
    async fn before(server: &Program, kind: &str, names: [&'static str; 5]) -> Self {
        let [user, name, email, groups, secret] = names;
        let identity = format!(
            "[identity]\nuser = \"{user}\"\nname = \"{name}\"\nemail = \"{email}\"\ngroups = \"{groups}\"\nsecret = \"{secret}\""
        );
        let wanted = Wanted { access: ACCESS, certificate: &identity, ..Wanted::DEFAULT };
        let secure = Secure::before(server.address(), wanted).await;
        let alice = secure.gateway.add_member("alice", "correct horse battery", &["members"]).await;
        let cookie = secure.gateway.cookie_of(&alice).await.replace("passgate=", "__Host-passgate=");
        Self { secure, names, cookie, what: format!("{kind}, {user}") }
    }

    /// Every disguise of every name, with something forged.
    fn forged(&self) -> Vec<(String, String)> {
        let names = self.names.iter().chain(&OTHERS);
        let spellings = names.flat_map(|name| {
            let disguises = SEPARATORS.iter().map(|separator| name.replace('-', separator));
            let odd = odd_case(name);
            disguises.chain([name.to_uppercase(), odd, format!("_{name}"), format!("{name}-")])
        });
        spellings.enumerate().map(|(at, name)| (name, format!("evil {at}"))).collect()
    }

    fn authority(&self) -> String {
        format!("localhost:{}", self.secure.address.port())
    }

    /// Over HTTP/1.1, with lines as they are.
    async fn exchange(&self, way: Way, method: &str, lines: &str, body: &str) -> Reply {
        let cookie = if way.is_member { format!("Cookie: {}\r\n", self.cookie) } else { String::new() };
        let (path, host) = (way.path, self.authority());
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Harmless: seen\r\n{cookie}{lines}\r\n{body}"
        );
        self.secure.connect("localhost").await.unwrap().exchange(text).await.unwrap()
    }

    /// Over HTTP/2; nothing if it is refused.
    async fn stream(
        &self,
        way: Way,
        fields: &[(String, String)],
        trailers: Option<HeaderMap>,
    ) -> Option<Value> {
        let method = if trailers.is_some() { "POST" } else { "GET" };
        let uri = format!("https://{}{}", self.authority(), way.path);
        let mut asked = Request::builder().method(method).uri(uri).header("x-harmless", "seen");
        if way.is_member {
            asked = asked.header("cookie", &self.cookie);
        }
        for (name, value) in fields {
            asked = asked.header(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let client = self.secure.http2("localhost").await;
        let body = Bytes::from(if trailers.is_some() { "text" } else { "" });
        let (answer, _) = client.send(asked.body(()).unwrap(), body, trailers).await.ok()?;
        told(answer.status().as_u16(), answer.body())
    }

    /// All that was seen is true.
    #[track_caller]
    fn judge(&self, seen: &Value, way: Way, what: &str) {
        let what = format!("{}: {what} on {way:?}", self.what);
        let text = seen.to_string();
        assert!(!text.contains("evil"), "{what}: {text}");
        let of = |part: &str, name: &str| {
            let names = seen[part].as_object().unwrap().iter();
            let same = names.filter(|(other, _)| other.eq_ignore_ascii_case(name));
            same.map(|(_, value)| value.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of("server", "HTTP_X_HARMLESS"), ["seen"], "{what}");
        let truth = ["alice", "alice", "alice@forum.example", "members"];
        for (name, value) in self.names.iter().zip(truth) {
            let expected = if way.is_named { vec![value] } else { vec![] };
            let in_server = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(of("server", &in_server), expected, "{what}: {text}");
            assert_eq!(of("headers", name), expected, "{what}: {text}");
        }
        for name in ["REMOTE_USER", "AUTH_USER", "AUTH_TYPE", "PHP_AUTH_USER", "PHP_AUTH_DIGEST"] {
            assert!(of("server", name).iter().all(String::is_empty), "{what}: {name}");
        }
    }

    #[track_caller]
    fn judge_reply(&self, reply: &Reply, way: Way, what: &str) {
        match told(reply.status(), &reply.body.bytes) {
            Some(seen) => self.judge(&seen, way, what),
            None => assert!(matches!(reply.status(), 400 | 431), "{}: {what}: {}", self.what, reply.status()),
        }
    }

    async fn knows_no_disguise(&self, way: Way, over: Over) {
        let forged = self.forged();
        // A request may have a hundred fields.
        for some in forged.chunks(40) {
            let what = format!("{over:?} {}", some[0].0);
            let seen = match over {
                Over::Http1 => {
                    let line = |(name, value): &(String, String)| {
                        format!("{name}: {value}\r\n{name}: {value} again\r\n")
                    };
                    let reply =
                        self.exchange(way, "GET", &some.iter().map(line).collect::<String>(), "").await;
                    told(reply.status(), &reply.body.bytes)
                }
                Over::Http2 => {
                    let twice: Vec<_> = some
                        .iter()
                        .chain(some)
                        .map(|(name, value)| (name.to_lowercase(), value.clone()))
                        .collect();
                    self.stream(way, &twice, None).await
                }
            };
            self.judge(&seen.unwrap_or_else(|| panic!("{}: {what} is refused", self.what)), way, &what);
        }
    }

    /// Of the user's name alone: what is no field by right, and what makes a field more than one.
    async fn knows_no_trick(&self, way: Way) {
        let name = self.names[0];
        let [first, rest] = name.split_once('-').map(|(first, rest)| [first, rest]).unwrap();
        let basic = "Authorization: Basic ZXZpbDpldmls\r\n";
        for lines in [
            format!("{first} {rest}: evil\r\n"),
            format!("{name} : evil\r\n"),
            format!("{name}\t: evil\r\n"),
            format!(" {name}: evil\r\n"),
            format!("X-A: b\r\n {name}: evil\r\n"),
            format!("X-A: b\n{name}: evil\r\n"),
            format!("X-A: b\r{name}: evil\r\n"),
            format!("X-A: b\0\r\n{name}: evil\r\n"),
            format!("{name}\u{e9}: evil\r\n"),
            format!("{name}: ,evil\r\n{name}:\r\n"),
            format!("{name}: evil\r\n").repeat(120),
            format!("{name}: evil{}\r\n", "x".repeat(64 << 10)),
            format!("Connection: {name}\r\n{name}: evil\r\n"),
            format!("Connection: close, {name}\r\n"),
            format!("Connection: keep-alive,\t{}\r\n", name.to_uppercase()),
            format!("Connection: \"{name}\"\r\n"),
            format!("Connection: {}\r\n", name.replace('-', "_")),
            format!("Connection: {}\r\n", self.names.join(",")),
            basic.to_owned(),
            basic.repeat(2),
            format!("{}{name}: evil\r\n", basic.replace("Authorization", "Proxy-Authorization")),
            "Authorization: Digest username=\"evil\", realm=\"x\", nonce=\"x\", uri=\"/\", response=\"x\"\r\n".to_owned(),
            format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n{name}: evil\r\n{}: evil\r\n", name.replace('-', "_")),
            format!("Connection: Upgrade, {name}\r\nUpgrade: websocket\r\n"),
        ] {
            self.judge_reply(&self.exchange(way, "GET", &lines, "").await, way, &lines);
        }
    }

    async fn knows_no_trailer(&self, way: Way) {
        let [name, folded] = [self.names[0].to_owned(), self.names[0].replace('-', "_")];
        for announced in ["", &format!("Trailer: {name}, {folded}\r\n"), "TE: trailers\r\nConnection: TE\r\n"]
        {
            let lines = format!("Content-Type: text/plain\r\n{announced}Transfer-Encoding: chunked\r\n");
            let body = format!("4\r\ntext\r\n0\r\n{name}: evil\r\n{folded}: evil\r\nX-Sum: 1\r\n\r\n");
            self.judge_reply(&self.exchange(way, "POST", &lines, &body).await, way, &lines);
        }
        let mut trailers = HeaderMap::new();
        for name in [&name, &folded] {
            let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).unwrap();
            trailers.insert(name, HeaderValue::from_static("evil"));
        }
        let seen = self.stream(way, &[], Some(trailers)).await.expect("they are dropped");
        assert_eq!(seen["input"], "text", "{}", self.what);
        self.judge(&seen, way, "trailers over HTTP/2");
    }
}

fn odd_case(name: &str) -> String {
    let letters = name.chars().enumerate();
    letters
        .map(|(at, char)| if at % 2 == 0 { char.to_ascii_lowercase() } else { char.to_ascii_uppercase() })
        .collect()
}

/// What the script tells; nothing if it was not asked.
fn told(status: u16, body: &[u8]) -> Option<Value> {
    (status == 200).then(|| serde_json::from_slice(body).unwrap())
}

/// All of it under one kind of server.
async fn sees_no_forgery(kind: &str) {
    let server = Program::start(kind, free_port(), "/", |port, folder| {
        let script = root().join("tests/apps/disguises/server.sh");
        words([&script, &kind, &port.to_string(), &folder, &free_port().to_string()])
    })
    .await;
    for names in NAMES {
        let site = Site::before(&server, kind, names).await;
        for way in WAYS {
            for over in [Over::Http1, Over::Http2] {
                site.knows_no_disguise(way, over).await;
            }
            site.knows_no_trick(way).await;
            site.knows_no_trailer(way).await;
        }
        let stranger = Way { path: "/member/x", is_member: false, is_named: false };
        let forged = format!("{}: evil\r\n", names[0]);
        assert_eq!(site.exchange(stranger, "GET", &forged, "").await.status(), 401, "{}", site.what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_01_hdr_02_hdr_03_hdr_08_php_by_itself_sees_no_forgery() {
    sees_no_forgery("php").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_01_hdr_02_hdr_03_hdr_08_php_behind_nginx_sees_no_forgery() {
    sees_no_forgery("fpm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_01_hdr_02_hdr_03_hdr_08_php_in_apache_sees_no_forgery() {
    sees_no_forgery("apache").await;
}
