//! An authenticator app, as people have it on their phones: it reads the key off the page, and shows codes (RFC 6238).

use hmac::{Hmac, KeyInit, Mac};
use passgate::domain::{Clock, ManualClock};
use sha1::Sha1;

use super::browser::{Browser, Page};

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(crate) const TWO_STEP: &str = "/.passgate/account/two-step";

/// An app with one key.
#[derive(Clone)]
pub(crate) struct App(Vec<u8>);

impl App {
    /// Takes the key of a page that sets it up.
    pub(crate) fn of(page: &Page) -> Self {
        let text = page.text();
        let (_, rest) = text.split_once("class=\"key\">").expect("a key");
        let (key, _) = rest.split_once('<').expect("its end");
        let bits: String = key
            .chars()
            .filter(|sign| *sign != ' ')
            .map(|sign| format!("{:05b}", LETTERS.find(sign).expect("base32")))
            .collect();
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        Self(bits.as_bytes().chunks_exact(8).map(byte).collect())
    }

    /// The code it shows.
    pub(crate) fn shows(&self, clock: &ManualClock) -> String {
        let step = clock.now().as_millis() / 30_000;
        let mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("a key").chain_update(step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let at = usize::from(hash[19] & 15);
        let number = u32::from_be_bytes([hash[at] & 127, hash[at + 1], hash[at + 2], hash[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }
}

impl Browser {
    /// Sets two-step sign-in up on the page that does it; gives the app and the page with the recovery codes.
    pub(crate) async fn set_two_step_up(&mut self, page: &Page, clock: &ManualClock) -> (App, Page) {
        let app = App::of(page);
        let done = self.submit(page, "code", &[("code", &app.shows(clock))]).await;
        done.assert_status(200).assert_says("Your recovery codes");
        (app, done)
    }
}
