//! The PROXY protocol, versions 1 and 2 (haproxy's `proxy-protocol.txt`): a line, or a few bytes, before everything else on a connection,
//! by which a load balancer that does not read HTTP says who the client is.
//!
//! SECURITY: HDR-06, THR-05. It is read from our own proxies alone; whoever else sends one has begun a request that is none. Exactly the header
//! is taken off the connection, so what follows is the client's to the byte.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a proxy may take for it; it has it at hand.
const LIMIT: Duration = Duration::from_secs(5);
/// What version 2 begins with, and as many bytes as version 1 has at least.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included (§2.1).
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is read: addresses, and room for what else a proxy may tell, which is read over.
const LONGEST_BINARY: usize = 1024;

/// The client that the header at the beginning of `stream` names; none if the proxy speaks for itself, as when it looks whether we are there.
///
/// # Errors
/// If there is no such header in time, or it is not as it should be. Nothing that comes after may be read then.
pub(super) async fn client(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let header = tokio::time::timeout(LIMIT, header(stream))
        .await
        .map_err(|_| refused("it did not come in time"))??;
    match HeaderResult::parse(&header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Unknown => None,
            v1::Addresses::Tcp4(tcp) => Some((IpAddr::V4(tcp.source_address), tcp.source_port).into()),
            v1::Addresses::Tcp6(tcp) => Some((IpAddr::V6(tcp.source_address), tcp.source_port).into()),
        }),
        HeaderResult::V2(Ok(header)) if header.command == v2::Command::Local => Ok(None),
        HeaderResult::V2(Ok(header)) => Ok(match header.addresses {
            v2::Addresses::IPv4(ip) => Some((IpAddr::V4(ip.source_address), ip.source_port).into()),
            v2::Addresses::IPv6(ip) => Some((IpAddr::V6(ip.source_address), ip.source_port).into()),
            v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
        }),
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(refused("it is not as it should be")),
    }
}

/// The bytes of the header, and no more of the stream.
async fn header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        header.extend(rest);
        let known = header.len();
        if known + length > LONGEST_BINARY {
            return Err(refused("it is too long"));
        }
        header.resize(known + length, 0);
        stream.read_exact(&mut header[known..]).await?;
        return Ok(header);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(refused("there is none"));
    }
    while !header.ends_with(b"\r\n") {
        if header.len() == LONGEST_LINE {
            return Err(refused("it is too long"));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(header)
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the PROXY header is not read: {why}"))
}

#[cfg(test)]
mod tests {
    use ppp::PartialResult;
    use proptest::prelude::*;

    use super::*;

    /// The client, and what of the bytes is left.
    async fn read(bytes: &[u8]) -> io::Result<(Option<SocketAddr>, Vec<u8>)> {
        let mut stream = bytes;
        let client = client(&mut stream).await?;
        Ok((client, stream.to_vec()))
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[0x20 | command, family][..], &length, rest].concat()
    }

    #[tokio::test]
    async fn hdr_06_the_client_is_told_and_what_follows_is_left() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
        let with_more = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let six =
            [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &[0x30, 0x39, 0, 80]]
                .concat();
        for (header, client) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(), Some("192.0.2.7:12345")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 80\r\n".to_vec(), Some("[2001:db8::1]:12345")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (binary(1, 0x11, &four), Some("192.0.2.7:12345")),
            (binary(1, 0x11, &with_more), Some("192.0.2.7:12345")),
            (binary(1, 0x21, &six), Some("[2001:db8::1]:12345")),
            (binary(0, 0x00, &[]), None),
            (binary(0, 0x11, &four), None),
        ] {
            let all = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            let (found, rest) = read(&all).await.unwrap();
            assert_eq!(found, client.map(|client| client.parse().unwrap()), "{header:?}");
            assert_eq!(rest, b"GET / HTTP/1.1\r\n", "{header:?}");
        }
    }

    #[tokio::test]
    async fn hdr_06_what_is_no_such_header_ends_the_connection() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE));
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: f\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7".to_vec(),
            b"PROXY TCP4 192.0.2.777 10.0.0.1 12345 80\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 10.0.0.1 12345 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 123456 80\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(),
            long.into_bytes(),
            binary(1, 0x11, &[192, 0, 2, 7]),
            binary(7, 0x11, &[0; 12]),
            binary(1, 0x11, &[0; LONGEST_BINARY]),
            binary(1, 0x11, &[0; 12])[..20].to_vec(),
        ] {
            assert!(read(&bytes).await.is_err(), "{bytes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn hdr_06_a_header_that_does_not_come_is_not_waited_for() {
        let (_far, mut near) = tokio::io::duplex(64);
        assert!(client(&mut near).await.is_err());
    }

    proptest! {
        #[test]
        fn hdr_06_no_bytes_make_it_panic_or_take_more_than_the_header(
            head in prop::sample::select(vec![&b"PROXY "[..], SIGNATURE, b""]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let all = [head, &rest].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            if let Ok((_, left)) = runtime.block_on(read(&all)) {
                let taken = all.len() - left.len();
                prop_assert!(HeaderResult::parse(&all[..taken]).is_complete());
            }
        }
    }
}
