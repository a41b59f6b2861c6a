//! Signing a member out at the forum, by the forum's own sign-out and with the cookies of the session that is to be over.

use url::{Position, Url};

use super::walk::Walk;
use super::{Forum, Login, Step, Taken};
use crate::bridge::preset::FormPreset;
use crate::bridge::{Asked, Jar, Visitor, any_seen};
use crate::domain::RequestPath;

/// How many pages it may take: one with the link, and some that ask whether it is meant.
const PAGES: usize = 3;

impl Forum {
    /// Signs whoever has these cookies out where the forum's pages offer it: with the first button, or else link, whose address is one of
    /// `addresses.logout`, and again on the page that this leads to, until the forum no longer knows the member.
    ///
    /// # Errors
    /// The steps that were taken, if none of them was the last one. What the forum remembers then ends by its age.
    pub async fn sign_out(&self, jar: Jar, visitor: &Visitor) -> Result<(), Vec<Taken>> {
        let Some(form) = &self.preset.form else { return Ok(()) };
        let mut walk = Walk::new(&self.client, &*self.clock, visitor);
        walk.jar = jar;
        self.leave(form, &mut walk).await.map_err(|_| walk.steps)
    }

    async fn leave(&self, form: &FormPreset, walk: &mut Walk<'_>) -> Result<(), Login> {
        let signs = &self.preset.signs.signed_out;
        let shows_member = form.check.as_ref().unwrap_or(&form.page);
        let mut way = walk.fetch(Step::Page, &self.address(shows_member)).await?;
        let mut left = PAGES;
        while !way.iter().any(|hop| any_seen(signs, &hop.seen())) {
            let exit = walk.exit(&way, |url, form| self.is_sign_out(url, form)).filter(|_| left > 0);
            let Some(exit) = exit else {
                return Err(walk.unrecognised(Step::Page, "no link and no button on it signs out"));
            };
            left -= 1;
            way = walk.go(exit).await?;
        }
        Ok(())
    }

    fn is_sign_out(&self, url: &Url, form: &str) -> bool {
        let base = if self.base.is_empty() { "/" } else { &self.base };
        RequestPath::parse(&url[Position::BeforePath..Position::AfterQuery]).is_ok_and(|path| {
            let asked = Asked::of(&path, base, form.as_bytes());
            asked.is_some_and(|asked| {
                self.preset.addresses.logout.iter().any(|pattern| pattern.matches(asked))
            })
        })
    }
}
