//! Floor 0: plain values. No I/O, no async, nothing of ours below it.
//!
//! Outside text becomes one of these types once, at the edge, and can't be wrong afterwards: a [`Host`] is lower-cased
//! and without its port, a [`RequestPath`] is canonical, a [`ReturnTo`] stays on this origin, a [`UserName`] has one
//! spelling for comparison. Time comes from a [`Clock`], chance from [`Token::generate`] and [`UserId::generate`].

mod bridge_kind;
mod certificate_name;
mod clock;
mod email;
mod failures;
mod hex;
mod host;
mod import_mark;
mod network;
mod passkey;
mod path;
mod pattern;
mod posted_form;
mod return_to;
mod sealed;
mod secret;
mod session;
mod user;

pub use bridge_kind::BridgeKind;
pub use certificate_name::CertificateName;
pub use clock::{Clock, ManualClock, SteadyClock, Step, SystemClock, Timestamp};
pub use email::{EmailKey, MailAddress};
pub use failures::{Failures, Place, Streak};
pub use hex::{hex, hex_digits};
pub use host::{Host, HostPattern, InvalidHost};
pub use import_mark::ImportMark;
pub use network::{InvalidNetwork, Network, address_text};
pub use passkey::{Backup, CredentialId, Passkey, PasskeyName};
pub use path::{AmbiguousTarget, RequestPath};
pub use pattern::{InvalidPattern, PathPattern, Wildcards};
pub use posted_form::{PostedField, PostedValue};
pub use return_to::ReturnTo;
pub use sealed::SealedPassword;
pub use secret::{Purpose, Secret, Token, TokenHash, random};
pub use session::{Beside, Lifetimes, Persistence, Proof, Session, SessionId};
pub use user::{
    Group, InvalidName, LinkKind, PasskeyFor, Profile, SetupLink, User, UserId, UserName, UserState,
};
