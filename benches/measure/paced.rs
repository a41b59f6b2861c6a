//! Requests at a fixed rate, however soon they are answered. A wait counts from when its request was due, so that a gateway
//! that stops for a moment is seen to. Threads that sleep, since they wake more exactly than a runtime's timer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::quantiles;

/// What is asked, how often, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Pace<'p> {
    pub(crate) address: SocketAddr,
    /// Requests a second, of all connections together.
    pub(crate) rate: u32,
    pub(crate) connections: u32,
    pub(crate) length: Duration,
    /// A `Cookie` line, or nothing.
    pub(crate) cookie: &'p str,
}

pub(crate) fn measure(pace: Pace<'_>) -> Value {
    let begin = Instant::now() + Duration::from_millis(100);
    let waits: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..pace.connections)
            .map(|number| {
                let first = begin + Duration::from_secs(1) / pace.rate * number;
                scope.spawn(move || ask(pace, first, begin + pace.length))
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let answered = waits.len() as f64 / begin.elapsed().as_secs_f64();
    json!({ "asked_per_s": pace.rate, "answered_per_s": answered, "waits": quantiles(waits) })
}

/// The waits of one connection.
fn ask(pace: Pace<'_>, first: Instant, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(pace.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let host = format!("Host: localhost:{}", pace.address.port());
    let request = format!("GET /x HTTP/1.1\r\n{host}\r\n{}\r\n", pace.cookie);
    let (mut waits, mut due) = (Vec::new(), first);
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut stream);
        waits.push(due.elapsed());
        due += Duration::from_secs(1) / pace.rate * pace.connections;
    }
    waits
}

/// Reads one answer with a length, to its end.
fn read_answer(stream: &mut TcpStream) {
    let (mut answer, mut filled) = ([0; 16 << 10], 0);
    let whole = loop {
        let read = stream.read(&mut answer[filled..]).unwrap();
        assert!(read > 0, "the connection was closed");
        filled += read;
        if let Some(length) = length(&answer[..filled]) {
            break length;
        }
    };
    stream.read_exact(&mut answer[filled..whole]).unwrap();
}

/// How long the answer is that begins here, once its head is whole.
fn length(answer: &[u8]) -> Option<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_length) = head.parse(answer).unwrap() else { return None };
    assert_eq!(head.code, Some(200));
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length")).unwrap();
    Some(head_length + std::str::from_utf8(length.value).unwrap().parse::<usize>().unwrap())
}
