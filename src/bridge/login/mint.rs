//! Making a member a session from the forum's database, and the first request with it.

use super::walk::Walk;
use super::{Forum, Login, Report, Step, Taken};
use crate::bridge::mint::{Minter, Unminted};
use crate::bridge::{Jar, Visitor};

impl Forum {
    /// Makes a session for the member of exactly this name, and has the forum's own page show that it takes it: once, and before
    /// anybody else uses the cookies, since phpBB draws new ones in answer to the first request with these.
    pub async fn mint(&self, minter: &Minter, name: &str, visitor: &Visitor) -> Report {
        let mut walk = Walk::new(&self.client, &*self.clock, visitor);
        let login = match self.minted(minter, name, &mut walk).await {
            Ok(jar) => Login::SignedIn(jar),
            Err(login) => login,
        };
        Report { login, steps: walk.steps, name: walk.name }
    }

    async fn minted(&self, minter: &Minter, name: &str, walk: &mut Walk<'_>) -> Result<Jar, Login> {
        let step = |said| Taken { step: Step::Mint, said };
        walk.steps.push(step(minter.place()));
        let form = self.preset.form.as_ref().ok_or_else(|| {
            Login::NotMinted(Unminted::Misconfigured("the preset has no form.check".to_owned()))
        })?;
        let minted = minter.mint(name, self.clock.now()).await.map_err(Login::NotMinted)?;
        walk.steps.push(step(format!("the member is number {} there; made {:?}", minted.member, minted.jar)));
        walk.jar = minted.jar.clone();
        let checked = self.check(form, name, walk).await;
        // Whatever came of it: what was left in the database for the first request has had its use.
        if let Err(why) = minter.tidy(&minted, &mut walk.jar, self.clock.now()).await {
            tracing::warn!(%why, "a key for the forum could not be taken out of its database again");
        }
        match checked {
            Ok(()) if minter.is_kept(&minted, &walk.jar) => Ok(std::mem::take(&mut walk.jar)),
            Ok(()) => {
                let said = "the forum shows the member and takes the cookie back: is its own address set to the public one?";
                Err(walk.stop(Step::Check, said, Login::NotMinted(Unminted::NotTaken)))
            }
            Err(Login::Unrecognised { step: Step::Check }) => Err(Login::NotMinted(Unminted::NotTaken)),
            Err(login) => Err(login),
        }
    }
}
