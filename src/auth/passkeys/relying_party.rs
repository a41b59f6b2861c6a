//! Who we are to authenticators: the relying party that the library checks answers against, built from configuration
//! and from nothing a request says.
//!
//! SECURITY: BP-80 … BP-84, W5. A host name, never an address; https, but for `localhost`; no subdomains, no other
//! ports; and the one for which the stored passkeys were made.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

use super::PasskeyOptions;
use super::ceremonies::LIFETIME;
use crate::store::Store;

/// Builds it, or says to the operator what is wrong.
pub(super) fn build(options: &PasskeyOptions) -> Result<Webauthn, String> {
    let rp_id = options.rp_id.as_str();
    host_name(rp_id)?;
    let origins: Vec<Url> =
        options.origins.iter().map(|origin| parse(origin, rp_id)).collect::<Result<_, _>>()?;
    let [first, others @ ..] = origins.as_slice() else {
        return Err("passkeys have no origin they may be used from; give at least one".to_owned());
    };
    let name = if options.rp_name.trim().is_empty() { rp_id } else { options.rp_name.trim() };
    let builder = WebauthnBuilder::new(rp_id, first).map_err(|error| error.to_string())?;
    let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
    builder
        .rp_name(name)
        .timeout(LIFETIME)
        .allow_subdomains(false)
        .allow_any_port(false)
        .build()
        .map_err(|error| error.to_string())
}

/// A host name as browsers write it: lower case, ASCII, no port, no address.
fn host_name(rp_id: &str) -> Result<(), String> {
    let url = Url::parse(&format!("https://{rp_id}/"));
    if let Ok(url) = url
        && url.domain() == Some(rp_id)
        && !rp_id.ends_with('.')
    {
        return Ok(());
    }
    Err(format!(
        "passkeys.rp_id is {rp_id:?}, which is no host name; browsers want one such as \"forum.example.org\", in lower \
         case and without port, or \"localhost\" for trying out, and take no IP address"
    ))
}

fn parse(origin: &str, rp_id: &str) -> Result<Url, String> {
    let url = Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == origin);
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.domain()?))) else {
        return Err(format!(
            "passkeys can't be used from {origin:?}; an origin is written \"https://forum.example.org\", with a port if \
             it is not 443, and with a host name instead of an address"
        ));
    };
    let is_local = host == "localhost" || host.ends_with(".localhost");
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
        return Err(format!(
            "passkeys can't be used from {origin:?}: browsers offer them on https alone, but for localhost"
        ));
    }
    let is_below = host.strip_suffix(rp_id).is_some_and(|front| front.ends_with('.')) && rp_id.contains('.');
    if host == rp_id || is_below {
        return Ok(url.clone());
    }
    Err(format!(
        "passkeys.rp_id is {rp_id:?}, but {origin:?} is not on that host or below it; browsers would refuse every \
         passkey: set it to {host:?} or to a domain above"
    ))
}

/// SECURITY: W5. Passkeys work for the relying party they were made for and no other, so a changed one is refused
/// while there are passkeys that it would lock out.
pub(super) fn fits_the_store(rp_id: &str, store: &dyn Store) -> Result<(), String> {
    let mut others: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    let visited = store.each_passkey(&mut |passkey| {
        if passkey.rp_id != rp_id {
            others.entry(passkey.rp_id).or_default().insert(passkey.user);
        }
        ControlFlow::Continue(())
    });
    visited.map_err(|error| format!("the passkeys can't be read: {error}"))?;
    let Some((other, members)) = others.iter().max_by_key(|(_, members)| members.len()) else {
        return Ok(());
    };
    let members = match members.len() {
        1 => "1 member has passkeys".to_owned(),
        count => format!("{count} members have passkeys"),
    };
    Err(format!(
        "passkeys.rp_id is {rp_id:?}, but {members} made for {other:?}, which would not work any more; set it back to \
         {other:?}, or remove those passkeys first"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::passkeys::{ResidentKey, Rollout, Suggest};
    use crate::policy::RequiredFor;

    fn built(rp_id: &str, origins: &[&str]) -> Result<(), String> {
        let options = PasskeyOptions {
            rollout: Rollout::Everyone,
            required_for: RequiredFor::Groups(Vec::new()),
            asked_by_rules: RequiredFor::Nobody,
            suggest: Suggest::AfterLogin,
            max_per_user: 10,
            rp_id: rp_id.to_owned(),
            rp_name: "The Forum".to_owned(),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            resident_key: ResidentKey::Required,
        };
        build(&options).map(drop)
    }

    #[test]
    fn bp_82_a_host_or_a_domain_above_it_is_a_relying_party() {
        for (rp_id, origins) in [
            ("forum.example.org", &["https://forum.example.org"][..]),
            ("example.org", &["https://forum.example.org", "https://example.org:8443"]),
            ("forum.example.org", &["https://forum.example.org:8443"]),
            ("localhost", &["http://localhost:8080"]),
            ("intranet", &["https://intranet"]),
            ("xn--mnchen-3ya.example", &["https://xn--mnchen-3ya.example"]),
        ] {
            assert_eq!(built(rp_id, origins), Ok(()), "{rp_id} {origins:?}");
        }
    }

    #[test]
    fn bp_83_what_browsers_would_refuse_is_refused_in_a_sentence() {
        for (rp_id, origins, says) in [
            ("127.0.0.1", &["http://127.0.0.1:8080"][..], "no host name"),
            ("[::1]", &["http://[::1]:8080"], "no host name"),
            ("Forum.Example.org", &["https://forum.example.org"], "no host name"),
            ("forum.example.org:443", &["https://forum.example.org"], "no host name"),
            ("", &["https://forum.example.org"], "no host name"),
            ("example.org/", &["https://example.org"], "no host name"),
            ("user@example.org", &["https://example.org"], "no host name"),
            ("example.org.", &["https://example.org."], "no host name"),
            ("example.org", &[], "at least one"),
            ("example.org", &["http://example.org"], "https alone"),
            ("example.org", &["ftp://example.org"], "https alone"),
            ("example.org", &["https://example.org/"], "an origin is written"),
            ("example.org", &["https://example.org:443"], "an origin is written"),
            ("example.org", &["https://192.0.2.1"], "an origin is written"),
            ("example.org", &["https://notexample.org"], "not on that host"),
            ("example.org", &["https://example.org.evil.test"], "not on that host"),
            ("org", &["https://example.org"], "not on that host"),
            ("forum.example.org", &["https://forum.example.org", "https://example.org"], "not on that host"),
        ] {
            let sentence = built(rp_id, origins).unwrap_err();
            assert!(sentence.contains(says), "{rp_id} {origins:?}: {sentence}");
        }
    }
}
