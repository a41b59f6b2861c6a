use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::domain::SystemClock;
use crate::sample::SampleForum;

/// As where `localhost` means `::1` first and the application listens on `127.0.0.1` alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_on_the_second_address_of_its_name_is_found() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"http://localhost:1\"\nadmin_listen = \"\"\n\
         [upstream]\nurl = \"http://{}\"\n[store]\nbackend = \"memory\"\n[access]\ndefault = \"guest\"\n",
        forum.address()
    );
    let config = Config::from_toml_str(&text).unwrap();
    for line in ["GET / HTTP/1.1", "POST /echo HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2"] {
        let services = Services::open(&config, Arc::new(SystemClock)).unwrap();
        let running = Running::start(&config, services, Sockets::bind(&config).unwrap()).await.unwrap();
        let upstreams = Arc::clone(&running.gateway.rules().upstreams);
        upstreams.all().next().unwrap().found(vec![nobody, forum.address()]);
        let body = if line.starts_with("POST") { "hi" } else { "" };
        let mut client = TcpStream::connect(running.addresses[0]).await.unwrap();
        let request = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n{body}");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(upstreams.readiness().await, (true, Vec::new()));
    }
}
