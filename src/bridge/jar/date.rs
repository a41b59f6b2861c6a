//! The dates in `Set-Cookie`, as leniently as browsers read them (RFC 6265 §5.1.1): PHP wrote `Thu, 01-Jan-1970 00:00:01 GMT`
//! for decades.

use crate::domain::Timestamp;

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// The moment, if the text names one. What lies before 1970 is 1970.
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)).filter(|token| !token.is_empty()) {
        if time.is_none() && token.contains(&b':') {
            time = clock(token);
        } else if day.is_none() && matches!(number(token), Some((_, 1..=2))) {
            day = number(token).map(|(day, _)| day);
        } else if month.is_none() && named_month(token).is_some() {
            month = named_month(token);
        } else if year.is_none() && matches!(number(token), Some((_, 2 | 4))) {
            year = number(token).map(|(year, _)| year);
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let (day, month, time) = (day?, month?, time?);
    if !(1..=31).contains(&day) || year < 1601 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + time;
    Some(Timestamp::from_millis(u64::try_from(seconds * 1000).unwrap_or(0)))
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number a token begins with, and how many digits it has; four at most.
fn number(token: &[u8]) -> Option<(i64, usize)> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value =
        token[..digits].iter().fold(0_i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(99_999));
    (1..=4).contains(&digits).then_some((value, digits))
}

fn named_month(token: &[u8]) -> Option<i64> {
    let start = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == start).and_then(|at| i64::try_from(at + 1).ok())
}

/// `hh:mm:ss` as seconds of the day.
fn clock(token: &[u8]) -> Option<i64> {
    let mut parts = token.split(|byte| *byte == b':').map(|part| number(part).map(|(value, _)| value));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. The year is counted from March, so that the leap day ends it.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_date_is_read_in_each_form_forums_write() {
        for (text, shown) in [
            ("Wed, 09 Jun 2027 10:18:14 GMT", "2027-06-09T10:18:14.000Z"),
            ("Thu, 01-Jan-1970 00:00:01 GMT", "1970-01-01T00:00:01.000Z"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
            ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"),
            ("Tue, 29 Feb 2028 23:59:59 GMT", "2028-02-29T23:59:59.000Z"),
            ("Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00.000Z"),
            ("Mon, 01 Jan 1900 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                parse(text.as_bytes()).map(|moment| moment.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for bad in
            ["", "0", "session", "Wed, 09 Jun 2027", "Wed, 99 Jun 2027 10:18:14", "Wed, 09 Jun 2027 25:00:00"]
        {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ ,:0-9A-Za-z-]{0,60}") {
            parse(text.as_bytes());
        }
    }
}
