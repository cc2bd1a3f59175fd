//! What is known of the other end while a stream is negotiated.
//!
//! Not here: what an active stream needs (active.rs), which is much less.

use core::net::IpAddr;
use std::sync::Arc;

use address::Bare;
use model::grant::Grant;
use model::link::{About, Client, Link, Transport};
use sasl::{Channel, Mechanism, Offer};

use crate::random::Random;
use crate::{Settings, Tls};

/// One per stream, handed from state to state and dropped once the stream is bound.
pub(crate) struct Peer {
    pub(crate) ip: IpAddr,
    pub(crate) link: Arc<dyn Link>,
    pub(crate) random: Random,
    pub(crate) tls: Option<Tls>,
    /// `to` of the last header.
    pub(crate) domain: Option<Bare>,
    /// `from` of the last header. A hint until there is a [`Peer::login`].
    pub(crate) from: Option<Bare>,
    pub(crate) failures: u8,
    /// The token of an invitation that was accepted (XEP-0445).
    pub(crate) token: Option<String>,
    pub(crate) login: Option<LoggedIn>,
}

/// A login that succeeded.
pub(crate) struct LoggedIn {
    pub(crate) account: Bare,
    pub(crate) grant: Grant,
    pub(crate) mechanism: &'static str,
    pub(crate) client: Client,
}

impl Peer {
    /// What SASL may use: TLS, or the loopback where the operator trusts it.
    pub(crate) fn channel(&self, settings: &Settings) -> Channel {
        match &self.tls {
            Some(tls) => tls.channel.clone(),
            None if settings.plain_on_loopback && is_loopback(self.ip) => Channel::proxied(),
            None => Channel::plaintext(),
        }
    }

    /// What RFC 6120 SASL offers here; `None` where TLS must come first.
    pub(crate) fn sasl1(&self, settings: &Settings) -> Option<Offer> {
        let channel = self.channel(settings);
        channel.is_secure().then(|| Offer::sasl1(&possible(settings), &channel))
    }

    /// What XEP-0388 offers here; `None` where TLS must come first.
    pub(crate) fn sasl2(&self, settings: &Settings) -> Option<Offer> {
        let channel = self.channel(settings);
        channel.is_secure().then(|| Offer::sasl2(&possible(settings), &channel))
    }

    /// Whether `<starttls/>` is possible.
    pub(crate) fn may_start_tls(&self, settings: &Settings, transport: Transport) -> bool {
        transport == Transport::Tcp && settings.starttls && self.tls.is_none() && self.login.is_none()
    }

    /// Whether an account may be created on this stream.
    pub(crate) fn may_register(&self, settings: &Settings) -> bool {
        let open = self.domain.as_ref().is_some_and(|domain| settings.domains.registers(domain.domain()));
        (open || self.may_be_invited(settings)) && self.login.is_none() && self.channel(settings).is_secure()
    }

    /// Whether who holds an invitation may create an account on this stream (XEP-0445).
    pub(crate) fn may_be_invited(&self, settings: &Settings) -> bool {
        let invites = self.domain.as_ref().is_some_and(|domain| settings.domains.invites(domain.domain()));
        invites && self.login.is_none() && self.channel(settings).is_secure()
    }

    /// For the engine.
    pub(crate) fn about(&self, transport: Transport) -> Arc<About> {
        let login = self.login.as_ref();
        Arc::new(About {
            ip: self.ip,
            transport,
            tls: self.tls.as_ref().map(|tls| tls.about.clone()),
            mechanism: login.map_or("", |login| login.mechanism),
            client: login.map(|login| login.client.clone()).unwrap_or_default(),
        })
    }
}

/// Clients have passwords and tokens; certificates and nobodies are for other streams.
fn possible(settings: &Settings) -> Vec<Mechanism> {
    let strange = |m: &Mechanism| matches!(m, Mechanism::External | Mechanism::Anonymous);
    settings.mechanisms.iter().filter(|m| !strange(m)).copied().collect()
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
