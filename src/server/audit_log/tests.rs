//! The chain, written and read (OPS-11).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

use super::chain::{files, head};
use super::*;

/// Writes so many events as a gateway would, from its start to its end.
fn write(folder: &Path, events: std::ops::Range<u64>) {
    let (layer, writer) = AuditWriter::start(folder.to_owned()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.filtered()), || {
        for number in events {
            tracing::info!(target: "passgate::audit", event = "signed-in", number, member = %"a\u{1b}[31m\n\"b\"", none = None::<u64>);
            tracing::info!(target: "passgate::access", "not of this log");
        }
    });
    drop(writer);
}

#[test]
fn no_event_is_made_for_this_log_that_it_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let (layer, _writer) = AuditWriter::start(folder.path().to_owned()).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer.filtered());
    assert_eq!(subscriber.max_level_hint(), Some(tracing::level_filters::LevelFilter::INFO));
}

fn lines(folder: &Path) -> Result<(Vec<AuditLine>, Chain), String> {
    let mut lines = Vec::new();
    let chain = read_chain(folder, &mut |line| lines.push(line)).map_err(|broken| broken.to_string())?;
    Ok((lines, chain))
}

#[test]
fn ops_11_events_are_numbered_on_from_run_to_run_and_only_their_owner_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("audit");
    write(&folder, 0..700);
    write(&folder, 700..703);
    let (lines, chain) = lines(&folder).unwrap();
    assert_eq!((chain.first, chain.lines, lines.len()), (1, 703, 703));
    for (index, line) in lines.iter().enumerate() {
        assert_eq!((line.n, line.fields["number"].as_u64()), (index as u64 + 1, Some(index as u64)));
        assert_eq!(line.fields["member"], "a\u{1b}[31m\n\"b\"", "OPS-01: one line, whatever is in it");
        assert!(line.fields.len() == 3 && line.time.ends_with('Z'));
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&folder), mode(&files(&folder).unwrap()[0]), mode(&head(&folder))),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn ops_11_a_line_that_was_changed_taken_out_added_or_cut_off_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, 0..20);
    let path = files(folder).unwrap().remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    let with = |text: String| {
        fs::write(&path, text).unwrap();
        lines(folder).map(drop)
    };
    let split: Vec<_> = whole.split_inclusive('\n').collect();
    for index in 0..split.len() {
        let changed = split[index].replacen("\"number\":", "\"number\":9", 1);
        let around = |middle: &str| [&split[..index].concat(), middle, &split[index + 1..].concat()].concat();
        assert!(with(around(&changed)).is_err(), "line {index} changed");
        // The first may go, as old files may; where it begins is told.
        let without = with(around("")).map(|()| lines(folder).unwrap().1.first);
        assert!(if index == 0 { without == Ok(2) } else { without.is_err() }, "line {index} taken out");
        assert!(with(around(&split[index].repeat(2))).is_err(), "line {index} twice");
        let cut = with(split[..index].concat());
        assert_eq!(cut, Err(format!("the last {} lines are missing", split.len() - index)));
    }
    assert_eq!(with(whole.clone()), Ok(()));
    assert_eq!(with(format!("{whole}{{\"n\":21,")), Ok(()), "one that is being written");
    fs::remove_file(head(folder)).unwrap();
    assert!(with(whole).unwrap_err().contains("missing or damaged"));
}

#[test]
fn ops_11_going_on_hides_no_gap_and_a_line_that_was_broken_off_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, 0..5);
    let path = files(folder).unwrap().remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"n\":6,\"ti")).unwrap();
    write(folder, 5..6);
    assert_eq!(lines(folder).unwrap().1.lines, 6);

    let whole = fs::read_to_string(&path).unwrap();
    let cut = whole.split_inclusive('\n').take(4).collect::<String>();
    fs::write(&path, cut).unwrap();
    write(folder, 6..7);
    assert!(lines(folder).unwrap_err().contains("line 5: lines before it are missing"));
}

#[test]
fn ops_11_a_folder_that_can_not_be_written_stops_nobody_and_what_is_lost_is_counted() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("audit");
    // A file where the folder should be: root can write into any folder.
    fs::write(&folder, "in the way").unwrap();
    let (layer, writer) = AuditWriter::start(folder.clone()).unwrap();
    let lost = std::sync::Arc::clone(&layer.lost);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.filtered()), || {
        let event = || tracing::info!(target: "passgate::audit", event = "signed-in");
        (0..3).for_each(|_| event());
        while lost.load(std::sync::atomic::Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        fs::remove_file(&folder).unwrap();
        event();
    });
    drop(writer);
    let (lines, _) = lines(&folder).unwrap();
    let told: Vec<_> = lines.iter().map(|line| (&line.fields["event"], line.fields.get("count"))).collect();
    assert_eq!(told, [(&"events-lost".into(), Some(&3.into())), (&"signed-in".into(), None)]);
}

#[test]
fn each_month_has_a_file_and_old_ones_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, 0..3);
    let path = files(folder).unwrap().remove(0);
    fs::rename(&path, folder.join("audit-2001-01.jsonl")).unwrap();
    write(folder, 3..5);
    assert_eq!(files(folder).unwrap(), [folder.join("audit-2001-01.jsonl"), path]);
    assert_eq!(lines(folder).unwrap().1.lines, 5);
    fs::remove_file(folder.join("audit-2001-01.jsonl")).unwrap();
    let (_, chain) = lines(folder).unwrap();
    assert_eq!((chain.first, chain.lines), (4, 2));
}
