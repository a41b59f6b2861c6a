//! Our account with an authority.

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::AcmeOptions;
use super::authority::Authority;
use super::failure::{Failure, Undo};
use super::folder::Folder;

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    /// What the authority knows for writing to us.
    contact: Vec<String>,
    /// What the account is bound to there, if anything.
    external: Option<String>,
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
    let Some(Kept { contact: known, credentials, .. }) = read(options, folder)? else { return Ok(None) };
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

/// Makes an account there. If its key can't be kept it is as if there were none.
pub(super) async fn make(
    options: &AcmeOptions,
    folder: &Folder,
    authority: &Authority,
) -> Result<Account, Failure> {
    let builder = Account::builder_with_http(Box::new(authority.clone()));
    let contact = contact(options);
    let texts: Vec<_> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &texts, terms_of_service_agreed: true, only_return_existing: false };
    let external = options.external_account.as_ref();
    let key = external.map(|external| ExternalAccountKey::new(external.id.clone(), external.key.expose()));
    let made = builder.create(&new, options.directory.to_string(), key.as_ref()).await;
    let (account, credentials) = made.map_err(|error| Failure::of("a new account", error))?;
    let directory = options.directory.to_string();
    let external = external.map(|external| external.id.clone());
    write(options, folder, &Kept { directory, contact, external, credentials })?;
    Ok(account)
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
