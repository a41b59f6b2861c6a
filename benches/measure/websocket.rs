//! WebSockets (RFC 6455): an application that says back what it hears, and clients that wait for each word before they say the
//! next.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::quantiles;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// A whole message in one frame, of text.
const TEXT: u8 = 0x81;
const MESSAGE: [u8; 100] = [b'x'; 100];

/// Echoes. Whoever asks for no WebSocket is told so.
pub(crate) fn echo(listen: &str) {
    runtime().block_on(async {
        let listener = TcpListener::bind(listen).await.unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { answer(stream).await.ok() });
        }
    });
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let head = head(&mut stream).await?;
    let named = |line: &&String| line.to_ascii_lowercase().starts_with("sec-websocket-key:");
    let Some(key) = head.iter().find(named).and_then(|line| line.split_once(':')) else {
        return stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n").await;
    };
    let accept = STANDARD.encode(Sha1::new().chain_update(key.1.trim()).chain_update(GUID).finalize());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    loop {
        let mut frame = [0; 2 + MASK.len() + MESSAGE.len()];
        stream.read_exact(&mut frame).await?;
        let (head, payload) = frame.split_at_mut(6);
        let mask: [u8; 4] = std::array::from_fn(|at| head[2 + at]);
        masked(payload, mask);
        head[4..].copy_from_slice(&[TEXT, MESSAGE.len() as u8]);
        stream.write_all(&frame[4..]).await?;
    }
}

/// Messages there and back, on so many connections at once.
pub(crate) fn talk(address: SocketAddr, connections: u32, length: Duration, cookie: &str) -> Value {
    runtime().block_on(async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(open(address, cookie).await);
        }
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for mut stream in streams {
            clients.spawn(async move {
                let mut took = Vec::new();
                while begun.elapsed() < length {
                    let begin = Instant::now();
                    say(&mut stream).await;
                    took.push(begin.elapsed());
                }
                took
            });
        }
        let took: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
        let (count, seconds) = (took.len(), begun.elapsed().as_secs_f64());
        json!({ "messages": count, "seconds": seconds, "took": quantiles(took) })
    })
}

async fn open(address: SocketAddr, cookie: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let site = format!("localhost:{}", address.port());
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {site}\r\nOrigin: http://{site}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{cookie}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await.unwrap();
    assert!(head[0].contains(" 101 "), "{head:?}");
    stream
}

async fn say(stream: &mut BufReader<TcpStream>) {
    let mut frame = [0; 2 + MASK.len() + MESSAGE.len()];
    frame[..2].copy_from_slice(&[TEXT, 0x80 | MESSAGE.len() as u8]);
    frame[2..6].copy_from_slice(&MASK);
    frame[6..].copy_from_slice(&MESSAGE);
    masked(&mut frame[6..], MASK);
    stream.write_all(&frame).await.unwrap();
    let mut echoed = [0; 2 + MESSAGE.len()];
    stream.read_exact(&mut echoed).await.unwrap();
    assert!(echoed[0] == TEXT && echoed[2..] == MESSAGE, "{echoed:?}");
}

/// The lines of a head, up to the empty one.
async fn head(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            return Ok(lines);
        }
        lines.push(line);
    }
}

fn masked(payload: &mut [u8], mask: [u8; 4]) {
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
