//! The proxy for files from client to client, put together: its sockets, what clients are told, what is measured.
//!
//! Not here: the sockets (crate `mediator`), the rules and the requests (crate `bytestreams`).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use address::Jid;
use admin::{Failure, Measure, More};
use bytestreams::{Denied, Host, Limits, Proxy};
use config::Config;
use mediator::{Mediator, Settings};
use model::bytestream::{Activated, Activation};

use crate::serve::failed;

/// The proxy of a domain, if it has one.
pub(crate) fn service(config: &Config, domain: &str) -> Option<Proxy> {
    let name = config.bytestreams.domain_of(domain);
    // A domain of accounts by that name has precedence.
    let host = config.bytestreams.host.as_ref().filter(|_| !config.server.domains.contains(&name))?;
    let ports: BTreeSet<u16> = listening(config).iter().map(SocketAddr::port).collect();
    let hosts = ports.into_iter().map(|port| Host { name: host.clone(), port }).collect();
    Some(Proxy::new(Jid::parse(&name).ok()?, Jid::parse(domain).ok()?, hosts))
}

/// Checked when the configuration was read.
fn listening(config: &Config) -> Vec<SocketAddr> {
    config.listen.bytestreams.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Opens its sockets; `None`: there is none. To be called within a runtime.
///
/// # Errors
/// A socket cannot be had.
pub(crate) fn open(config: &Config) -> Result<Option<Mediator>, Failure> {
    if !config.bytestreams.is_on() {
        return Ok(None);
    }
    let mediator = Mediator::bind(settings(config), &listening(config));
    mediator
        .map(Some)
        .map_err(|error| failed(format_args!("{error}; is another server running on that port?")))
}

fn settings(config: &Config) -> Settings {
    let own = &config.bytestreams;
    let limits = Limits {
        connections: own.connections,
        connections_per_address: own.connections_per_address,
        streams_per_account: own.streams_per_account,
        idle_ms: own.idle_seconds.saturating_mul(1_000),
        ..Limits::default()
    };
    Settings {
        limits,
        bytes_per_second: own.bytes_per_second,
        bytes_per_second_per_account: own.bytes_per_second_per_account,
        bytes_per_second_in_all: own.bytes_per_second_in_all,
    }
}

/// The mediator, as the engine sees it.
pub(crate) struct Through(pub(crate) Mediator);

impl engine::Bytestreams for Through {
    fn activate(&self, activation: Activation) -> Activated {
        match self.0.activate(activation.stream.into(), activation.account.as_str()) {
            Ok(()) => Activated::Done,
            Err(Denied::Alone) => Activated::Alone,
            Err(Denied::TooMany | Denied::Full) => Activated::TooMany,
            Err(Denied::Missing | Denied::Taken) => Activated::Missing,
        }
    }
}

/// With what is measured of it.
pub(crate) fn more(mediator: Option<&Mediator>, others: More) -> More {
    let Some(mediator) = mediator.cloned() else { return others };
    Box::new(move || others().into_iter().chain(measures(&mediator)).collect())
}

fn measures(mediator: &Mediator) -> [Measure; 3] {
    use admin::MeasureKind::{Counter, Gauge};
    let ((connections, streams), passed) = (mediator.counts(), mediator.passed());
    [
        Measure::one(
            "bytestreams_connections",
            Gauge,
            "Connections to the proxy for files.",
            connections as u64,
        ),
        Measure::one("bytestreams_streams", Gauge, "Files that pass through it.", streams as u64),
        Measure::one("bytestreams_bytes", Counter, "Bytes that have passed through it.", passed),
    ]
}

/// Who answers the engine.
pub(crate) fn behind(mediator: Option<&Mediator>) -> Arc<dyn engine::Bytestreams> {
    match mediator {
        Some(mediator) => Arc::new(Through(mediator.clone())),
        None => Arc::new(engine::NoBytestreams),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_not_set_are_those_of_the_proxy() {
        assert_eq!(settings(&Config::default()).limits, Limits::default());
    }

    #[tokio::test]
    async fn a_proxy_is_there_once_it_can_say_where() {
        let mut config = Config::default();
        assert!(service(&config, "a.example").is_none());
        assert!(open(&config).is_ok_and(|mediator| mediator.is_none()));
        config.bytestreams.host = Some("files.example".into());
        assert!(service(&config, "a.example").is_some());
        config.server.domains.push("proxy.a.example".into());
        assert!(service(&config, "a.example").is_none(), "that is a domain of accounts");
        config.listen.bytestreams = vec!["127.0.0.1:0".into()];
        let mediator = open(&config).unwrap().unwrap();
        let activation = Activation { stream: [0; 20], account: address::Bare::parse("a@b").unwrap() };
        assert_eq!(behind(Some(&mediator)).activate(activation.clone()), Activated::Missing);
        assert_eq!(behind(None).activate(activation), Activated::Off);
    }

    /// The addresses are those of the default; only the port is one that is free here.
    #[tokio::test]
    async fn to_say_where_it_is_is_enough() {
        let mut config = Config::default();
        config.bytestreams.host = Some("files.example".into());
        assert_eq!(listening(&config).len(), 2, "both families");
        let had = (0..20).any(|_| {
            let mut config = config.clone();
            crate::serve::leave_out_ipv6(&mut config);
            let free = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
            for address in &mut config.listen.bytestreams {
                *address = address.replace(":7777", &format!(":{free}"));
            }
            open(&config).is_ok_and(|mediator| mediator.is_some())
        });
        assert!(had);
    }
}
