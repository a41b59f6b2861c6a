//! Names: what a kind of authenticator is called, and what a new passkey is called if its member does not say.
//! For display alone; nothing is decided by them.

use crate::domain::{Passkey, PasskeyName};

/// Kinds of authenticators that members of a forum are likely to meet, by the ids their makers publish.
const PROVIDERS: [([u8; 16], &str); 13] = [
    (id(0xea9b_8d66_4d01_1d21_3ce4_b6b4_8cb5_75d4), "Google Password Manager"),
    (id(0xfbfc_3007_154e_4ecc_8c0b_6e02_0557_d7bd), "Apple Passwords"),
    (id(0xdd4e_c289_e01d_41c9_bb89_70fa_845d_4bf2), "iCloud Keychain"),
    (id(0x0898_7058_cadc_4b81_b6e1_30de_50dc_be96), "Windows Hello"),
    (id(0x9ddd_1817_af5a_4672_a2b9_3e3d_d950_00a9), "Windows Hello"),
    (id(0x6028_b017_b1d4_4c02_b4b3_afcd_afc9_6bb2), "Windows Hello"),
    (id(0xd345_2668_01fd_4c12_926c_83a4_2048_53aa), "Microsoft Password Manager"),
    (id(0xbada_5566_a7aa_401f_bd96_4561_9a55_120d), "1Password"),
    (id(0xd548_826e_79b4_db40_a3d8_1111_6f7e_8349), "Bitwarden"),
    (id(0x5311_26d6_e717_415c_9320_3d9a_a698_1239), "Dashlane"),
    (id(0xfdb1_41b2_5d84_443e_8a35_4698_c205_a502), "KeePassXC"),
    (id(0x5072_6f74_6f6e_5061_7373_5072_6f74_6f6e), "Proton Pass"),
    (id(0x5341_4d53_554e_4700_0000_0000_0000_0000), "Samsung Pass"),
];

/// Marks in what a browser calls itself, the first match first: many name others for old servers' sake.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const fn id(number: u128) -> [u8; 16] {
    number.to_be_bytes()
}

/// A provider's name from its AAGUID by a small table of our own, for display only (D10); none if it is not known.
pub fn provider(aaguid: Option<[u8; 16]>) -> Option<&'static str> {
    let aaguid = aaguid?;
    PROVIDERS.iter().find(|(known, _)| *known == aaguid).map(|(_, name)| *name)
}

/// What a passkey of this kind, added in this browser, is called beside the member's `others`.
#[expect(
    clippy::expect_used,
    reason = "the words are ours; of n + 1 different names n others leave one free"
)]
pub(super) fn suggested_name(aaguid: Option<[u8; 16]>, user_agent: &str, others: &[Passkey]) -> PasskeyName {
    let browser = BROWSERS.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    let base = match (provider(aaguid), browser) {
        (Some(provider), _) => provider.to_owned(),
        (None, Some(browser)) => format!("Passkey on {browser}"),
        (None, None) => "Passkey".to_owned(),
    };
    (1..=others.len() + 1)
        .map(|number| if number == 1 { base.clone() } else { format!("{base} {number}") })
        .filter_map(|name| PasskeyName::parse(&name).ok())
        .find(|name| others.iter().all(|other| other.name != *name))
        .expect("one of them is free")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Backup, CredentialId, Timestamp, UserId};

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const BITWARDEN: [u8; 16] = id(0xd548_826e_79b4_db40_a3d8_1111_6f7e_8349);

    fn called(name: &str) -> Passkey {
        Passkey {
            id: CredentialId::new(name.as_bytes()).unwrap(),
            user: UserId([0; 16]),
            rp_id: "localhost".to_owned(),
            name: PasskeyName::parse(name).unwrap(),
            credential: String::new(),
            aaguid: None,
            transports: vec![],
            backup: Backup::Done,
            created: Timestamp::from_millis(0),
            last_used: None,
        }
    }

    #[test]
    fn bp_18_a_name_is_the_providers_or_the_browsers_and_numbered_when_taken() {
        let name = |aaguid, agent, others: &[&str]| {
            let others: Vec<_> = others.iter().map(|name| called(name)).collect();
            String::from(suggested_name(aaguid, agent, &others))
        };
        assert_eq!(name(Some(BITWARDEN), FIREFOX, &[]), "Bitwarden");
        assert_eq!(name(Some(BITWARDEN), FIREFOX, &["Bitwarden"]), "Bitwarden 2");
        assert_eq!(name(Some(BITWARDEN), FIREFOX, &["Bitwarden 2"]), "Bitwarden");
        assert_eq!(name(Some(BITWARDEN), FIREFOX, &["Bitwarden 2", "Bitwarden", "Phone"]), "Bitwarden 3");
        assert_eq!(name(None, FIREFOX, &[]), "Passkey on Firefox");
        assert_eq!(name(Some([1; 16]), "", &["Passkey"]), "Passkey 2");
    }
}
