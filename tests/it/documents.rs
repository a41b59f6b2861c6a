//! What the documents promise to be tested is: each test they name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder, without what package managers put there.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found
}

/// Names of the tests in a Rust file.
fn tests_in_rust(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        if let Some((name, _)) = function.and_then(|rest| rest.split_once('(')) {
            names.extend(is_test.then(|| name.to_owned()));
            is_test = false;
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
    }
    names
}

/// Names of the tests in a script of the browser tests.
fn tests_in_script(text: &str) -> Vec<String> {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("test(\"")?.split_once("\", "));
    named.map(|(name, _)| name.to_owned()).collect()
}

fn all_tests() -> BTreeSet<String> {
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let rust = [files(&root().join("src"), "rs"), files(&root().join("tests"), "rs")].concat();
    let scripts = files(&root().join("tests/browser"), "mjs");
    let rust = rust.iter().flat_map(|path| tests_in_rust(&read(path)));
    rust.chain(scripts.iter().flat_map(|path| tests_in_script(&read(path)))).collect()
}

/// The rows of a document's tables as id, meaning and proof.
fn rows(text: &str) -> Vec<[&str; 3]> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = lines.map(|line| line.split(" | ").collect::<Vec<_>>().try_into().expect(line));
    rows.filter(|[id, ..]: &[&str; 3]| *id != "Id").collect()
}

#[test]
fn every_row_on_passkeys_names_tests_that_exist_or_says_why_there_is_none() {
    let text = fs::read_to_string(root().join("docs/passkeys.md")).unwrap();
    let (rows, tests) = (rows(&text), all_tests());
    let mut ids = BTreeSet::new();
    for id in rows.iter().flat_map(|[id, ..]| id.split(", ")) {
        assert!(ids.insert(id), "{id} has two rows");
    }
    assert!(ids.len() >= 190, "{} ids", ids.len());
    for [id, meaning, proof] in rows {
        let named: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        for name in &named {
            assert!(tests.contains(*name), "{id}: there is no test `{name}`");
        }
        let reasons = ["Not yet: ", "No test: ", "Not here: "];
        let is_told = reasons.iter().any(|reason| proof.contains(reason));
        assert!(!named.is_empty() || is_told, "{id} has neither a test nor a reason: {proof}");
        assert!(!meaning.is_empty(), "{id}");
    }
}

#[test]
fn every_row_on_security_names_tests_that_exist_or_says_why_there_is_none() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let tests = all_tests();
    let rows =
        rows(&text).into_iter().filter(|[id, ..]| id.starts_with(|first: char| first.is_ascii_digit()));
    let mut count = 0;
    for [id, _, proof] in rows {
        count += 1;
        if proof.starts_with("– ") {
            continue;
        }
        let named: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        for part in &named {
            let is_part = |name: &&String| format!("_{name}_").contains(&format!("_{part}_"));
            assert!(tests.iter().any(|name| is_part(&name)), "{id}: no test has `{part}` in its name");
        }
        assert!(!named.is_empty(), "{id} has neither a test nor a reason: {proof}");
    }
    assert!(count >= 60, "{count} rows");
}

#[test]
fn every_test_that_the_document_on_the_store_names_exists() {
    let text = fs::read_to_string(root().join("docs/store.md")).unwrap();
    let promised = text.split("\n## ").find(|part| part.starts_with("What is promised")).unwrap();
    let (mut rows, tests) = (rows(promised), all_tests());
    rows.retain(|[event, ..]| *event != "What happens");
    for [event, _, proof] in &rows {
        let mut named = proof.split('`').skip(1).step_by(2).peekable();
        assert!(named.peek().is_some(), "{event} has no test");
        for name in named {
            assert!(tests.contains(name), "{event}: there is no test `{name}`");
        }
    }
    assert!(rows.len() >= 9, "{} rows", rows.len());
}

#[test]
fn tests_are_found_in_rust_and_in_scripts() {
    let rust = "#[test]\nfn one() {}\nfn no_test() {}\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}";
    assert_eq!(tests_in_rust(rust), ["one", "two"]);
    let script = "test(\"A-1: a, b\", async () => {\n  test(\"c\", () => {});\n});\nconst test = 1;";
    assert_eq!(tests_in_script(script), ["A-1: a, b", "c"]);
}
