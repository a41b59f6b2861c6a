//! Five forums in PHP and a wiki: fields, tokens, cookies, redirects and refusals as the real ones were seen to have them.

mod dokuwiki;
mod fluxbb;
mod mybb;
mod phpbb;
mod punbb;
mod smf;

pub(super) use dokuwiki::dokuwiki;
pub(super) use fluxbb::fluxbb;
pub(super) use mybb::mybb;
pub(super) use phpbb::phpbb;
pub(super) use punbb::punbb;
pub(super) use smf::smf;

pub(super) const INPUT: &str = "<input type=\"hidden\" name=";
