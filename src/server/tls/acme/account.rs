//! Our account with an authority.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{Account, AccountCredentials, Error};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::AcmeOptions;
use super::authority::Authority;
use super::failure::{Failure, Undo};
use super::folder::Folder;
use super::registration::{new_key, register};

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    /// What the authority knows for writing to us.
    contact: Vec<String>,
    /// What the account is bound to there, if anything.
    external: Option<String>,
    /// Whether the authority may not know it yet: it was about to be asked for it.
    #[serde(default)]
    is_asked_for: bool,
    credentials: AccountCredentials,
}

/// The file of the account with the options' authority.
pub(super) fn file(options: &AcmeOptions) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = options.directory.as_str().trim_start_matches("https://").chars().map(plain).collect();
    format!("account-{}.json", name.trim_matches('-'))
}

/// The account that we have there, if any.
///
/// # Errors
/// If the authority can't be asked.
pub(super) async fn existing(
    options: &AcmeOptions,
    folder: &Folder,
    authority: &Authority,
) -> Result<Option<Account>, Failure> {
    let kept = read(options, folder)?.filter(|kept| !kept.is_asked_for);
    let Some(Kept { contact: known, credentials, .. }) = kept else { return Ok(None) };
    let builder = Account::builder_with_http(Box::new(authority.clone()));
    let account = builder.from_credentials(credentials).await;
    let account = account.map_err(|error| Failure::of("the directory", error))?;
    let contact = contact(options);
    if known != contact {
        let texts: Vec<_> = contact.iter().map(String::as_str).collect();
        let told = account.update_contacts(&texts).await;
        told.map_err(|error| Failure::of_account("the account's contact", error))?;
        if let Some(kept) = read(options, folder)? {
            write(options, folder, &Kept { contact, ..kept })?;
        }
    }
    Ok(Some(account))
}

/// Makes an account there, or takes the one that an earlier try was about to make: its key is kept before it is asked for.
pub(super) async fn make(
    options: &AcmeOptions,
    folder: &Folder,
    authority: &Authority,
) -> Result<Account, Failure> {
    let failed = |error| Failure::of_account("a new account", error);
    let mut kept = match read(options, folder)? {
        Some(kept) => kept,
        None => {
            let key = new_key().map_err(failed)?;
            let external = options.external_account.as_ref().map(|external| external.id.clone());
            let (directory, contact) = (options.directory.to_string(), contact(options));
            let credentials = credentials(options, "", &key).map_err(failed)?;
            let kept = Kept { directory, contact, external, is_asked_for: true, credentials };
            write(options, folder, &kept)?;
            kept
        }
    };
    let key = kept.credentials.private_key().clone_key();
    let key = key.secret_pkcs8_der();
    let place = register(options, authority, &kept.contact, key).await.map_err(failed)?;
    (kept.credentials, kept.is_asked_for) = (credentials(options, &place, key).map_err(failed)?, false);
    write(options, folder, &kept)?;
    let builder = Account::builder_with_http(Box::new(authority.clone()));
    builder.from_credentials(kept.credentials).await.map_err(failed)
}

/// In the library's form.
fn credentials(options: &AcmeOptions, place: &str, key: &[u8]) -> Result<AccountCredentials, Error> {
    let key = URL_SAFE_NO_PAD.encode(key);
    let all = json!({ "id": place, "key_pkcs8": key, "directory": options.directory.as_str() });
    serde_json::from_value(all).map_err(Error::Json)
}

fn contact(options: &AcmeOptions) -> Vec<String> {
    options.contact.iter().map(|address| format!("mailto:{address}")).collect()
}

/// What is kept of the account; none if it is one of another kind than is wanted.
fn read(options: &AcmeOptions, folder: &Folder) -> Result<Option<Kept>, Failure> {
    let Some(text) = folder.read(&file(options)).map_err(Failure::of_files)? else { return Ok(None) };
    // What serde says of a broken file could quote the key.
    let kept: Kept = serde_json::from_str(&text).map_err(|_| {
        let path = folder.path().join(file(options));
        let why = format!("{} is damaged; move it away, and a new account is made", path.display());
        Failure::new(why, Undo::Nothing)
    })?;
    let external = options.external_account.as_ref().map(|external| &external.id);
    let fits = kept.directory == options.directory.as_str() && kept.external.as_ref() == external;
    Ok(fits.then_some(kept))
}

fn write(options: &AcmeOptions, folder: &Folder, kept: &Kept) -> Result<(), Failure> {
    let text = serde_json::to_string(kept).map(Zeroizing::new);
    let text = text.map_err(|_| Failure::new("the account can't be written", Undo::Nothing))?;
    folder.write(&file(options), &text).map_err(Failure::of_files)
}
