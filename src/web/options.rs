//! What our pages can be told. Composed by `config`.

use std::path::PathBuf;

/// How our pages look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOptions {
    /// What the site calls itself on our pages.
    pub site_name: String,
    /// A path on this origin, or of a file below our own assets, with the site's logo.
    pub logo: Option<String>,
    /// The colour of buttons and links, `#rrggbb`.
    pub accent: String,
    /// Where members who can't sign in are helped: a path on this site, or a URL.
    pub recovery_url: Option<String>,
    /// A folder with templates that replace the embedded ones of the same name.
    pub templates: Option<PathBuf>,
}
