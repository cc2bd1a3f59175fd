//! One execution of a row: its transport, its address, and clients as far as they shall be.
//!
//! Not here: who runs it (`runner.rs`).

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Outcome;
use crate::client::{Client, Socket, Transport};
use crate::row::{At, Check, Row, Say};
use crate::server::Server;

/// How long a line in the log may take.
const LOGGED: Duration = Duration::from_secs(10);

/// The circumstances of one execution.
pub(crate) struct Stage<'a> {
    pub(crate) server: &'a Server,
    pub(crate) transport: Transport,
    pub(crate) from: Ipv4Addr,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(server: &'a Server, transport: Transport) -> Stage<'a> {
        Stage { server, transport, from: server.address() }
    }

    /// Connected, encrypted.
    pub(crate) fn connect(&self) -> Outcome<Client> {
        Client::connect(&self.server.target, self.transport, self.from)
    }

    /// A socket on which a handshake is due.
    pub(crate) fn before_tls(&self) -> Outcome<Socket> {
        Client::before_tls(&self.server.target, self.transport, self.from)
    }

    /// The protocol that is named in handshakes here (RFC 7301).
    pub(crate) fn alpn(&self) -> &'static [u8] {
        if self.transport.is_framed() { b"http/1.1" } else { b"xmpp-client" }
    }

    /// Connected, features read.
    pub(crate) fn offered(&self) -> Outcome<Client> {
        let mut client = self.connect()?;
        client.offered()?;
        Ok(client)
    }

    /// Bound; with the full address.
    pub(crate) fn bound(&self, user: &str) -> Outcome<(Client, String)> {
        self.bound_with(user, "")
    }

    /// Bound and available.
    pub(crate) fn online(&self, user: &str) -> Outcome<(Client, String)> {
        let (mut client, jid) = self.bound_with(user, "")?;
        client.say("<presence xmlns='jabber:client'/>")?;
        client.probe("online")?;
        Ok((client, jid))
    }

    /// Bound by Bind 2 with more inside.
    pub(crate) fn bound_with(&self, user: &str, inside: &str) -> Outcome<(Client, String)> {
        let mut client = self.connect()?;
        let jid = client.log_in_and_bind(user, inside)?;
        Ok((client, jid))
    }

    /// A client that has come so far. Its account's name must be kept as long.
    fn at(&self, at: At, user: &str) -> Outcome<Client> {
        let mut client = match at {
            At::Start => return self.connect(),
            At::Clear => {
                let mut client = Client::plain(&self.server.target, self.from)?;
                client.offered()?;
                return Ok(client);
            }
            At::Offered | At::Exchange => self.offered()?,
            At::Unbound => {
                let mut client = self.connect()?;
                client.log_in(user)?;
                return Ok(client);
            }
            At::Active | At::Managed => self.bound(user)?.0,
        };
        match at {
            At::Exchange => {
                client.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>")?;
                client.until("<challenge")?;
                client.until(">")?;
                client.seen.clear();
            }
            At::Managed => {
                client.say("<enable xmlns='urn:xmpp:sm:3'/>")?;
                client.until("<enabled")?;
                client.until(">")?;
            }
            _ => {}
        }
        Ok(client)
    }

    /// Runs one check of a row.
    pub(crate) fn run(&self, row: &Row, check: &Check) -> Outcome {
        match check {
            Check::Script { run, .. } => run(self)?,
            Check::Say { at, say, verdict, .. } => {
                let user = self.server.borrow_user()?;
                let mut client = self.at(*at, &user.name)?;
                for one in say {
                    match one {
                        Say::Raw(bytes) => client.say(bytes)?,
                        Say::Pieces(bytes, size) => client.say_in_pieces(bytes, *size)?,
                        Say::Open(attributes) => client.open(attributes)?,
                    }
                }
                verdict.check(&mut client, *at)?;
            }
        }
        match row.logged {
            Some(word) if !self.server.log.wait_for(self.from, word, LOGGED) => {
                Err(format!("no line with {word:?} about {} in the log", self.from))
            }
            _ => Ok(()),
        }
    }
}
