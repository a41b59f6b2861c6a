//! What is counted by where it comes from, and all together.

use std::time::Duration;

use super::fading::Fading;
use super::options::ThrottleOptions;
use super::places::Source;
use super::window::{Step, Window};

/// Where the room ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Tries of one account.
    Account,
    /// Tries from one address.
    Address,
    /// Tries from one network.
    Prefix,
    /// All tries.
    Process,
}

impl Level {
    /// The word for log and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Process => "process",
        }
    }
}

/// One set of such counts. Each new entry takes one out of the whole process's budget, and there is room for twice that, so what
/// is forgotten to make room has left its window: nobody washes a count out with made-up addresses.
pub(super) struct Lane {
    process: Window,
    addresses: Fading<u128, Window>,
    prefixes: Fading<u128, Window>,
}

impl Lane {
    pub(super) fn new(options: &ThrottleOptions) -> Self {
        let half = options.process as usize;
        Self { process: Window::default(), addresses: Fading::new(half), prefixes: Fading::new(half) }
    }

    /// How long a try from there has to wait, and for what.
    pub(super) fn wait(
        &mut self,
        source: Source,
        step: Step,
        options: &ThrottleOptions,
    ) -> (Duration, Level) {
        let of = |window: Option<&mut Window>, limit| window.map_or(Duration::ZERO, |w| w.wait(limit, step));
        [
            (of(self.addresses.get(source.address), options.address), Level::Address),
            (of(self.prefixes.get(source.network), options.prefix), Level::Prefix),
            (self.process.wait(options.process, step), Level::Process),
        ]
        .into_iter()
        .max_by_key(|(wait, _)| *wait)
        .unwrap_or((Duration::ZERO, Level::Process))
    }

    pub(super) fn note(&mut self, source: Source, step: Step) {
        self.process.note(step);
        self.addresses.get_or_new(source.address).note(step);
        self.prefixes.get_or_new(source.network).note(step);
    }

    /// Takes back what was counted in the step of this number. Nothing is left of it, so what succeeds fills no memory.
    pub(super) fn take_back(&mut self, source: Source, step: u64) {
        self.process.take_back(step);
        for (windows, key) in [(&mut self.addresses, source.address), (&mut self.prefixes, source.network)] {
            if let Some(window) = windows.get(key) {
                window.take_back(step);
            }
            windows.remove_if(key, Window::is_empty);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.addresses.len() + self.prefixes.len()
    }
}
