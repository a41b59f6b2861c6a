//! Every command line in the documents and in the configuration's comments is run as it stands there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::site::{Gateway, PROGRAM, Site, finish};

/// Blocks of a language in a document, without the blanks they are set in by.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside: Option<bool> = None;
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("```"), inside) {
            (Some(word), None) => {
                inside = Some(word == language);
                found.extend((word == language).then(String::new));
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => {
                if let Some(block) = found.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    found
}

/// The command lines of a text, without the program's name: in blocks, and between backticks.
fn commands(text: &str) -> BTreeSet<Vec<String>> {
    let outside: String = text.split("```").step_by(2).collect();
    let spans = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let lines =
        blocks(text, "").into_iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    let all = spans.into_iter().chain(lines);
    all.filter_map(|line| {
        let line = line.split(" #").next().unwrap_or_default();
        let rest = line.strip_prefix("target/release/").unwrap_or(line).strip_prefix("passgate ")?;
        Some(rest.split_whitespace().map(str::to_owned).collect())
    })
    .collect()
}

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// All documents and configurations that operators read.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for folder in [root.to_owned(), root.join("config")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md" || extension == "toml") {
                names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_documents_works_with_the_readmes_configuration() {
    let readme = text("README.md");
    let here = Site::before(([127, 0, 0, 1], 9).into(), "");
    // Exactly what the README says, in its order; only the ports are the system's choice, from the environment.
    fs::write(here.file(), blocks(&readme, "toml").join("\n")).unwrap();
    let program = |arguments: &[String]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        let mut command = here.prepared(command);
        command
            .env("PASSGATE_SERVER__LISTEN", "127.0.0.1:0")
            .env("PASSGATE_SERVER__ADMIN_LISTEN", "127.0.0.1:0");
        command
    };
    let in_readme = commands(&readme);
    assert!(in_readme.len() >= 4, "{in_readme:?}");
    let (to_run, to_name): (Vec<_>, Vec<_>) =
        documents().into_iter().partition(|name| name == "README.md" || name.ends_with(".toml"));
    let all = to_run.iter().flat_map(|name| commands(&text(name)));
    let (serving, others): (BTreeSet<_>, BTreeSet<_>) = all.partition(|arguments| arguments[0] == "serve");
    for arguments in &others {
        println!("passgate {}", arguments.join(" "));
        finish(program(arguments), "").assert_code(0);
    }
    // The other documents speak of commands without showing how to type them.
    for mut arguments in to_name.iter().flat_map(|name| commands(&text(name))) {
        arguments.push("--help".to_owned());
        println!("passgate {}", arguments.join(" "));
        finish(program(&arguments), "").assert_code(0);
    }
    assert!(!serving.is_empty(), "the README says how to serve");
    for arguments in &serving {
        println!("passgate {}", arguments.join(" "));
        let mut gateway = Gateway::start(program(arguments));
        assert_eq!(gateway.stop(), Some(0));
    }
}

#[test]
fn commands_are_found_in_blocks_and_between_backticks() {
    let text = "a `passgate check` b `passgate` c\n\n```\npassgate user add x  # note\nmake\n```\n`passgate serve\n--config y` ```toml\nkey = 1\n```";
    let found: Vec<_> = commands(text).into_iter().map(|words| words.join(" ")).collect();
    assert_eq!(found, ["check", "serve --config y", "user add x"]);
}
