//! The hosted services: what of the configuration each gets.
//!
//! Not here: the services (muc, pubsub), hosts and sockets (`translate.rs`).

use std::sync::Arc;

use address::Jid;
use config::{Config, RoomCreation};
use kernel::Service;
use muc::{Creation, Defaults, Rooms, Settings};
use pubsub::PubSub;
use push::Pushes;

use crate::{proxy, secret, translate};

/// All of them, each at its own domain.
pub(crate) fn all(config: &Config, started_ms: u64) -> Vec<Arc<dyn Service>> {
    config.server.domains.iter().flat_map(|domain| of(config, domain, started_ms)).collect()
}

/// Those of one domain of accounts.
pub(crate) fn of(config: &Config, domain: &String, started_ms: u64) -> Vec<Arc<dyn Service>> {
    // One that fails here would make keys that can be guessed: better none of us.
    let random = Arc::new(|bytes: &mut [u8]| {
        if let Err(failure) = secret::random(bytes) {
            tracing::error!("{failure}");
            std::process::abort();
        }
    });
    let rooms = |domain: &String| -> Option<Arc<dyn Service>> {
        Some(Arc::new(Rooms::new(rooms(config, domain, started_ms)?, random.clone())))
    };
    let nodes = |domain: &String| -> Option<Arc<dyn Service>> { Some(Arc::new(nodes(config, domain)?)) };
    let pushes = |domain: &String| -> Option<Arc<dyn Service>> {
        Some(Arc::new(Pushes::new(push_domain(config, domain)?, Jid::parse(domain).ok()?, random.clone())))
    };
    let proxies =
        |domain: &String| -> Option<Arc<dyn Service>> { Some(Arc::new(proxy::service(config, domain)?)) };
    let own = rooms(domain).into_iter().chain(nodes(domain));
    own.chain(pushes(domain)).chain(proxies(domain)).collect()
}

/// Those of a domain, as service discovery lists them: address and name.
pub(crate) fn listed(config: &Config, domain: &str) -> Vec<(Jid, String)> {
    let rooms = rooms(config, domain, 0).into_iter().map(|rooms| (rooms.domain, rooms.name));
    let nodes =
        nodes(config, domain).into_iter().map(|nodes| (nodes.domain().clone(), nodes.name().to_owned()));
    let pushes = push_domain(config, domain).map(|service| (service, push::NAME.to_owned()));
    let proxy = proxy::service(config, domain).map(|proxy| (proxy.domain().clone(), proxy.name().to_owned()));
    rooms.chain(nodes).chain(pushes).chain(proxy).collect()
}

/// The push service of a domain, if it has one.
pub(crate) fn push_domain(config: &Config, domain: &str) -> Option<Jid> {
    let name = config.push.domain_of(domain);
    // A domain of accounts by that name has precedence.
    let has = config.push.service && !config.server.domains.contains(&name);
    has.then(|| Jid::parse(&name).ok())?
}

/// Where the rooms of a domain are, if it has any.
pub(crate) fn rooms_of(config: &Config, domain: &str) -> Option<Jid> {
    rooms(config, domain, 0).map(|rooms| rooms.domain)
}

/// The services of rooms: the domain of each, and that of its accounts.
pub(crate) fn of_rooms(config: &Config) -> Vec<(String, String)> {
    let settings = config.server.domains.iter().filter_map(|domain| rooms(config, domain, 0));
    settings.map(|rooms| (rooms.domain.as_str().to_owned(), rooms.host.as_str().to_owned())).collect()
}

/// The addresses of the rooms and nodes of these domains.
pub(crate) fn addresses(config: &Config, domains: &[String]) -> (Vec<String>, Vec<String>) {
    let rooms = domains.iter().filter_map(|domain| rooms(config, domain, 0));
    let nodes = domains.iter().filter_map(|domain| nodes(config, domain));
    (
        rooms.map(|rooms| rooms.domain.as_str().to_owned()).collect(),
        nodes.map(|nodes| nodes.domain().as_str().to_owned()).collect(),
    )
}

/// The nodes of a domain, if it has any.
fn nodes(config: &Config, domain: &str) -> Option<PubSub> {
    let name = format!("pubsub.{domain}");
    // A domain of accounts by that name has precedence.
    if !config.pubsub.enabled || config.server.domains.contains(&name) {
        return None;
    }
    Some(PubSub::new(Jid::parse(&name).ok()?, Jid::parse(domain).ok()?))
}

/// The rooms of a domain, if it has any.
fn rooms(config: &Config, domain: &str, started_ms: u64) -> Option<Settings> {
    let own = &config.rooms;
    if !own.enabled {
        return None;
    }
    // Checked when the configuration was read.
    let (service, host) = (Jid::parse(&own.domain_of(domain)).ok()?, Jid::parse(domain).ok()?);
    let creation = match own.creation {
        RoomCreation::Local => Creation::Local,
        RoomCreation::Anyone => Creation::Anyone,
        RoomCreation::Nobody => Creation::Nobody,
    };
    Some(Settings {
        creation,
        rooms_per_user: own.per_user,
        occupants: own.occupants,
        occupants_max: own.occupants_max,
        history: own.history,
        messages: own.messages_per_5_seconds,
        joins: own.joins_per_10_seconds,
        defaults: Defaults {
            persistent: own.persistent,
            public: own.public,
            members_only: own.members_only,
            moderated: own.moderated,
            non_anonymous: own.non_anonymous,
            archive: own.archive,
        },
        safety: translate::safety(config, domain),
        ..Settings::new(service, host, started_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_service_has_it() {
        let config = Config::default();
        let settings = rooms(&config, "example.org", 7).unwrap();
        let service = Settings::new(settings.domain.clone(), Jid::parse("example.org").unwrap(), 7);
        // What is counted is shared, and whom one finds is no matter of rooms.
        let settings = Settings { safety: Default::default(), ..settings };
        assert_eq!(format!("{settings:?}"), format!("{service:?}"));
        assert_eq!(listed(&config, "example.org")[0].0.as_str(), "conference.example.org");
    }
}
