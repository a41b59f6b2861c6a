//! Why a ceremony came to nothing: the one table from a reason to status, code and words for the member (JSON
//! `{"code","message","ref"}`).
//!
//! SECURITY: BP-33. An unknown passkey and one that is another account's are one answer; the log has the reason under the
//! same reference.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::super::{Visit, Web};
use crate::auth::passkeys::{AddRefused, Failed};

/// What a script and its member are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    /// Stable; the script acts by it.
    pub(super) code: &'static str,
    /// The code, or more exactly what the member need not know.
    pub(super) counted: &'static str,
    message: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, counted: code, message: message.to_owned() }
    }

    /// Signing in, or adding.
    #[rustfmt::skip]
    pub(super) fn because(reason: Failed) -> Self {
        use StatusCode as S;
        let (status, code, message) = match reason {
            Failed::Ceremony => (S::GONE, "ceremony_expired",
                "This took too long. Please try again."),
            Failed::Changed => (S::FORBIDDEN, "passkey_changed",
                "This passkey has changed since you added it. Sign in with your password, remove it and add it again."),
            Failed::Counter => (S::FORBIDDEN, "passkey_suspect",
                "For your safety we didn’t accept this passkey: it may have been copied. Sign in with your password and look at the passkeys in your account."),
            Failed::Disabled => (S::FORBIDDEN, "account_disabled",
                "This account is switched off. The people who run this site can tell you why."),
            Failed::NotProven | Failed::RelyingParty => (S::UNAUTHORIZED, "passkey_failed",
                "We couldn’t check this passkey. Please try again, or use your password."),
            Failed::NotVerified => (S::UNAUTHORIZED, "user_not_verified",
                "Your passkey didn’t confirm that it’s you. If you use a security key, set a PIN on it and try again."),
            Failed::Origin => (S::FORBIDDEN, "origin_mismatch",
                "Passkeys aren’t set up correctly for this address. Please use your password, and tell the people who run this site."),
            Failed::SwitchedOff => (S::FORBIDDEN, "account_switched_off",
                "You switched this account off. Do you want to come back? Then sign in once more."),
            Failed::Unknown => (S::NOT_FOUND, "unknown_credential",
                "This passkey no longer works here. Sign in with your password; you can delete the old passkey from your password manager."),
        };
        let counted = if reason == Failed::RelyingParty { "rp_mismatch" } else { code };
        Self { counted, ..Self::new(status, code, message) }
    }

    /// Too many have gone wrong (E-30).
    pub(super) fn too_many() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            "Too many tries. Please wait a moment, or use your password.",
        )
    }

    /// The same on a site without passwords, where nobody is sent to one (MF-28).
    #[rustfmt::skip]
    pub(super) fn without_passwords(self) -> Self {
        let message = match self.code {
            "passkey_changed" =>
                "This passkey has changed since you added it. Use another one, or ask the people who run this site for a link to add it again.",
            "passkey_suspect" =>
                "For your safety we didn’t accept this passkey: it may have been copied. Use another one, and tell the people who run this site.",
            "passkey_failed" =>
                "We couldn’t check this passkey. Please try again.",
            "origin_mismatch" =>
                "Passkeys aren’t set up correctly for this address. Please tell the people who run this site.",
            "unknown_credential" =>
                "This passkey no longer works here. Use another one, or ask the people who run this site for a link; you can delete the old passkey from your password manager.",
            "too_many_attempts" => "Too many tries. Please wait a moment.",
            _ => return self,
        };
        Self { message: message.to_owned(), ..self }
    }

    /// Confirming who is there; `name` is the member's.
    pub(super) fn confirming(reason: Failed, name: &str) -> Self {
        match reason {
            // Not `unknown_credential`: it may be good for the account it belongs to.
            Failed::Unknown => Self {
                status: StatusCode::FORBIDDEN,
                code: "wrong_account",
                counted: "wrong_account",
                message: format!("That passkey belongs to a different account. Choose the one for {name}."),
            },
            reason => Self::because(reason),
        }
    }

    /// Adding one.
    pub(super) fn adding(reason: &AddRefused) -> Self {
        use StatusCode as S;
        match reason {
            AddRefused::AlreadyThere => Self::new(
                S::CONFLICT,
                "already_registered",
                "This device or password manager already has a passkey for your account. You don’t need another one here.",
            ),
            AddRefused::Failed(reason) => Self::because(*reason),
            AddRefused::LimitReached(limit) => Self {
                status: S::CONFLICT,
                code: "passkey_limit",
                counted: "passkey_limit",
                message: format!(
                    "You already have {limit} passkeys, the most an account can have. Remove one you no longer use first."
                ),
            },
            AddRefused::NotOffered => {
                Self::new(S::FORBIDDEN, "not_enabled", "Passkeys aren’t available for your account yet.")
            }
            AddRefused::PasskeyFirst => Self::new(
                S::FORBIDDEN,
                "reauth_required",
                "Please confirm with a passkey that you have first.",
            ),
            AddRefused::StepUpFirst => {
                Self::new(S::FORBIDDEN, "reauth_required", "Please confirm it’s you first.")
            }
        }
    }
}

#[derive(Serialize)]
struct RefusedJson<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
}

impl Web {
    /// The answer to the script.
    pub(super) fn refuse(&self, refused: &Refused, visit: &Visit<'_>) -> Response<Bytes> {
        let Refused { status, code, message, .. } = refused;
        self.outbound.json(*status, &RefusedJson { code, message, reference: visit.request_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mf_28_where_there_are_no_passwords_nobody_is_sent_to_one() {
        use Failed::{
            Ceremony, Changed, Counter, Disabled, NotProven, NotVerified, Origin, RelyingParty, SwitchedOff,
            Unknown,
        };
        for reason in [
            Ceremony,
            Changed,
            Counter,
            Disabled,
            NotProven,
            NotVerified,
            Origin,
            RelyingParty,
            SwitchedOff,
            Unknown,
        ] {
            let usual = Refused::because(reason);
            let without = usual.clone().without_passwords();
            assert_eq!((without.status, without.code), (usual.status, usual.code));
            let rest = without.message.replace("password manager", "");
            assert!(!rest.contains("password") && !rest.is_empty(), "{rest}");
        }
    }

    /// E-20 … E-31: the reason, what the script learns, and a word of what the member can do next.
    #[test]
    fn e_20_to_e_35_each_reason_has_its_code_and_says_how_to_go_on() {
        let table = [
            (Refused::because(Failed::Ceremony), 410, "ceremony_expired", "try again"),
            (Refused::because(Failed::Changed), 403, "passkey_changed", "with your password"),
            (Refused::because(Failed::Counter), 403, "passkey_suspect", "with your password"),
            (Refused::because(Failed::Disabled), 403, "account_disabled", "people who run this site"),
            (Refused::because(Failed::NotProven), 401, "passkey_failed", "or use your password"),
            (Refused::because(Failed::NotVerified), 401, "user_not_verified", "try again"),
            (Refused::because(Failed::Origin), 403, "origin_mismatch", "use your password"),
            (Refused::because(Failed::SwitchedOff), 403, "account_switched_off", "sign in once more"),
            (Refused::because(Failed::Unknown), 404, "unknown_credential", "with your password"),
            (Refused::confirming(Failed::Changed, "alice"), 403, "passkey_changed", "with your password"),
            (Refused::confirming(Failed::Unknown, "alice"), 403, "wrong_account", "the one for alice"),
            (Refused::adding(&AddRefused::AlreadyThere), 409, "already_registered", "don’t need another"),
            (
                Refused::adding(&AddRefused::Failed(Failed::NotVerified)),
                401,
                "user_not_verified",
                "set a PIN",
            ),
            (Refused::adding(&AddRefused::LimitReached(7)), 409, "passkey_limit", "7 passkeys"),
            (Refused::adding(&AddRefused::NotOffered), 403, "not_enabled", "yet"),
            (Refused::adding(&AddRefused::StepUpFirst), 403, "reauth_required", "confirm it’s you"),
        ];
        for (Refused { status, code, message, .. }, wanted, named, next) in table {
            assert_eq!((status.as_u16(), code), (wanted, named));
            assert!(message.contains(next) && message.ends_with('.'), "{code}: {message}");
        }
    }
}
