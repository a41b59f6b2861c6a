//! Setting another password at the forum, by its own form and as the member who is signed in there.

use url::Url;

use super::walk::Walk;
use super::{Forum, Login, Step, Taken};
use crate::bridge::form::Filling;
use crate::bridge::preset::ChangePreset;
use crate::bridge::{Jar, Sign, Visitor, any_seen};
use crate::domain::Secret;

/// What came of sending a new password to the forum. Only a sign-in with it shows that it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was not sent: the form is not where the preset says, or not as it says.
    NotSent,
    /// The forum says no.
    Refused,
    /// It has it, as far as it says.
    Sent,
    /// There was no answer, so it has it or not.
    Unanswered,
}

/// How setting another password went.
#[derive(Debug)]
pub struct ChangeReport {
    /// What came of it.
    pub changed: Changed,
    /// The cookies of the session, as they are now.
    pub jar: Jar,
    /// Step by step.
    pub steps: Vec<Taken>,
}

impl Forum {
    /// Sends the form for another password, once, with the cookies of a session.
    pub async fn change_password(
        &self,
        jar: Jar,
        (old, new): (&Secret<String>, &Secret<String>),
        visitor: &Visitor,
    ) -> ChangeReport {
        let mut walk = Walk::new(&self.client, &*self.clock, visitor);
        walk.jar = jar;
        let changed = match self.filled(old.expose(), new.expose(), &mut walk).await {
            Err(_) => Changed::NotSent,
            Ok((change, to, body)) => {
                self.pause_for(change.wait).await;
                self.send(change, to, body, &mut walk).await
            }
        };
        walk.jar.keep(&self.preset.cookies.session);
        ChangeReport { changed, jar: walk.jar, steps: walk.steps }
    }

    /// Looks for that form with the cookies of a session, and sends nothing.
    ///
    /// # Errors
    /// The steps up to where it is otherwise than the preset says.
    pub async fn find_change_form(&self, jar: Jar, visitor: &Visitor) -> Result<Vec<Taken>, Vec<Taken>> {
        let mut walk = Walk::new(&self.client, &*self.clock, visitor);
        walk.jar = jar;
        let found = self.filled("", "", &mut walk).await.is_ok();
        if found { Ok(walk.steps) } else { Err(walk.steps) }
    }

    async fn filled(
        &self,
        old: &str,
        new: &str,
        walk: &mut Walk<'_>,
    ) -> Result<(&ChangePreset, Url, String), Login> {
        let Some(change) = &self.preset.change else {
            return Err(walk.unrecognised(Step::Form, "the preset does not say where a password is changed"));
        };
        let page = self.change_page(change, walk).await?;
        let arrived = walk.fetch(Step::Page, &self.address(&page)).await?;
        if arrived.iter().any(|hop| any_seen(&self.preset.signs.captcha, &hop.seen())) {
            return Err(walk.unrecognised(Step::Page, "it asks for a captcha"));
        }
        let shown = arrived.last().map(|hop| hop.seen().fields).unwrap_or_default();
        let old_field = change.old_field.as_ref().filter(|field| shown.contains(field));
        let old = old_field.map(|field| (field.as_str(), old));
        let confirm = change.confirm_field.as_ref().map(|field| (field.as_str(), new));
        let fields: Vec<_> =
            old.into_iter().chain([(change.new_field.as_str(), new)]).chain(confirm).collect();
        let filling = Filling { fields: &fields, fixed: &change.fixed };
        let (to, body) = walk.fill(&arrived, None, filling)?;
        Ok((change, to, body))
    }

    /// The address of the page with the form; the forum may have to say the member's number first.
    async fn change_page(&self, change: &ChangePreset, walk: &mut Walk<'_>) -> Result<String, Login> {
        let check = self.preset.form.as_ref().and_then(|form| form.check.as_ref());
        let (true, Some(check)) = (change.needs_number(), check) else { return Ok(change.page.clone()) };
        let shown = walk.fetch(Step::Page, &self.address(check)).await?;
        let shown = shown.last().and_then(|hop| change.page_of(hop.seen().page?));
        shown.ok_or_else(|| {
            walk.unrecognised(Step::Page, "the member's number is not where change.number says")
        })
    }

    async fn send(&self, change: &ChangePreset, to: Url, body: String, walk: &mut Walk<'_>) -> Changed {
        let answers = match walk.post(to, body).await {
            Ok(answers) => answers,
            Err(Login::Unavailable) => return Changed::Unanswered,
            Err(_) => return Changed::Sent,
        };
        let seen = |signs: &Vec<Sign>| answers.iter().any(|hop| any_seen(signs, &hop.seen()));
        let signs = &self.preset.signs;
        if !seen(&change.success) && [&change.refused, &signs.captcha, &signs.throttled].into_iter().any(seen)
        {
            walk.stop(Step::Post, "it says no", Login::WrongPassword);
            return Changed::Refused;
        }
        Changed::Sent
    }
}
