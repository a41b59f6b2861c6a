//! How the queue is, for those who run the site: numbers for Prometheus, and a sentence if no mail gets out.

use std::fmt::Write;
use std::time::Duration;

use super::queue::{End, MailQueue};

impl MailQueue {
    /// A mail that was tried and waits for longer than this shows that something is wrong.
    const TOO_LONG: Duration = Duration::from_secs(3_600);

    /// Why no mails get out, if so; nothing about members.
    pub fn is_stuck(&self) -> Option<String> {
        if !self.is_on() {
            return None;
        }
        let now = self.clock.now();
        let state = self.lock();
        let waiting = state.waiting.len();
        if let Some(failing) = &state.failing {
            return Some(format!("the mail server takes no mails since {}; {waiting} wait", failing.since));
        }
        let oldest = state.waiting.values().filter(|entry| entry.was_tried()).map(|entry| entry.at).min()?;
        (now.since(oldest) >= Self::TOO_LONG).then(|| format!("a mail waits since {oldest}; {waiting} wait"))
    }

    /// How many mails wait and how many came to which end, as Prometheus reads it.
    pub fn exposition(&self) -> String {
        let is_stuck = u8::from(self.is_stuck().is_some());
        let state = self.lock();
        let waiting = state.waiting.len();
        let mut text = format!(
            "# HELP passgate_mails_waiting Mails that are to be sent.\n# TYPE passgate_mails_waiting gauge\n\
             passgate_mails_waiting {waiting}\n\
             # HELP passgate_mail_stuck Whether no mails get out.\n# TYPE passgate_mail_stuck gauge\n\
             passgate_mail_stuck {is_stuck}\n\
             # HELP passgate_mails_total Mails by what became of them.\n# TYPE passgate_mails_total counter\n"
        );
        for end in End::ALL {
            let count = state.ends.get(&end).copied().unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(text, "passgate_mails_total{{end=\"{}\"}} {count}", end.as_str());
        }
        text
    }
}
