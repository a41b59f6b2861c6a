//! What an application answered on a journey, written down so that two journeys can be compared: all of it but what differs
//! between any two runs.

use crate::support::browser::Page;

/// The one field that the gateway adds on purpose: no page of the application asks for passkeys.
const OF_THE_GATEWAY: &str = "publickey-credentials-get=(), publickey-credentials-create=()";

/// Header lines that belong to one connection, or to the moment.
const OF_THE_MOMENT: [&str; 5] = ["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

/// From this length on, a run of letters and digits is a token.
const TOKEN: usize = 24;

/// The answers of a journey.
#[derive(Default)]
pub(crate) struct Transcript {
    steps: Vec<String>,
}

impl Transcript {
    /// Writes an answer down.
    pub(crate) fn note(&mut self, step: &str, page: &Page) {
        let mut lines: Vec<String> = page
            .headers
            .iter()
            .filter(|(name, value)| !OF_THE_MOMENT.contains(&name.as_str()) && *value != OF_THE_GATEWAY)
            .map(|(name, value)| match name.as_str() {
                "set-cookie" => format!("set-cookie: {}", cookie(&String::from_utf8_lossy(value.as_bytes()))),
                _ => format!("{name}: {}", constant(&String::from_utf8_lossy(value.as_bytes()))),
            })
            .collect();
        // Lines of one name keep their order; it counts for cookies.
        lines.sort_by_key(|line| line.split(':').next().map(ToOwned::to_owned));
        let chain = page.chain.iter().map(|url| constant(url.path())).collect::<Vec<_>>().join(" -> ");
        self.steps.push(format!(
            "== {step}\n{} {}, by way of [{chain}]\n{}\n\n{}",
            page.status,
            constant(page.target()),
            lines.join("\n"),
            constant(&page.text())
        ));
    }

    /// Insists that another journey was answered alike.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_eq!(self.steps.len(), other.steps.len());
        for (one, other) in self.steps.iter().zip(&other.steps) {
            let differing = one.lines().zip(other.lines()).find(|(one, other)| one != other);
            assert!(one == other, "differs at {differing:#?} in\n{one}\n\nand\n\n{other}");
        }
    }
}

/// A cookie's name and attributes; its value is of the moment.
fn cookie(line: &str) -> String {
    let (name, rest) = line.split_once('=').unwrap_or((line, ""));
    let attributes = rest.split_once(';').map_or("", |(_, attributes)| attributes);
    format!("{}=;{}", constant(name), constant(attributes))
}

/// Takes out what no two runs share: each number becomes `#`, each token `…`.
fn constant(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        kept.push_str(&constant_word(&rest[..end]));
        rest = &rest[end..];
    }
    kept + rest
}

fn constant_word(word: &str) -> String {
    let has_digits = word.bytes().any(|byte| byte.is_ascii_digit());
    if word.len() >= TOKEN {
        return "…".to_owned();
    }
    if is_age(word) {
        return "#".to_owned();
    }
    if !has_digits {
        return weekday_or_month(word).map_or_else(|| word.to_owned(), ToOwned::to_owned);
    }
    let mut kept = String::new();
    for letter in word.chars() {
        match letter {
            '0'..='9' if kept.ends_with('#') => {}
            '0'..='9' => kept.push('#'),
            _ => kept.push(letter),
        }
    }
    kept
}

/// How forums write that something has just happened: `now`, or so many seconds, minutes, hours or days ago.
fn is_age(word: &str) -> bool {
    let number = word.strip_suffix(['s', 'm', 'h', 'd']);
    word == "now"
        || number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Dates are written with names, which change at midnight.
fn weekday_or_month(word: &str) -> Option<&'static str> {
    const NAMES: [&str; 19] = [
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
        "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    NAMES.contains(&word).then_some("#")
}

#[test]
fn a_transcript_keeps_what_two_runs_share() {
    assert_eq!(
        constant("id=17&t=4c5dQ, Mon, 07 Dec 2026 07:08:09 GMT; localhost:40123"),
        "id=#&t=#c#dQ, #, # # # #:#:# GMT; localhost:#"
    );
    assert_eq!(constant("now 1s 12m 3h"), "# # # #");
    assert_eq!(constant("sectok=0123456789abcdef01234567 Über"), "sectok=… Über");
    assert_eq!(
        cookie("csrftoken=abc; Max-Age=31449600; Path=/; SameSite=Lax"),
        "csrftoken=; Max-Age=#; Path=/; SameSite=Lax"
    );
}
