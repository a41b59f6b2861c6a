//! Big transfers: the gateway holds a piece of them at a time, never the whole.

use passgate::sample::SampleForum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Gateway, Site};
use crate::support::LIMIT;

const GIB: usize = 1 << 30;
/// What a transfer may add to the gateway's resident memory.
const ALLOWANCE_KIB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_up_and_a_gibibyte_down_leave_memory_flat() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let gateway = Site::before(forum.address(), "access.default = \"guest\"").serve();
    let before = peak_kib(&gateway);
    assert_eq!(tokio::time::timeout(LIMIT * 3, download(&gateway)).await.expect("the download ends"), GIB);
    let answer = tokio::time::timeout(LIMIT * 3, upload(&gateway)).await.expect("the upload ends");
    assert!(answer.contains(&GIB.to_string()), "{answer}");
    let more = peak_kib(&gateway).saturating_sub(before);
    println!("resident memory rose from {before} KiB by {more} KiB");
    assert!(more < ALLOWANCE_KIB, "{more} KiB more");
}

async fn download(gateway: &Gateway) -> usize {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!("GET /bytes?n={GIB} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1 << 18];
    let (mut head, mut total) = (Vec::new(), 0);
    let end = loop {
        let read = stream.read(&mut buffer).await.unwrap();
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    total += head.len() - end;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return total,
            read => total += read,
        }
    }
}

async fn upload(gateway: &Gateway) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!(
        "POST /sink HTTP/1.1\r\nHost: localhost\r\nContent-Length: {GIB}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..GIB / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The most that was resident at once since the start.
fn peak_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
