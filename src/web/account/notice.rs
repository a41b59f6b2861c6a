//! What has just been done, as the page before told it in the query. A fixed list, so that a link can't put words on our page.

use bytes::Bytes;
use http::Request;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use serde::{Deserialize, Serialize};

use super::super::request::in_query;

/// What has just been done; `account-notice.html` has the words.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Notice {
    AppPasswordRemoved,
    ByLink,
    EmailCancelled,
    EmailConfirmed,
    EmailSent,
    ForumConnected,
    ForumDisconnected,
    ForumPasswordSet,
    OtherSessionsEnded,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyRenamed,
    PasskeyUseAgain,
    PasskeyUseSaved,
    PasswordChanged,
    SessionEnded,
    TrustEnded,
    TwoStepOff,
    TwoStepThere,
}

impl Notice {
    /// All of them, for the samples of the page.
    pub(super) const ALL: &[Self] = &[
        Self::AppPasswordRemoved,
        Self::ByLink,
        Self::EmailCancelled,
        Self::EmailConfirmed,
        Self::EmailSent,
        Self::ForumConnected,
        Self::ForumDisconnected,
        Self::ForumPasswordSet,
        Self::OtherSessionsEnded,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasskeyRenamed,
        Self::PasskeyUseAgain,
        Self::PasskeyUseSaved,
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::TrustEnded,
        Self::TwoStepOff,
        Self::TwoStepThere,
    ];

    /// What `notice=` in the query says.
    pub(super) fn of(request: &Request<Bytes>) -> Option<Self> {
        let text = in_query(request, "notice");
        Self::deserialize(IntoDeserializer::<Error>::into_deserializer(&*text)).ok()
    }
}
