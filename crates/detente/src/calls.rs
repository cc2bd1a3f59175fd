//! What calls need, put together: the relay of this server with its secret, and what clients are told (XEP-0215).
//!
//! Not here: the relay (crate `relay`), the answer to clients (features), TCP and TLS (net).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use admin::Failure;
use config::{Config, Turn};
use kernel::{Access, ExternalService};
use net::{Duplex, Pending};
use relay::Relay;
use turn::peers::{Peers, Range};
use turn::{Limits, Settings};

use crate::secret;
use crate::serve::failed;

/// What credentials are made with.
pub(crate) type Secret = Arc<[u8]>;

/// The operator's secret, or our own.
///
/// # Errors
/// Ours cannot be read or written.
pub(crate) fn secret(config: &Config) -> Result<Secret, Failure> {
    match &config.turn.secret {
        Some(secret) => Ok(secret.as_bytes().into()),
        None if config.turn.is_on() => Ok(secret::relay_key(&config.data_dir())?.as_slice().into()),
        None => Ok(Arc::default()),
    }
}

/// Opens the sockets of the relay; `None`: there is none. To be called within a runtime.
///
/// # Errors
/// A socket cannot be had, or there are no random numbers.
pub(crate) fn open(config: &Config, secret: &Secret) -> Result<Option<Relay>, Failure> {
    if !config.turn.is_on() {
        return Ok(None);
    }
    let mut seed = [0; 32];
    secret::random(&mut seed)?;
    let listening = parsed(&config.listen.turn);
    let relay = Relay::bind(settings(config, secret, seed), &listening)
        .map_err(|error| failed(format_args!("{error}; is another server running on that port?")))?;
    Ok(Some(relay))
}

fn settings(config: &Config, secret: &Secret, seed: [u8; 32]) -> Settings {
    let turn = &config.turn;
    let mut denied = Turn::ranges(&turn.denied_peers);
    denied.extend(own_addresses(config));
    Settings {
        secret: secret.to_vec(),
        realm: config.server.domains.first().cloned().unwrap_or_default(),
        external: turn.addresses(),
        ports: turn.port_first..=turn.port_last,
        peers: Peers { allowed: Turn::ranges(&turn.allowed_peers), denied },
        limits: Limits {
            allocations: turn.allocations,
            allocations_per_user: turn.allocations_per_user,
            bytes_per_second_per_user: turn.bytes_per_second_per_user,
            bytes_per_second: turn.bytes_per_second,
        },
        seed,
    }
}

/// Addresses of this machine that are not private and so are not denied anyway: where we listen, and from where the system
/// would send to the Internet. Nothing is sent for this.
fn own_addresses(config: &Config) -> Vec<Range> {
    let listen = &config.listen;
    let of_clients = [&listen.c2s, &listen.c2s_tls, &listen.http, &listen.https, &listen.shared];
    let lists = of_clients.into_iter().chain([&listen.turn, &listen.turn_tls]);
    let listening = lists.flat_map(|list| parsed(list)).map(|address| address.ip());
    let outward = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let outward = outward.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    let public = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback();
    let all: BTreeSet<IpAddr> = listening.chain(outward).filter(public).collect();
    all.iter().filter_map(|ip| ip.to_string().parse().ok()).collect()
}

/// Checked when the configuration was read.
fn parsed(addresses: &[String]) -> Vec<SocketAddr> {
    addresses.iter().filter_map(|text| text.parse().ok()).collect()
}

/// What clients of a domain are told: our own first, then those of others.
pub(crate) fn services(config: &Config, domain: &str, secret: &Secret) -> Vec<ExternalService> {
    let others = config.external.values().map(|service| ExternalService {
        ty: service.ty.clone(),
        host: service.host.clone(),
        port: service.port,
        transport: service.transport.clone(),
        access: match (&service.secret, &service.username, &service.password) {
            (Some(secret), ..) => expiring(config, &secret.as_bytes().into()),
            (None, Some(username), Some(password)) => {
                Access::Fixed { username: username.clone(), password: password.clone() }
            }
            _ => Access::Open,
        },
    });
    ours(config, domain, secret).into_iter().chain(others).collect()
}

fn expiring(config: &Config, secret: &Secret) -> Access {
    Access::Expiring { secret: secret.clone(), seconds: config.turn.credential_hours * 3_600 }
}

fn ours(config: &Config, domain: &str, secret: &Secret) -> Vec<ExternalService> {
    let turn = &config.turn;
    if !turn.is_on() {
        return Vec::new();
    }
    let hosts = match &turn.host {
        Some(host) => vec![host.clone()],
        None => turn.addresses().iter().map(IpAddr::to_string).collect(),
    };
    let ports = |list| parsed(list).into_iter().map(|address| address.port()).collect::<BTreeSet<u16>>();
    let service = |ty: &str, host: &str, port, transport: &str, access| ExternalService {
        ty: ty.to_owned(),
        host: host.to_owned(),
        port: Some(port),
        transport: Some(transport.to_owned()),
        access,
    };
    let mut all = Vec::new();
    for (host, port) in
        hosts.iter().flat_map(|host| ports(&config.listen.turn).into_iter().map(move |port| (host, port)))
    {
        all.push(service("stun", host, port, "udp", Access::Open));
        all.push(service("turn", host, port, "udp", expiring(config, secret)));
        all.push(service("turn", host, port, "tcp", expiring(config, secret)));
    }
    // Certificates are for names.
    let host = turn.host.as_deref().unwrap_or(domain);
    let secure = ports(&config.listen.turn_tls).into_iter();
    all.extend(secure.map(|port| service("turns", host, port, "tcp", expiring(config, secret))));
    all
}

/// The relay, as the sockets of net see it.
pub(crate) struct Through(pub(crate) Relay);

impl net::Relay for Through {
    fn serve(&self, connection: Box<dyn Duplex>, from: SocketAddr) -> Pending<'static, ()> {
        let relay = self.0.clone();
        Box::pin(async move { relay.serve(connection, from).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        let services = services(&config, "a.example", &Arc::from(&b"secret"[..]));
        let line = |service: ExternalService| {
            let (port, transport) = (service.port.unwrap_or(0), service.transport.unwrap_or_default());
            format!("{} {} {port} {transport} {:?}", service.ty, service.host, service.access)
        };
        services.into_iter().map(line).collect()
    }

    #[test]
    fn clients_are_told_what_there_is() {
        assert_eq!(told(|_| {}), [""; 0]);
        let by_address = told(|config| config.turn.external_address = vec!["203.0.113.1".into()]);
        let want = [
            "stun 203.0.113.1 3478 udp Open",
            "turn 203.0.113.1 3478 udp Expiring(..)",
            "turn 203.0.113.1 3478 tcp Expiring(..)",
            "turns a.example 5349 tcp Expiring(..)",
        ];
        assert_eq!(by_address, want);
        let by_name = told(|config| {
            config.turn.external_address = vec!["203.0.113.1".into(), "2001:db8::1".into()];
            config.turn.host = Some("turn.example".into());
            config.listen.turn_tls.clear();
            let other =
                config::External { ty: "turn".into(), host: "b.example".into(), ..Default::default() };
            config
                .external
                .insert("b".into(), config::External { secret: Some("x".into()), ..other.clone() });
            let (username, password) = (Some("u".into()), Some("p".into()));
            config.external.insert("c".into(), config::External { username, password, ..other });
        });
        let want = [
            "stun turn.example 3478 udp Open",
            "turn turn.example 3478 udp Expiring(..)",
            "turn turn.example 3478 tcp Expiring(..)",
            "turn b.example 0  Expiring(..)",
            "turn b.example 0  Fixed(..)",
        ];
        assert_eq!(by_name, want);
    }

    #[test]
    fn limits_that_are_not_set_are_those_of_the_relay() {
        let settings = settings(&Config::default(), &Arc::default(), [0; 32]);
        assert_eq!(settings.limits, Limits::default());
    }
}
