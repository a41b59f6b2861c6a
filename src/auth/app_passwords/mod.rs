//! App passwords: for feed readers, apps on phones and other programs that can't show a page to sign in on.
//!
//! **The rule** (SECURITY: S6, L9). A member makes one on their account page, right after showing who they are, and it lets a
//! program read, as them, what lies at the paths that an operator named; of these, those that the member chose. It is
//! no sign-in: nothing of ours opens with it, nor what asks for a fresh sign-in, and where a passkey or a second factor is asked
//! of its member it counts for what they had shown when they made it. Whatever ends a member's access to the account ends it.
//!
//! **How it is kept** (SECURITY: AUTH-09). It is ours and 160 random bits, so nobody guesses it, and a plain SHA-256 keeps it, as with
//! the tokens of sessions. A slow hash is for what people choose; programs send this with each request, and a thousand
//! of those a second must not cost a thousand slow hashes. It is found by that hash: one block of SHA-256 and one read of a
//! map in memory, nothing on the disk. That it is found needs no reservation of the throttle, as with sessions, so no
//! others' mistakes keep a program out; what is not found is a try that went wrong, and is counted as one.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `password` | the text: made, read, hashed |
//! | `credentials` | what a program presents in `Authorization` |
//! | `record` | what the store keeps |
//! | `live` | those in memory, and finding one |
//! | `managing` | making, listing and removing them |
//! | `ending` | ending them with a member's sessions |

mod credentials;
mod ending;
mod live;
mod managing;
pub mod options;
mod password;
mod record;

#[cfg(test)]
mod tests;

pub use self::credentials::{Credentials, Presented};
pub(super) use self::live::AppPasswordsInUse;
pub use self::live::RefusedAppPassword;
pub use self::managing::{AppPasswordLine, MadeAppPassword, NewAppPassword, Obstacle};
pub use self::password::AppPassword;
