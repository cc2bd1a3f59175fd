//! From an address to a usable session: TLS, SASL (RFC 6120 sections 5 to 7), bind, roster and presence (RFC 6121),
//! in-band registration (XEP-0077 2.4), and the relay's greeting.
//!
//! Not here: the stream itself (`session.rs`), SCRAM (`scram.rs`).

use crate::account::Account;
use crate::cli::Mechanism;
use crate::scan::{self, Scanner, has};
use crate::scram::{Exchange, HASHES};
use crate::session::Session;
use crate::target::{Security, Target};
use crate::{Outcome, wire::Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

impl Target {
    /// Connects; with direct TLS, does the handshake.
    ///
    /// # Errors
    /// Of the connection or of TLS.
    pub async fn connect(&self) -> Outcome<Wire> {
        let mut wire = Wire::new(TcpStream::connect(self.at).await?)?;
        if self.security == Security::Direct {
            self.secure(&mut wire).await?;
        }
        Ok(wire)
    }

    async fn secure(&self, wire: &mut Wire) -> Outcome<()> {
        let client = rustls::ClientConnection::new(self.tls.clone(), self.name.clone())?;
        wire.secure(client).await?;
        self.note(|chosen| chosen.tls = wire.agreed());
        Ok(())
    }

    async fn header(&self, session: &mut Session) -> Outcome<Vec<u8>> {
        session.queue(&format!(
            "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xml:lang='en' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
            self.domain
        ));
        session.next().await
    }

    /// Connects and opens a stream, encrypted as the command line says. Returns the features too.
    ///
    /// # Errors
    /// Of the connection, of TLS or of the stream.
    async fn open(&self) -> Outcome<(Session, Vec<u8>)> {
        let mut session = Session::new(self.connect().await?, Scanner::default());
        let mut features = self.header(&mut session).await?;
        if self.security == Security::StartTls {
            session.queue("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            if !session.next().await?.starts_with(b"<proceed") {
                return Err("STARTTLS refused".into());
            }
            session.restart();
            self.secure(&mut session.wire).await?;
            features = self.header(&mut session).await?;
        }
        Ok((session, features))
    }

    /// Authenticates; binds and resumes nothing.
    ///
    /// # Errors
    /// Of the connection, or anything refused.
    pub async fn prove(&self, account: &Account) -> Outcome<Session> {
        let (mut session, features) = self.open().await?;
        self.sasl(&mut session, account, &features).await?;
        session.restart();
        self.header(&mut session).await?;
        Ok(session)
    }

    /// Authenticates and binds a resource; sends no presence.
    ///
    /// # Errors
    /// Of the connection, or anything refused.
    pub async fn authenticate(&self, account: &Account, resource: &str) -> Outcome<Session> {
        let mut session = self.prove(account).await?;
        let bind = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        );
        let bound = session.request("bind", &bind).await?;
        session.jid = scan::text(&bound, "jid").ok_or("bound to no JID")?.to_owned();
        Ok(session)
    }

    async fn sasl(&self, session: &mut Session, account: &Account, features: &[u8]) -> Outcome<()> {
        let offers = |name: &str| has(features, &format!("<mechanism>{name}</mechanism>"));
        let wanted = |name: &str| match self.mechanism {
            Mechanism::Auto => true,
            Mechanism::Sha1 => name == "SCRAM-SHA-1",
            Mechanism::Sha256 => name == "SCRAM-SHA-256",
            Mechanism::Sha512 => name == "SCRAM-SHA-512",
            Mechanism::Plain => name == "PLAIN",
        };
        let hash = HASHES.iter().find(|hash| wanted(hash.mechanism) && offers(hash.mechanism));
        if let Some(hash) = hash {
            return self.scram(session, account, Exchange::new(hash, &account.name), hash.mechanism).await;
        }
        if !(wanted("PLAIN") && offers("PLAIN")) {
            return Err(format!("no usable mechanism in {}", String::from_utf8_lossy(features)).into());
        }
        self.note(|chosen| chosen.mechanism = "PLAIN".to_owned());
        let secret = STANDARD.encode(format!("\0{}\0{}", account.name, account.password));
        say(session, "auth", " mechanism='PLAIN'", &secret);
        heard(session, "success").await.map(drop)
    }

    async fn scram(
        &self,
        session: &mut Session,
        account: &Account,
        mut exchange: Exchange,
        mechanism: &str,
    ) -> Outcome<()> {
        say(session, "auth", &format!(" mechanism='{mechanism}'"), &exchange.first());
        let challenge = heard(session, "challenge").await?;
        let answer = exchange.answer(&challenge, &account.password, &self.keys)?;
        say(session, "response", "", &answer);
        exchange.check(&heard(session, "success").await?)?;
        self.note(|chosen| {
            mechanism.clone_into(&mut chosen.mechanism);
            chosen.iterations = exchange.iterations;
        });
        Ok(())
    }

    /// The whole login of a client: authenticate, bind, fetch the roster, send initial presence.
    /// Of the relay: name our mailbox and that of `peer`.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn log_in(&self, account: &Account, resource: &str, peer: &str) -> Outcome<Session> {
        self.patiently(&format!("login of {}", account.name), async {
            if self.relay {
                return self.greet(&account.name, peer).await;
            }
            let mut session = self.authenticate(account, resource).await?;
            session.request("roster", ROSTER).await?;
            session.queue("<presence/>");
            session.wire.flush().await?;
            Ok(session)
        })
        .await
    }

    /// Ends sessions as a well-behaved client does, all at the same time.
    ///
    /// # Errors
    /// If the server does not end its streams.
    pub async fn leave(self: &Arc<Self>, sessions: impl IntoIterator<Item = Session>) -> Outcome<()> {
        let mut tasks = JoinSet::new();
        for mut session in sessions {
            if self.relay {
                session.wire.close().await?;
            } else {
                tasks.spawn(session.leave());
            }
        }
        self.patiently("logout", async { Ok(tasks.join_all().await) }).await.map(drop)
    }

    async fn greet(&self, name: &str, peer: &str) -> Outcome<Session> {
        let mut wire = self.connect().await?;
        wire.out().extend_from_slice(format!("HELLO {name} {peer}\n").as_bytes());
        while wire.received().len() < 3 {
            wire.fill().await?;
        }
        if !wire.received().starts_with(b"OK\n") {
            return Err("this is not the relay".into());
        }
        wire.take(3);
        let mut session = Session::new(wire, Scanner::inside());
        session.jid = format!("{name}@{}/relay", self.domain);
        Ok(session)
    }

    /// Creates an account; one that exists is fine.
    ///
    /// # Errors
    /// If the server refuses for another reason.
    pub async fn register(&self, account: &Account) -> Outcome<()> {
        self.patiently("register", async {
            let (mut session, _) = self.open().await?;
            let set = format!(
                "<iq type='set' id='reg' to='{}'><query xmlns='jabber:iq:register'><username>{}</username>\
                 <password>{}</password></query></iq>",
                self.domain, account.name, account.password
            );
            let done = session.request("reg", &set).await.map(drop);
            session.leave().await;
            done.or_else(|fault| if fault.to_string().contains("<conflict") { Ok(()) } else { Err(fault) })
        })
        .await
    }
}

/// Asks for the roster; the result has the id `roster`.
pub const ROSTER: &str = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";

fn say(session: &mut Session, name: &str, attributes: &str, content: &str) {
    session
        .queue(&format!("<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'{attributes}>{content}</{name}>"));
}

async fn heard(session: &mut Session, name: &str) -> Outcome<String> {
    let element = session.next().await?;
    if has(&element[..element.len().min(name.len() + 1)], name) {
        return Ok(scan::text(&element, name).unwrap_or_default().to_owned());
    }
    Err(format!("SASL: expected {name}, got {}", String::from_utf8_lossy(&element)).into())
}
