//! What the forum says before anybody has posted, the page of 2 MB included.

use super::boards::{Board, Boards, Draft, PAGE};

/// The topic that is one page of 2 MB.
const LONG_TOPIC: u64 = 50;
const LONG_POSTS: usize = 500;
/// Paragraphs of a long post, which makes it a little over 4 KiB.
const LONG_REPEATS: usize = 26;

const PARAGRAPH: &str = "And then the tram turned the corner once more, past the bakery and the fountain, and \
    nobody on board could say how often it had done so. The driver rang the bell.\n";

/// The boards as they are at start.
pub(super) fn boards(now: u64) -> Boards {
    let mut boards = Boards::new(vec![
        Board { id: 1, name: "News", about: "What is new on this board." },
        Board { id: 2, name: "Trams & trains", about: "Everything on rails, steam & electric." },
        Board { id: 3, name: "Off topic", about: "Cats, cake, the weather." },
    ]);
    let mut minute = now.saturating_sub(3600);
    for (board, subject, author, text) in OPENERS {
        minute += 60;
        let _ = boards.open(board, subject.to_owned(), draft(author, text.to_owned(), minute));
    }
    for round in 0..PAGE + 3 {
        let author = if round % 2 == 0 { "bob" } else { "alice" };
        let text = format!("Hello, this is greeting number {}.", round + 1);
        let _ = boards.reply(1, draft(author, text, minute));
    }
    add_long_topic(&mut boards, minute);
    boards
}

const OPENERS: [(u64, &str, &str, &str); 4] = [
    (
        1,
        "Welcome to the sample forum",
        "alice",
        "Have a look round.\nThis forum is from 2008 and has never heard of passkeys.",
    ),
    (2, "Which line runs on Sundays?", "bob", "The timetable at the stop was torn off.\nDoes anybody know?"),
    (2, "Photos of <old> tickets & \"stamps\"", "alice", "I'll attach some when I find the scanner's cable."),
    (3, "Cake", "bob", "Apple or plum?"),
];

fn add_long_topic(boards: &mut Boards, minute: u64) {
    let subject = "The never-ending story (one page of 2 MB)".to_owned();
    let text = PARAGRAPH.repeat(LONG_REPEATS);
    let opener = draft("bob", text.clone(), minute);
    let _ = boards.open_as(LONG_TOPIC, 3, subject, usize::MAX, opener);
    for _ in 1..LONG_POSTS {
        let _ = boards.reply(LONG_TOPIC, draft("bob", text.clone(), minute));
    }
}

fn draft(author: &str, text: String, written_at: u64) -> Draft {
    Draft { author: author.to_owned(), text, written_at, attachments: Vec::new() }
}
