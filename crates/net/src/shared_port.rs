//! One port for all that begins with TLS: what a connection is for is told by its first message.
//!
//! RFC 7301 (ALPN), XEP-0368 1.1.0, RFC 7443 (`stun.turn`), RFC 8737 (`acme-tls/1`)
//!
//! Who offers several protocols gets the first of them that is served here. Who offers only others is refused with
//! `no_application_protocol`, so that nothing of one protocol is ever read as another (RFC 9325 section 3.8).
//!
//! Not here: the handshake (`tls/handshake.rs`), what is served (`carrier.rs`, `http/`, `relay.rs`, federation).

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::accept::client;
use crate::config::{NetConfig, Unnamed};
use crate::peers::Permit;
use crate::shared::Shared;
use crate::tls::{Purpose, go_on, read_hello, within};
use crate::wire::Wire;
use crate::{http, relay, servers};

/// Whom a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Ours, for this purpose.
    Own(Purpose),
    /// Another server's.
    Servers,
    /// Nobody's, unless it is a challenge.
    Nobody,
}

/// What of it is open.
struct Open {
    servers: bool,
    relay: bool,
    unnamed: Unnamed,
}

impl Open {
    fn of(config: &NetConfig) -> Open {
        Open { servers: config.servers.is_some(), relay: config.relay.is_some(), unnamed: config.unnamed }
    }

    /// Whom it is for, by what the peer offers.
    fn door(&self, offered: Option<&[Vec<u8>]>) -> Door {
        match offered {
            Some(offered) => offered.iter().find_map(|name| self.named(name)).unwrap_or(Door::Nobody),
            None => match self.unnamed {
                Unnamed::Web => Door::Own(Purpose::Web),
                Unnamed::Client => Door::Own(Purpose::Client),
                Unnamed::Refuse => Door::Nobody,
            },
        }
    }

    fn named(&self, name: &[u8]) -> Option<Door> {
        match name {
            b"xmpp-client" => Some(Door::Own(Purpose::Client)),
            b"http/1.1" => Some(Door::Own(Purpose::Web)),
            b"xmpp-server" if self.servers => Some(Door::Servers),
            b"stun.turn" | b"stun.nat-discovery" if self.relay => Some(Door::Own(Purpose::Relay)),
            _ => None,
        }
    }
}

/// Finds out whom a connection is for, and hands it over. Boxed, as the handshakes of other listeners are.
pub(crate) async fn serve(mut tcp: TcpStream, ip: IpAddr, permit: Permit, shared: Arc<Shared>) {
    let mut read = Vec::new();
    let reading = read_hello(&mut tcp, |bytes| read.extend_from_slice(bytes));
    let Some(hello) = Box::pin(within(&shared, ip, reading)).await else { return };
    let door = Open::of(&shared.config).door(hello.protocols().as_deref());
    if door == Door::Servers {
        return servers::hand_over(tcp, ip, true, read, permit, &shared.config.servers);
    }
    drop(read);
    let purpose = match door {
        Door::Own(purpose) => Some(purpose),
        Door::Servers | Door::Nobody => None,
    };
    let mut wire = Wire::new(tcp, permit, shared.counters().clone());
    let handshake = go_on(&mut wire, &shared.config.tls, purpose, hello);
    let (Some(Some(tls)), Some(purpose)) = (Box::pin(within(&shared, ip, handshake)).await, purpose) else {
        return;
    };
    shared.counters().handshakes.one();
    // Tasks of their own size, see `accept.rs`.
    match purpose {
        Purpose::Client => tokio::spawn(client(wire, ip, Some(tls), shared)),
        Purpose::Web => tokio::spawn(http::serve(wire, ip, Some(tls), shared)),
        Purpose::Relay => tokio::spawn(relay::serve(wire, shared)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_served_is_spoken_and_others_never() {
        let (client, web, relay) =
            (Door::Own(Purpose::Client), Door::Own(Purpose::Web), Door::Own(Purpose::Relay));
        let all = Open { servers: true, relay: true, unnamed: Unnamed::Web };
        let few = Open { servers: false, relay: false, unnamed: Unnamed::Refuse };
        for (open, offered, want) in [
            (&all, Some(&["xmpp-client"][..]), client),
            (&all, Some(&["h2", "http/1.1"]), web),
            (&all, Some(&["xmpp-server"]), Door::Servers),
            (&all, Some(&["xmpp-server", "xmpp-client"]), Door::Servers),
            (&all, Some(&["stun.turn"]), relay),
            (&all, Some(&["h2"]), Door::Nobody),
            (&all, Some(&["acme-tls/1"]), Door::Nobody),
            (&all, Some(&["XMPP-CLIENT", "http/1.0", ""]), Door::Nobody),
            (&all, Some(&[]), Door::Nobody),
            (&all, None, web),
            (&few, Some(&["xmpp-server"]), Door::Nobody),
            (&few, Some(&["xmpp-server", "xmpp-client"]), client),
            (&few, Some(&["stun.turn"]), Door::Nobody),
            (&few, None, Door::Nobody),
            (&Open { unnamed: Unnamed::Client, ..all }, None, client),
        ] {
            let bytes =
                |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
            let offered = offered.map(bytes);
            assert_eq!(open.door(offered.as_deref()), want, "{offered:?}");
        }
    }
}
