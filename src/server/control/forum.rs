//! The command that is about passwords for the forum. There is none that shows one (SECURITY: O4).

use super::Control;
use super::protocol::{Failure, Reply};
use crate::bridge::VaultError;

impl Control {
    pub(super) async fn rotate_key(&self) -> Result<Reply, Failure> {
        let Some(vault) = (self.vault)() else {
            let words =
                "no passwords for a forum are kept: [forum] names none whose members sign in at its form";
            return Err(Failure::Data(words.to_owned()));
        };
        let rotated = vault.rotate().await?;
        let mut words = format!(
            "{} sealed with a new key in {}; copies of the old key open nothing any more but old copies of the store",
            passwords(rotated.sealed),
            vault.key_file().display()
        );
        if rotated.lost > 0 {
            words.push_str(&format!(
                "; {} can't be opened, as the key is lost, and the members are asked again",
                passwords(rotated.lost)
            ));
        }
        Ok(Reply::Done(words))
    }
}

fn passwords(count: usize) -> String {
    if count == 1 { "1 password".to_owned() } else { format!("{count} passwords") }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
