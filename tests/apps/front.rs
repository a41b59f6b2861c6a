//! The two ways to an application: straight to it, and through the gateway. A journey takes either and is the same code.

use std::net::SocketAddr;

use crate::support::browser::Browser;
use crate::support::gateway::{Gateway, Settings};

/// The member of the gateway. Her password there is not the one she has at the application.
pub(crate) const NAME: &str = "alice";
const PASSWORD: &str = "the gateway's own password";

/// A way to an application.
pub(crate) enum Front {
    Direct(SocketAddr),
    Gateway(Box<Gateway>),
}

impl Front {
    /// Through a gateway that lets guests read.
    pub(crate) async fn gateway(application: SocketAddr) -> Self {
        let settings = Settings { access: "default = \"guest\"", ..Settings::default() };
        let gateway = Gateway::with(application, settings).await;
        gateway.add_member(NAME, PASSWORD, &[]).await;
        Self::Gateway(Box::new(gateway))
    }

    /// A new browser on this way.
    pub(crate) fn browser(&self) -> Browser {
        let address = match self {
            Self::Direct(application) => *application,
            Self::Gateway(gateway) => gateway.address,
        };
        Browser::new(address, &format!("http://localhost:{}", address.port()))
    }

    /// Signs the member in at the gateway, if there is one.
    pub(crate) async fn sign_in(&self, browser: &mut Browser) {
        if let Self::Gateway(_) = self {
            sign_in(browser, NAME, PASSWORD).await;
            browser.get("/.passgate/account").await.assert_status(200).assert_says(NAME);
        }
    }

    /// Signs the member out at the gateway, if there is one.
    pub(crate) async fn sign_out(&self, browser: &mut Browser) {
        if let Self::Gateway(_) = self {
            sign_out(browser).await;
            let page = browser.get("/.passgate/account").await;
            assert_eq!(page.url.path(), "/.passgate/login");
        }
    }
}

/// Signs in at the gateway's own page.
pub(crate) async fn sign_in(browser: &mut Browser, name: &str, password: &str) {
    let page = browser.get("/.passgate/login").await;
    browser.submit(&page, "password", &[("username", name), ("password", password)]).await.assert_status(200);
}

/// Signs out by the form that is on every page of the gateway's.
pub(crate) async fn sign_out(browser: &mut Browser) {
    let page = browser.get("/.passgate/account").await;
    let form =
        page.forms().into_iter().find(|form| form.action().ends_with("/logout")).expect("a sign-out form");
    let fields: Vec<(&str, &str)> = form.fields().collect();
    browser.post_form(form.action(), &fields).await.assert_status(200);
}
