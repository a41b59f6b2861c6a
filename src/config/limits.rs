//! The `[password]`, `[session]` and `[throttle]` sections: what a password has to be and costs, how long a session lasts, how
//! often anybody may try to get in.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use super::raw;
use super::reader::{DAY, Reader};
use crate::auth::throttle::ThrottleOptions;
use crate::auth::{Accounts, HashingCost, PasswordPolicy, SelfDelete};
use crate::domain::Lifetimes;

/// The cheapest of the settings OWASP's password storage cheat sheet calls equal for Argon2id is 7168 KiB and five
/// passes; others trade memory for passes. Less than this product, or less memory, is refused.
const LEAST_MEMORY_KIB: u64 = 7_168;
const LEAST_WORK: u64 = LEAST_MEMORY_KIB * 5;

pub(super) fn password(
    reader: &mut Reader<'_>,
    raw: &raw::Password,
) -> Option<(PasswordPolicy, HashingCost, usize)> {
    let help = "15 is right while the password alone is enough to sign in";
    let min_chars = reader.number("password.min_length", raw.min_length, least_chars(raw)..=64, help);
    let help = "8 is right where an app's code, too, is asked of a member in any case";
    let least = Accounts::MIN_PASSWORD_CHARS as u64;
    let with_second_factor = reader.number(
        "password.min_length_with_second_factor",
        raw.min_length_with_second_factor,
        least..=64,
        help,
    );
    let help = "19456 (19 MiB) with two iterations is what OWASP recommends";
    let memory = reader.number("password.memory_kib", raw.memory_kib, LEAST_MEMORY_KIB..=4_194_304, help);
    let iterations = reader.number("password.iterations", raw.iterations, 1..=100, help);
    let lanes = reader.number(
        "password.parallelism",
        raw.parallelism,
        1..=16,
        "1 suits a web server: its sign-ins run side by side",
    );
    let workers = reader.number("password.workers", raw.workers, 0..=256, "0 means one for each core");
    let (memory_kib, iterations, parallelism) = (memory?, iterations?, lanes?);
    if raw.memory_kib * raw.iterations < LEAST_WORK {
        let least = LEAST_WORK.div_ceil(raw.iterations);
        return reader.refuse(
            "password.memory_kib",
            format!("{memory_kib} with {iterations} iterations"),
            format!("at least {least} with {iterations} iterations"),
            "a stolen store could be guessed through too cheaply: raise one of the two",
        );
    }
    let workers = match workers? {
        0 => available_parallelism().map_or(1, NonZero::get),
        count => count,
    };
    let cost = HashingCost { memory_kib, iterations, parallelism };
    let policy = PasswordPolicy { min_chars: min_chars?, with_second_factor: with_second_factor? };
    Some((policy, cost, workers))
}

/// SECURITY: AUTH-01. Never fewer than [`PasswordPolicy::ALONE`] characters where a password is enough for somebody. Where passwords are
/// off nobody chooses one.
const fn least_chars(raw: &raw::Password) -> u64 {
    let least = if raw.enabled { PasswordPolicy::ALONE } else { Accounts::MIN_PASSWORD_CHARS };
    least as u64
}

/// How long sessions live, and how large a form may be that is kept for a member who has to sign in; 0 for none.
/// What `[session]` says.
pub(super) struct SessionLimits {
    pub(super) lifetimes: Lifetimes,
    pub(super) max_per_member: usize,
    pub(super) keep_forms: usize,
}

pub(super) fn session(reader: &mut Reader<'_>, raw: &raw::Session) -> Option<SessionLimits> {
    let help = "a few for each device of a member";
    let most = reader.number("session.max_per_member", raw.max_per_member, 1..=100_000, help);
    let keep_forms = reader.size("session.keep_forms", &raw.keep_forms, 64);
    // Browsers keep no cookie for longer than 400 days (RFC 6265bis §5.5).
    let bounds = Duration::from_secs(1)..=DAY * 400;
    let idle = reader.duration("session.idle", &raw.idle, bounds.clone());
    let absolute = reader.duration("session.absolute", &raw.absolute, bounds.clone());
    let remember = reader.duration("session.remember", &raw.remember, bounds);
    let bounds = Duration::from_secs(1)..=Lifetimes::SHARED_ABSOLUTE;
    let shared = reader.duration("session.shared", &raw.shared, bounds);
    let lifetimes = Lifetimes { idle: idle?, absolute: absolute?, remember: remember?, shared: shared? };
    if lifetimes.absolute < lifetimes.idle {
        let expected = format!("at least session.idle, which is {:?}", raw.idle);
        let help = "a session can't lie unused for longer than it lasts: raise absolute or lower idle";
        return reader.refuse("session.absolute", format!("{:?}", raw.absolute), expected, help);
    }
    if lifetimes.remember < lifetimes.absolute {
        let expected = format!("at least session.absolute, which is {:?}", raw.absolute);
        let help = "\"stay signed in\" must not end sooner than an ordinary session";
        return reader.refuse("session.remember", format!("{:?}", raw.remember), expected, help);
    }
    Some(SessionLimits { lifetimes, max_per_member: most?, keep_forms: keep_forms? })
}

pub(super) fn self_delete(reader: &mut Reader<'_>, raw: &raw::Accounts) -> Option<SelfDelete> {
    let words = [("off", SelfDelete::Off), ("request", SelfDelete::Request), ("now", SelfDelete::Now)];
    reader.word("accounts.self_delete", &raw.self_delete, &words)
}

pub(super) fn throttle(reader: &mut Reader<'_>, raw: &raw::Throttle) -> Option<ThrottleOptions> {
    let help = "5 forgives typing mistakes and leaves guessing no chance";
    let account = reader.number("throttle.account", raw.account, 3..=10, help);
    let bounds = Duration::from_secs(1)..=DAY;
    let wait = reader.duration("throttle.wait", &raw.wait, bounds.clone());
    let longest_wait = reader.duration("throttle.longest_wait", &raw.longest_wait, bounds);
    let help = "30 in 15 minutes is enough for a household, and for many an office";
    let address = reader.number("throttle.address", raw.address, 1..=100_000, help);
    let help = "it holds for all addresses of a network together, so a few times throttle.address";
    let prefix = reader.number("throttle.prefix", raw.prefix, 1..=100_000, help);
    let help = "each takes a little memory: 20000 take some megabytes";
    let process = reader.number("throttle.process", raw.process, 100..=100_000, help);
    let window = reader.duration("throttle.window", &raw.window, Duration::from_secs(60)..=DAY);
    let options = ThrottleOptions {
        account: account?,
        wait: wait?,
        longest_wait: longest_wait?,
        address: address?,
        prefix: prefix?,
        process: process?,
        window: window?,
    };
    if options.longest_wait < options.wait {
        let expected = format!("at least throttle.wait, which is {:?}", raw.wait);
        let help = "waits double from throttle.wait up to this";
        return reader.refuse("throttle.longest_wait", format!("{:?}", raw.longest_wait), expected, help);
    }
    if options.prefix < options.address || options.process < options.prefix {
        let expected = "throttle.address, throttle.prefix and throttle.process in growing order";
        let found = format!("{}, {} and {}", raw.address, raw.prefix, raw.process);
        let help = "an address is part of its network, and that of the whole";
        return reader.refuse("throttle.prefix", found, expected, help);
    }
    Some(options)
}
