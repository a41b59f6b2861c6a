//! Certificates from an authority that nobody here wrote: pebble, the test server of Let's Encrypt, which checks every signature
//! and nonce and really looks whether the names are ours. The gateway is the built program.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::program::{free_port, root};
use crate::site::{Gateway, Log, Site};
use crate::support::raw::RawClient;
use crate::support::tls::{Authority, Holds};
use crate::support::upstream::{Act, Recorder};

/// A program that ends with the test.
struct Leashed(Child);

impl Leashed {
    /// Starts it, and waits until it says that it is ready.
    fn start(command: &[&str], ready: &str) -> Self {
        let mut leash = Command::new(root().join("tests/apps/leash.sh"));
        leash.args(command).env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        leash
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = leash.spawn().unwrap();
        let log = Arc::new(Log::default());
        log.follow(child.stdout.take().unwrap());
        let is_ready = log.wait(|line| line.contains(ready).then_some(()));
        assert!(
            is_ready.is_some(),
            "{command:?} is not ready (run tests/setup.sh apps):\n{}",
            log.lines().join("\n")
        );
        Self(child)
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// pebble, a name server for it that knows one address for all names, and a site to which that leads.
struct Pebble {
    site: Site,
    folder: tempfile::TempDir,
    authority: Authority,
    management: u16,
    plain: u16,
    tls: u16,
    directory: String,
    _programs: [Leashed; 2],
}

impl Pebble {
    fn start(upstream: SocketAddr, more: &Value) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        authority.issue(&["localhost"], Holds::ForLong, folder.path(), "pebble");
        authority.write(&folder.path().join("ca.pem"));
        let [listen, management, dns, names, plain, tls] = [(); 6].map(|()| free_port());
        let mut pebble = json!({
            "listenAddress": format!("127.0.0.1:{listen}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("pebble.pem"),
            "privateKey": folder.path().join("pebble.key"),
            "httpPort": plain,
            "tlsPort": tls,
        });
        pebble.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let file = folder.path().join("pebble.json");
        fs::write(&file, json!({ "pebble": pebble }).to_string()).unwrap();
        let dns = format!("127.0.0.1:{dns}");
        let names = format!("127.0.0.1:{names}");
        let name_server = [
            "pebble-challtestsrv",
            "-dns01",
            &dns,
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
            &names,
            "-defaultIPv6",
            "",
        ];
        let programs = [
            Leashed::start(&name_server, "Starting management server"),
            Leashed::start(
                &["pebble", "-config", file.to_str().unwrap(), "-dnsserver", &dns],
                "ACME directory available",
            ),
        ];
        let directory = format!("https://localhost:{listen}/dir");
        let site = Site::before(upstream, "");
        Self { site, folder, authority, management, plain, tls, directory, _programs: programs }
    }

    /// The gateway, with lines below `[tls.acme]`.
    fn serve(&self, upstream: SocketAddr, acme: &str) -> Gateway {
        let Self { plain, tls, directory, .. } = self;
        let ca_file = self.folder.path().join("ca.pem");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{plain}\"\npublic_url = \"https://forum.example\"\naliases = \"www.forum.example\"\n\
             admin_listen = \"127.0.0.1:0\"\n[upstream]\nurl = \"http://{upstream}\"\n[access]\ndefault = \"guest\"\n\
             [log]\nlevel = \"trace\"\n[tls]\nlisten = \"127.0.0.1:{tls}\"\nredirect = true\n[tls.acme]\nenabled = true\n\
             terms_agreed = true\ncontact = \"admin@forum.example\"\nnames = [\"forum.example\", \"www.forum.example\"]\n\
             directory = \"{directory}\"\nca_file = {ca_file:?}\n{acme}\n"
        );
        fs::write(self.site.file(), text).unwrap();
        self.site.serve()
    }

    /// The certificate by which those who trust this authority know what it has signed.
    async fn write_root(&self, file: &Path) {
        let management = SocketAddr::from(([127, 0, 0, 1], self.management));
        let client = self.authority.client().offering(&["http/1.1"]);
        let mut client = RawClient::over(client.connect(management, Some("localhost")).await.unwrap());
        let reply = client.exchange("GET /roots/0 HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        fs::write(file, reply.text()).unwrap();
    }
}

async fn forum() -> Recorder {
    Recorder::always([Act::ok("the forum")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_03_pebble_gives_a_certificate_by_either_challenge_and_no_key_is_in_any_log() {
    let upstream = forum().await;
    for kind in ["tls-alpn-01", "http-01"] {
        let pebble = Pebble::start(upstream.address(), &json!({}));
        let mut gateway = pebble.serve(upstream.address(), &format!("challenges = \"{kind}\""));
        let issued = gateway.event("of a certificate", |event| event["event"] == "certificate-issued");
        assert_eq!(issued["names"], "forum.example, www.forum.example");
        let root = pebble.folder.path().join("root.pem");
        pebble.write_root(&root).await;
        for name in ["forum.example", "www.forum.example"] {
            let mut openssl = Command::new("openssl");
            openssl.args([
                "s_client",
                "-brief",
                "-verify_return_error",
                "-connect",
                &format!("127.0.0.1:{}", pebble.tls),
            ]);
            openssl.args(["-servername", name, "-verify_hostname", name, "-CAfile"]).arg(&root);
            let seen = openssl.stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&seen.stderr).into_owned();
            assert!(seen.status.success() && said.contains("Verification: OK"), "{kind} {name}: {said}");
        }
        let checked = pebble.site.run(&["check"]);
        checked.assert_code(0);
        assert!(checked.out.contains("forum.example, www.forum.example; until "), "{}", checked.out);
        gateway.stop();
        no_key_is_logged(&pebble.site, &gateway.last_lines().join("\n"));
    }
}

/// SECURITY: OPS-03. Neither the account's key nor the certificate's, at any level.
fn no_key_is_logged(site: &Site, log: &str) {
    assert!(log.contains("certificate-issued"), "{log}");
    let folder = site.data_dir().join("acme");
    let mut secrets = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        if let Ok(Value::Object(kept)) = serde_json::from_str(&text)
            && let Some(key) = kept.get("credentials").and_then(|it| it["key_pkcs8"].as_str())
        {
            secrets.push(key.to_owned());
        }
        let key =
            text.split("-----BEGIN PRIVATE KEY-----").nth(1).and_then(|rest| rest.split("-----END").next());
        secrets
            .extend(key.into_iter().flat_map(str::lines).filter(|line| line.len() > 20).map(str::to_owned));
    }
    assert!(secrets.len() >= 3, "both keys were found");
    let audit: String = fs::read_dir(site.data_dir().join("audit"))
        .into_iter()
        .flatten()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .collect();
    assert!(audit.contains("certificate-issued"));
    for secret in secrets {
        assert!(!log.contains(&secret) && !audit.contains(&secret), "a key is in a log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_made_elsewhere_is_asked_for_and_shown() {
    let upstream = forum().await;
    let keys = json!({ "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" });
    let more = json!({ "externalAccountBindingRequired": true, "externalAccountMACKeys": keys });
    let pebble = Pebble::start(upstream.address(), &more);
    let mut gateway = pebble.serve(upstream.address(), "");
    let failed = gateway.event("of a failure", |event| event["event"] == "certificate-failed");
    assert!(failed["why"].as_str().unwrap().contains("externalAccountRequired"), "{failed}");
    gateway.stop();
    let checked = pebble.site.run(&["check"]);
    checked.assert_code(0).assert_says("at the last try no certificate came");
    let key = pebble.folder.path().join("external");
    fs::write(&key, format!("{}\n", keys["kid-1"].as_str().unwrap())).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let gateway = pebble.serve(
        upstream.address(),
        &format!("external_account = \"kid-1\"\nexternal_account_key_file = {key:?}"),
    );
    // It is asked at once, as it is for something else than before.
    gateway.event("of a certificate", |event| event["event"] == "certificate-issued");
}
