//! What app passwords are for on this site.

use crate::domain::{PathPattern, Wildcards};

/// The settings where they are switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPasswordOptions {
    /// Where they count; at least one.
    pub paths: Vec<PathPattern>,
    /// How many a member may have.
    pub max_per_member: usize,
}

impl AppPasswordOptions {
    /// Whether app passwords count at this path (canonical, decoded) at all.
    pub fn covers(&self, path: &str) -> bool {
        self.admits(path, None)
    }

    /// Whether one counts there whose member chose these of the paths; none for all of them. A path that the operator names no
    /// longer opens nothing.
    ///
    /// SECURITY: P7. These paths open something, so their wildcards stand for no script.
    pub fn admits(&self, path: &str, chosen: Option<&[String]>) -> bool {
        let is_chosen = |text: &str| chosen.is_none_or(|chosen| chosen.iter().any(|own| own == text));
        let mut fitting = self.paths.iter().filter(|pattern| pattern.matches(path, Wildcards::SkipScripts));
        fitting.any(|pattern| is_chosen(pattern.as_str()))
    }
}
