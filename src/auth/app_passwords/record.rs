//! What the store keeps of a member's app passwords: one record, so that their number and their names are judged as they are when
//! one comes to them.

use serde::{Deserialize, Serialize};

use crate::domain::{PasskeyName, Proof, Timestamp, TokenHash, UserId};
use crate::store::{Change, Drawer, Kept, Owner, Verdict};

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptAppPassword {
    pub(super) hash: TokenHash,
    /// What the member calls it; as with passkeys, one line that can be seen.
    pub(super) name: PasskeyName,
    pub(super) since: Timestamp,
    /// What the member had shown when they made it.
    pub(super) proof: Proof,
    /// The paths the member chose; none for all that the operator names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chosen: Option<Vec<String>>,
    /// Exact to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used: Option<Timestamp>,
}

/// All of a member's, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AppPasswords(pub(super) Vec<KeptAppPassword>);

impl Kept for AppPasswords {
    const DRAWER: Drawer = Drawer::AppPassword;
}

/// Below this key of the member's.
pub(super) const KEY: &[u8] = b"";

/// Part of whatever ends a member's access: none of theirs is left.
pub(super) fn forgotten(user: UserId) -> Change {
    Change::drop_all_kept::<AppPasswords>(Owner::Member(user))
}

/// Changes the member's list as it is then.
pub(super) fn revise(
    user: UserId,
    how: impl FnOnce(&mut Vec<KeptAppPassword>) -> Verdict + Send + 'static,
) -> Change {
    Change::revise_kept(Owner::Member(user), KEY.to_vec(), |record: &mut Option<AppPasswords>| {
        let mut all = record.take().unwrap_or_default();
        let verdict = how(&mut all.0);
        *record = Some(all).filter(|all| !all.0.is_empty());
        verdict
    })
}

/// Notes when one was last used; one that is gone stays so.
pub(super) fn used(user: UserId, hash: TokenHash, at: Timestamp) -> Change {
    revise(user, move |all| {
        if let Some(one) = all.iter_mut().find(|one| one.hash == hash) {
            one.last_used = one.last_used.max(Some(at));
        }
        Verdict::Keep
    })
}
