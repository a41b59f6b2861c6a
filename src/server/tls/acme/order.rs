//! One certificate, from the order to the text of it. Where the order is and with which key is written down as soon as that is
//! known, so that after a crash, or with an authority that takes its time, the next try goes on with the same one.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, ChallengeType,
    Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answers::Answers;
use super::failure::{Failure, Undo};
use super::folder::{Folder, ORDER};
use super::{AcmeOptions, ChallengeKind};
use crate::domain::Host;

/// How long an authority may take for looking at the answers, and again for the certificate, before the next try asks again. What it
/// says itself of waiting goes before the pauses here.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_secs(90));

/// An order as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Whose it is.
    account: String,
    names: Vec<String>,
    url: String,
    /// The key of the certificate to be, in PEM.
    key: Zeroizing<String>,
}

/// What a try has at hand.
pub(super) struct Try<'t> {
    pub(super) options: &'t AcmeOptions,
    pub(super) folder: &'t Folder,
    pub(super) answers: &'t Answers,
    pub(super) account: &'t Account,
    /// How many there were before, in a row; each begins with another kind of challenge.
    pub(super) failures: u32,
}

impl Try<'_> {
    /// The certificate with its key before it and its authority's behind it, in PEM. `replaced` is the one it is to follow
    /// (RFC 9773 §5).
    pub(super) async fn certificate(
        &self,
        replaced: Option<CertificateIdentifier<'static>>,
    ) -> Result<Zeroizing<String>, Failure> {
        let (mut order, key) = match self.kept().await? {
            Some(kept) => kept,
            None => self.place(replaced).await?,
        };
        if order.state().status == OrderStatus::Pending {
            self.prove(&mut order).await?;
            let status = order.poll_ready(&PATIENCE).await;
            if !matches!(status, Ok(OrderStatus::Ready)) {
                return Err(self.refused(&mut order, status.err()).await);
            }
        }
        if order.state().status == OrderStatus::Invalid {
            return Err(self.refused(&mut order, None).await);
        }
        if order.state().status == OrderStatus::Ready {
            let request = self.request(&key).map_err(|why| Failure::new(why, Undo::Order))?;
            let sent = order.finalize_csr(&request).await;
            sent.map_err(|error| Failure::of_order("the order's end", error))?;
        }
        match order.poll_certificate(&PATIENCE).await {
            Ok(chain) => Ok(Zeroizing::new(format!("{}{chain}", *key))),
            Err(error) if order.state().status == OrderStatus::Invalid => {
                Err(self.refused(&mut order, Some(error)).await)
            }
            Err(error) => Err(Failure::of_order("the certificate", error)),
        }
    }

    /// The order that is under way, if it is for what is wanted now.
    async fn kept(&self) -> Result<Option<(Order, Zeroizing<String>)>, Failure> {
        let Some(text) = self.folder.read(ORDER).map_err(Failure::of_files)? else { return Ok(None) };
        let kept = serde_json::from_str(&text).ok();
        let Some(Kept { url, key, .. }) = kept.filter(|kept| self.is_wanted(kept)) else { return Ok(None) };
        // Its certificate has come, and then there was a crash.
        if self.folder.is_in_use(&key).map_err(Failure::of_files)? {
            return Ok(None);
        }
        let order = self.account.order(url).await;
        let order = order.map_err(|error| Failure::of_order("the order that is under way", error))?;
        Ok(Some((order, key)))
    }

    fn is_wanted(&self, kept: &Kept) -> bool {
        kept.account == self.account.id() && kept.names == names(self.options)
    }

    /// Places an order.
    async fn place(
        &self,
        replaced: Option<CertificateIdentifier<'static>>,
    ) -> Result<(Order, Zeroizing<String>), Failure> {
        let names = names(self.options);
        let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let mut new = NewOrder::new(&identifiers);
        if let Some(replaced) = replaced {
            new = new.replaces(replaced);
        }
        let order = self.account.new_order(&new).await;
        let order = order.map_err(|error| Failure::of_account("a new order", error))?;
        let key = KeyPair::generate().map_err(|error| Failure::new(error.to_string(), Undo::Nothing))?;
        let key = Zeroizing::new(key.serialize_pem());
        let (account, url) = (self.account.id().to_owned(), order.url().to_owned());
        let text = serde_json::to_string(&Kept { account, names, url, key: key.clone() }).map(Zeroizing::new);
        let text = text.map_err(|_| Failure::new("the order can't be written down", Undo::Nothing))?;
        self.folder.write(ORDER, &text).map_err(Failure::of_files)?;
        Ok((order, key))
    }

    /// Answers for each name that is not proved yet.
    async fn prove(&self, order: &mut Order) -> Result<(), Failure> {
        if order.state().authorizations.len() > self.options.names.len() {
            return Err(Failure::new("the order asks to prove more names than it has", Undo::Order));
        }
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization =
                authorization.map_err(|error| Failure::of_order("what is to be proved", error))?;
            self.answer(authorization).await?;
        }
        Ok(())
    }

    async fn answer(&self, mut authorization: AuthorizationHandle<'_>) -> Result<(), Failure> {
        let name = authorization.identifier().to_string();
        let host = Host::parse(&name).ok().filter(|host| self.options.names.contains(host));
        let Some(host) = host else {
            return Err(Failure::new("the order asks to prove a name that is not in it", Undo::Order));
        };
        match authorization.status {
            AuthorizationStatus::Valid => return Ok(()),
            AuthorizationStatus::Pending => {}
            other => return Err(Failure::new(format!("the proof for {host} is {other:?}"), Undo::Order)),
        }
        let Some(kind) = self.kind(&authorization) else {
            let kinds: Vec<_> = self.options.challenges.iter().map(|kind| kind.as_str()).collect();
            let why = format!("{host} can't be proved there by {}", kinds.join(" or "));
            return Err(Failure::new(why, Undo::Order));
        };
        let Some(mut challenge) = authorization.challenge(challenge_type(kind)) else { return Ok(()) };
        let answered =
            self.answers.offer(kind, host.clone(), &challenge.token, &challenge.key_authorization());
        answered.map_err(|why| Failure::new(format!("{kind} for {host}: {why}"), Undo::Order))?;
        if challenge.status == ChallengeStatus::Pending {
            let ready = challenge.set_ready().await;
            ready.map_err(|error| Failure::of_order(&format!("{kind} for {host}"), error))?;
        }
        Ok(())
    }

    /// How to prove it: as has begun already, or by the first kind that is offered, from another one on with each try.
    fn kind(&self, authorization: &AuthorizationHandle<'_>) -> Option<ChallengeKind> {
        let kinds = &self.options.challenges;
        let offered = |kind: &&ChallengeKind, status: Option<ChallengeStatus>| {
            authorization.challenges.iter().any(|challenge| {
                challenge.r#type == challenge_type(**kind)
                    && status.is_none_or(|status| challenge.status == status)
            })
        };
        let begun = kinds.iter().find(|kind| offered(kind, Some(ChallengeStatus::Processing)));
        let first = usize::try_from(self.failures).unwrap_or_default() % kinds.len().max(1);
        let mut in_turn = kinds.iter().cycle().skip(first).take(kinds.len());
        begun.or_else(|| in_turn.find(|kind| offered(kind, None))).copied()
    }

    /// Why an order came to nothing: what the authority says of each name.
    async fn refused(&self, order: &mut Order, error: Option<instant_acme::Error>) -> Failure {
        if order.state().status != OrderStatus::Invalid {
            let unknown = || Failure::new("the order does not become ready", Undo::Order);
            return error.map_or_else(unknown, |error| Failure::of_order("the proof", error));
        }
        let mut reasons: Vec<_> =
            error.into_iter().map(|error| Failure::of("the order", error).to_string()).collect();
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            if authorization.refresh().await.is_err() {
                break;
            }
            let name = authorization.identifier().to_string();
            let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.clone());
            reasons.extend(errors.map(|error| Failure::of(&name, error.into()).to_string()));
        }
        Failure::new(format!("the authority refuses: {}", reasons.join("; ")), Undo::Order)
    }

    /// The request for the certificate (RFC 2986): the names, and nothing else.
    fn request(&self, key: &str) -> Result<Vec<u8>, String> {
        let words = |error: rcgen::Error| error.to_string();
        let key = KeyPair::from_pem(key).map_err(words)?;
        let mut params = CertificateParams::new(names(self.options)).map_err(words)?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&key).map_err(words)?.der().to_vec())
    }
}

/// Forgets the order that is under way.
///
/// # Errors
/// If its file can't be removed.
pub(super) fn forget(folder: &Folder) -> std::io::Result<()> {
    folder.remove(ORDER)
}

fn names(options: &AcmeOptions) -> Vec<String> {
    options.names.iter().map(ToString::to_string).collect()
}

const fn challenge_type(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::Http01 => ChallengeType::Http01,
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}
