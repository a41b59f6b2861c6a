//! Servers that are asked how they are, and what follows from their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};

use tokio::task::JoinSet;

use super::{admin, application, gateway, get, request, urls};
use crate::support::gateway::Gateway;
use crate::support::raw::exchange;
use crate::support::soon;
use crate::support::upstream::{Act, Recorder};

const CHECK: &str = "[upstream.check]\npath = \"/health?full=1\"\ninterval = \"1s\"\nstatus = 204\nhost = \"check.internal\"\n";

/// An application whose check has this status, and that else says its name.
async fn checked(name: &'static str, status: &Arc<AtomicU16>) -> Recorder {
    let status = Arc::clone(status);
    Recorder::on_request(move |heard| match heard.head.start_line().contains("/health?full=1 ") {
        true => {
            vec![Act::Send(format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", status.load(SeqCst)).into())]
        }
        false => vec![Act::ok(name)],
    })
    .await
}

/// Waits until so many servers are up.
async fn until_up(gateway: &Gateway, count: usize) {
    soon("the checks", async {
        loop {
            let metrics = admin(gateway, "/metrics").await.1;
            let up = metrics
                .lines()
                .filter(|line| line.starts_with("passgate_upstream_up{") && line.ends_with(" 1"));
            if up.count() == count {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_check_fails_gets_no_requests_until_it_works_again() {
    let statuses = [Arc::new(AtomicU16::new(204)), Arc::new(AtomicU16::new(204))];
    let servers = [checked("a", &statuses[0]).await, checked("b", &statuses[1]).await];
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    std::fs::write(&proof, "between the two of us\n").unwrap();
    std::fs::set_permissions(&proof, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let rest = format!("{CHECK}[identity]\nsecret_file = {proof:?}\n");
    let gateway = gateway(&urls(&servers.each_ref()), &rest).await;
    let answers = async |count: usize| {
        let mut answers = Vec::new();
        for _ in 0..count {
            answers.push(get(&gateway, "/").await);
        }
        answers.sort();
        answers.dedup();
        answers
    };
    assert_eq!(answers(4).await, ["a", "b"]);
    statuses[0].store(500, SeqCst);
    until_up(&gateway, 1).await;
    assert_eq!(answers(6).await, ["b"]);
    let (status, words) = admin(&gateway, "/ready").await;
    assert!(status == 200 && words.contains("can't be reached"), "{words}");
    statuses[1].store(503, SeqCst);
    until_up(&gateway, 0).await;
    assert!(get(&gateway, "/").await.contains("having a break"));
    assert_eq!(admin(&gateway, "/ready").await.0, 503);
    statuses[0].store(204, SeqCst);
    until_up(&gateway, 1).await;
    assert_eq!(answers(6).await, ["a"]);

    let is_check = |head: &&crate::support::wire::Head| head.start_line() == "GET /health?full=1 HTTP/1.1";
    let heads = servers[1].request_heads();
    let check = heads.iter().find(is_check).unwrap();
    assert_eq!(check.value("host").unwrap(), "check.internal");
    assert_eq!(check.value("x-gateway-secret").unwrap(), "between the two of us");
    assert!(check.value("user-agent").unwrap().starts_with("passgate/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_gets_requests_again_when_it_is_back() {
    let stays = application("stays").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let lines = format!("url = [\"http://{address}\", \"http://{}\"]", stays.address());
    let gateway = gateway(&lines, "").await;
    for _ in 0..4 {
        assert_eq!(get(&gateway, "/").await, "stays");
    }
    until_up(&gateway, 1).await;
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let back = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nback";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
        }
    });
    soon("it to be found", async { while get(&gateway, "/").await != "back" {} }).await;
    until_up(&gateway, 2).await;
    back.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_a_server_that_answers_nobody_in_time_gets_no_turns_any_more() {
    let works = application("works").await;
    for sends in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"] {
        let hangs = Recorder::always([Act::Send(sends.to_vec()), Act::Silence]).await;
        let lines = format!("{}\nread_timeout = \"200ms\"", urls(&[&hangs, &works]));
        let gateway = gateway(&lines, "").await;
        for _ in 0..3 {
            // Many wait at once, so no answer comes between the ends of those that have begun.
            let asked = request("GET /", &gateway.host(), "");
            let asking: JoinSet<_> = (0..10).map(|_| exchange(gateway.address, asked.clone())).collect();
            asking.join_all().await;
        }
        let turns = hangs.request_heads().len();
        if sends.is_empty() {
            // Five, and one each time that its pause is over.
            assert!((5..=9).contains(&turns), "{turns} of 30");
        } else {
            assert_eq!(turns, 15, "what says nothing for long in the middle has answered");
            until_up(&gateway, 2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_one_page_that_takes_too_long_takes_no_server_away() {
    let script = |heard: &crate::support::upstream::Heard| match heard.head.start_line().contains("/report") {
        true => vec![Act::Silence],
        false => vec![Act::ok("page")],
    };
    let (one, other) = (Recorder::on_request(script).await, Recorder::on_request(script).await);
    let lines = format!("{}\nread_timeout = \"100ms\"", urls(&[&one, &other]));
    let gateway = gateway(&lines, "").await;
    for _ in 0..12 {
        assert!(get(&gateway, "/report").await.contains("taking"), "each server had it six times");
        assert_eq!([get(&gateway, "/").await, get(&gateway, "/").await], ["page", "page"]);
    }
    until_up(&gateway, 2).await;
}
