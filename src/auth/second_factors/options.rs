//! What can be chosen about second factors.

use std::path::PathBuf;
use std::time::Duration;

use crate::policy::SecondFactorFor;

/// Second factors, as far as they can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorOptions {
    /// Whether there are any.
    pub availability: Availability,
    /// Whether codes are mailed to members who have no app.
    pub mail: Availability,
    /// Of whom one is asked who has none.
    pub required_for: SecondFactorFor,
    /// For how long a device may be trusted; none if it may not.
    pub trust: Option<Duration>,
    /// The file with the key that seals them.
    pub key_file: PathBuf,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It is not: nobody is asked for one, and those that there are rest.
    Off,
    /// It is.
    On,
}
