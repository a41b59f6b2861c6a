//! Putting a changed configuration into force while requests are served.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Services, StartError};
use crate::config::Config;
use crate::proxy::Gateway;
use crate::server::{Acme, Tls};

/// Applies a changed configuration to a running gateway.
#[derive(Clone)]
pub struct Reloader {
    pub(super) services: Services,
    pub(super) gateway: Arc<Gateway>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) acme: Option<Arc<Acme>>,
    pub(super) started_with: Arc<Config>,
}

impl Reloader {
    /// What works on accounts and sessions.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// See [`Running::reload`].
    pub async fn reload(&self, config: &Config) -> Result<Vec<&'static str>, StartError> {
        let rules = self.services.rules(config, Some(&self.gateway.rules().upstreams))?;
        rules.upstreams.look_up().await;
        if let Some((tls, options)) = self.tls.as_ref().zip(config.tls.clone()) {
            let acme = options.acme.clone();
            tls.replace(options)?;
            self.acme.iter().for_each(|it| it.replace(acme.clone()));
        }
        self.services.sessions.set_lifetimes(config.lifetimes);
        self.services.sessions.set_most(config.max_per_member);
        self.services.throttle.set_options(config.throttle)?;
        self.services.second_factors.set_options(config.second_factor.clone());
        self.gateway.replace_rules(rules);
        Ok(fixed_keys(&self.started_with, config))
    }
}

fn addresses(config: &Config) -> &[SocketAddr] {
    config.tls.as_ref().map_or(&[], |tls| &tls.listen)
}

/// What a running gateway can't change, as far as it differs.
fn fixed_keys(now: &Config, then: &Config) -> Vec<&'static str> {
    [
        ("server.listen", now.server.listen != then.server.listen),
        ("tls.listen", addresses(now) != addresses(then)),
        ("server.admin_listen", now.server.admin_listen != then.server.admin_listen),
        ("server.data_dir", now.server.data_dir != then.server.data_dir),
        ("server.threads", now.server.threads != then.server.threads),
        ("server.proxy_protocol", now.server.proxy_protocol != then.server.proxy_protocol),
        ("server.user", now.server.user != then.server.user),
        ("server.watch", now.server.watch != then.server.watch),
        ("server.drain_timeout", now.server.drain_timeout != then.server.drain_timeout),
        ("[connections]", now.proxy.connections != then.proxy.connections),
        ("upstream.pool_size", now.proxy.upstream.pool_size != then.proxy.upstream.pool_size),
        ("[password]", now.hashing != then.hashing || now.password != then.password),
        ("second_factor.key", now.second_factor.key_file != then.second_factor.key_file),
        ("[store]", now.store != then.store),
        ("[log]", now.log != then.log),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
