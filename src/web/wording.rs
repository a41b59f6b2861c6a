//! Technical values in a member's words: how long ago, on which day.

use std::time::Duration;

use crate::auth::throttle::Wait;
use crate::domain::{MailAddress, Timestamp};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// "3 hours ago".
pub(super) fn ago(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let (count, unit) = match minutes {
        0..2 => return "just now".to_owned(),
        2..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// "22 November 2026, 06:00 UTC".
pub(super) fn date(moment: Timestamp) -> String {
    let text = moment.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    format!(
        "{} {} {}, {} UTC",
        part(8..10).trim_start_matches('0'),
        month.copied().unwrap_or_default(),
        part(0..4),
        part(11..16)
    )
}

/// "a…@f….example": enough to tell a mailbox of one's own, too little to write to it.
pub(super) fn masked(address: &MailAddress) -> String {
    let (local, host) = address.as_str().rsplit_once('@').unwrap_or_default();
    let first = |text: &str| text.chars().take(1).collect::<String>();
    match host.rsplit_once('.') {
        Some((name, top)) => format!("{}…@{}….{top}", first(local), first(name)),
        None => format!("{}…@{}…", first(local), first(host)),
    }
}

/// "30 days".
pub(super) fn days(time: Duration) -> String {
    match time.as_secs() / 86_400 {
        0 | 1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

/// How long somebody has to wait; empty where waiting does not help.
pub(super) fn wait_in_words(wait: Wait) -> String {
    let Wait::For(time) = wait else { return String::new() };
    match time.as_secs().div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        minutes @ 2..=90 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        for (seconds, text) in [
            (0, "just now"),
            (119, "just now"),
            (120, "2 minutes ago"),
            (3_600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_wait_is_never_told_shorter_than_it_is() {
        for (seconds, text) in
            [(1, "a minute"), (60, "a minute"), (61, "2 minutes"), (3_600, "60 minutes"), (7_201, "3 hours")]
        {
            assert_eq!(wait_in_words(Wait::For(Duration::from_secs(seconds))), text);
        }
    }

    #[test]
    fn a_day_is_written_out() {
        assert_eq!(date(Timestamp::from_millis(1_795_327_200_250)), "22 November 2026, 06:00 UTC");
        assert_eq!(date(Timestamp::from_millis(0)), "1 January 1970, 00:00 UTC");
    }
}
