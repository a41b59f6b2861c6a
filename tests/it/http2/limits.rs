//! H2-07: what the gateway says it takes of HTTP/2, and that it takes no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Secure, Wanted, request, status};
use crate::support::http2::kind::{DATA, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE};
use crate::support::http2::{block, flag, frame};
use crate::support::upstream::{Act, Recorder};

const WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const FLOW_CONTROL_ERROR: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_the_limits_are_said_as_they_are_documented() {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let mut client = site.frames().await;
    client.begin().await;
    let (mut settings, mut window) = (None, None);
    while settings.is_none() || window.is_none() {
        let (kind, flags, stream, payload) = client.next().await.expect("the connection goes on");
        match kind {
            SETTINGS if flags & flag::ACK == 0 => {
                let said = payload.chunks(6).map(|setting| {
                    let (id, value) = setting.split_at(2);
                    (
                        u16::from_be_bytes(id.try_into().unwrap()),
                        u32::from_be_bytes(value.try_into().unwrap()),
                    )
                });
                settings = Some(said.collect::<BTreeMap<_, _>>());
            }
            WINDOW_UPDATE if stream == 0 => window = Some(u32::from_be_bytes(payload.try_into().unwrap())),
            _ => {}
        }
    }
    // RFC 9113 §6.5.2: streams, window, fields; frames stay at 16 KiB, which is what is meant by silence. RFC 8441 §3: no tunnels.
    let settings = settings.unwrap();
    assert_eq!(
        (settings.get(&3), settings.get(&4), settings.get(&6)),
        (Some(&100), Some(&WINDOW), Some(&32_768))
    );
    assert!(settings.get(&5).is_none_or(|size| *size == 16_384), "{settings:?}");
    assert!(settings.get(&8).is_none_or(|tunnels| *tunnels == 0), "{settings:?}");
    assert_eq!(window, Some(CONNECTION_WINDOW - 65_535));
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_more_of_bodies_than_the_windows_allow_is_not_taken() {
    let never = Arc::new(Notify::new());
    let upstream = Recorder::on_head(move |_| vec![Act::Await(Arc::clone(&never))]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "localhost")];
    let piece = vec![0; 16_384];
    for streams in [1, 5] {
        let mut client = site.frames().await;
        client.begin().await;
        // Until then, less is meant.
        while client.next().await.expect("the connection goes on").0 != SETTINGS {}
        client.send(&frame(SETTINGS, flag::ACK, 0, &[])).await;
        for stream in 0..streams {
            client.send(&frame(HEADERS, flag::END_HEADERS, 2 * stream + 1, &block(&fields))).await;
        }
        // Sockets on the way to the application take some megabytes, and then nobody reads.
        for _ in 0..64 * 1024 * 1024 / piece.len() / streams as usize {
            let round: Vec<u8> =
                (0..streams).flat_map(|stream| frame(DATA, flag::NONE, 2 * stream + 1, &piece)).collect();
            if !client.send(&round).await {
                break;
            }
        }
        // The connection may be broken off behind it, or with it.
        let mut codes = Vec::new();
        while let Some((kind, _, _, payload)) = client.next().await {
            let code = match kind {
                RST_STREAM => &payload[..4],
                GOAWAY => &payload[4..8],
                _ => continue,
            };
            codes.push(u32::from_be_bytes(code.try_into().unwrap()));
            if codes.contains(&FLOW_CONTROL_ERROR) {
                break;
            }
        }
        assert!(codes.is_empty() || codes.contains(&FLOW_CONTROL_ERROR), "{streams}: {codes:?}");
    }
    let client = site.http2("localhost").await;
    drop(upstream);
    let asked = request(&site, "GET", "/.passgate/login").body(()).unwrap();
    assert_eq!(status(&client, asked).await, 200, "others are served");
}
