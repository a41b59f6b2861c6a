//! Whether real servers understand alike what is forwarded (SECURITY: H1-18); `understood.py` has the requests and the servers.

use std::process::{Command, Stdio};

use crate::program::root;
use crate::site::PROGRAM;

#[test]
fn h1_18_real_servers_understand_alike_what_is_forwarded() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Command::new(root().join("target/venv/bin/python"))
        .arg(root().join("tests/apps/understood.py"))
        .args([PROGRAM.as_ref(), folder.path().as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It ends, with all servers, when this does.
    let _open = run.stdin.take();
    let output = run.wait_with_output().unwrap();
    let [said, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{said}\n{errors}");
    println!("{said}");
}
