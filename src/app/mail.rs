//! How mail leaves, from the configuration.

use super::StartError;
use crate::auth::mail::{Courier, Smtp};
use crate::config::Config;
use crate::web::Letters;

/// None where no mail is sent.
pub(super) fn courier(config: &Config) -> Result<Option<Courier>, StartError> {
    let Some(options) = &config.mail else { return Ok(None) };
    let carrier = Box::new(Smtp::new(options.clone()).map_err(StartError::Mail)?);
    let words = Box::new(Letters::new(&config.pages)?);
    Ok(Some(Courier { carrier, words, own_pages: config.own_url("") }))
}
