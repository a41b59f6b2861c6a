//! [`FactorsMet`]: that a member has shown all that is asked beside what they sign in with.

use crate::domain::{Beside, User};
use crate::store::Batch;

/// Without one no session is opened with a password or a link. Only [`super`] makes them.
///
/// SECURITY: AUTH-10. It is as good as the moment it was made: what it rests on is checked once more in the batch that opens
/// the session, by changes it carries. So of two who show one code, one gets in.
#[must_use = "it opens a session"]
pub struct FactorsMet {
    user: Box<User>,
    beside: Beside,
    with: Batch,
}

impl FactorsMet {
    pub(super) fn new(user: User, beside: Beside, with: Batch) -> Self {
        Self { user: Box::new(user), beside, with }
    }

    /// For tests of what comes after it.
    #[cfg(test)]
    pub(crate) fn unasked(user: User) -> Self {
        Self::new(user, Beside::Nothing, Vec::new())
    }

    /// Who it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What was shown.
    pub fn beside(&self) -> Beside {
        self.beside
    }

    /// The member, what was shown, and what has to go into the batch that opens the session.
    pub(in crate::auth) fn into_parts(self) -> (User, Beside, Batch) {
        (*self.user, self.beside, self.with)
    }
}
