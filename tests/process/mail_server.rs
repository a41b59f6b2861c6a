//! A mail server of the test's own (`tests/apps/smtp.py`): what it takes can be looked at.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use crate::site::Log;

/// The name the gateway signs in with there …
pub(crate) const USER: &str = "gateway";
/// … and the password.
pub(crate) const SMTP_PASSWORD: &str = "the mail server's canary";

/// A running mail server; ended when it is dropped.
pub(crate) struct MailServer {
    child: Child,
    log: Arc<Log>,
    pub(crate) port: u16,
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Mail(Value);

/// A certificate for `localhost`, and who has to be trusted for it.
pub(crate) struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |words: &str| {
            let mut command = Command::new("openssl");
            command.args(words.split(' ')).current_dir(folder.path()).stderr(Stdio::null());
            assert!(
                command.status().expect("openssl is installed by tests/setup.sh apps").success(),
                "{words}"
            );
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=test"));
        openssl(&format!(
            "req -x509 {key} -keyout key.pem -out certificate.pem -subj /CN=localhost -addext \
             subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key"
        ));
        Self { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What the variable SSL_CERT_FILE is to name.
    pub(crate) fn authority(&self) -> String {
        self.file("ca.pem")
    }
}

impl MailServer {
    /// Any port, no TLS, nobody signs in.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Any server that was there before, back again.
    pub(crate) fn again(port: u16) -> Self {
        Self::with(&["--port", &port.to_string()])
    }

    /// With TLS, `starttls` or `tls`, where one has to sign in as [`USER`].
    pub(crate) fn with_tls(tls: &str, certificate: &Certificate) -> Self {
        let (file, key) = (certificate.file("certificate.pem"), certificate.file("key.pem"));
        Self::with(&["--tls", tls, "--certificate", &file, "--key", &key, "--user", USER])
    }

    fn with(options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/venv/bin/python");
        assert!(python.exists(), "there is no {}; run tests/setup.sh apps", python.display());
        let mut command = Command::new(python);
        command.arg(root.join("tests/apps/smtp.py")).args(options).env("SMTP_PASSWORD", SMTP_PASSWORD);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        log.follow(child.stdout.take().unwrap());
        let port = log.wait(|line| serde_json::from_str::<Value>(line).ok()?["port"].as_u64());
        let port = port.expect("the mail server says where it listens").try_into().unwrap();
        Self { child, log, port }
    }

    /// The settings of a gateway that sends its mails here, without TLS.
    pub(crate) fn settings(&self) -> String {
        format!(
            "mail.host = \"127.0.0.1\"\nmail.port = {}\nmail.tls = \"none\"\nmail.from = \"forum@forum.example\"\n\
             pages.site_name = \"The Teapot Forum\"\n",
            self.port
        )
    }

    /// The settings of one that signs in here; the file with the password is made in `folder`.
    pub(crate) fn settings_with_tls(&self, tls: &str, folder: &Path, password: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let file: PathBuf = folder.join("smtp.password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "mail.host = \"localhost\"\nmail.port = {}\nmail.tls = \"{tls}\"\nmail.from = \"forum@forum.example\"\n\
             mail.user = \"{USER}\"\nmail.password_file = \"{}\"\npages.site_name = \"The Teapot Forum\"\n",
            self.port,
            file.display()
        )
    }

    /// The mails it has taken so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let lines = self.log.lines();
        let mails = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        mails.filter(|line| line["mail"].is_string()).map(Mail).collect()
    }

    /// Waits until a mail has come that fits.
    #[track_caller]
    pub(crate) fn mail(&self, what: &str, fits: impl Fn(&Mail) -> bool) -> Mail {
        let mail = self.log.wait(|line| {
            let mail = Mail(serde_json::from_str(line).ok().filter(|line: &Value| line["mail"].is_string())?);
            fits(&mail).then_some(mail)
        });
        mail.unwrap_or_else(|| panic!("no mail {what} among {:#?}", self.mails()))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mail {
    /// Something the server noted of it.
    pub(crate) fn noted(&self, what: &str) -> &Value {
        &self.0[what]
    }

    /// Who gets it.
    pub(crate) fn to(&self) -> &str {
        self.0["to"][0].as_str().unwrap()
    }

    /// As it came over the wire.
    pub(crate) fn source(&self) -> &str {
        self.0["mail"].as_str().unwrap()
    }

    /// A field of its header, unfolded; its encoded words (RFC 2047) stay as they are.
    pub(crate) fn field(&self, name: &str) -> String {
        let (head, _) = self.source().split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let field = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        field.unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
    }

    /// The text of both parts, quoted-printable taken back.
    pub(crate) fn text(&self) -> String {
        let (_, body) = self.source().split_once("\r\n\r\n").unwrap();
        let body = body.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = body.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.filter(|_| *first == b'=').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }
}
