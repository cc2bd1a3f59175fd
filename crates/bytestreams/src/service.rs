//! The proxy for bytestreams of a domain, as clients ask it: where it is, and that bytes shall pass.
//!
//! XEP-0065 1.8.2 sections 4 and 6.3.5, XEP-0030 2.5.0, XEP-0199 2.0.1
//!
//! Not here: the connections (`hall.rs`), their sockets (crate `mediator`).

use address::{Bare, Jid};
use kernel::{Answer, Iq, Rest, Service, Spot, Turn};
use model::bytestream::{Activated, Activation};
use model::query::{Found, Query};
use model::storage::{Loaded, Read};
use stanza::{Condition, IqType, Kind, MessageType, Stanza, StanzaError, ns};
use xml::Writer;

use crate::{Name, SID_BYTES_MAX};

/// Its name for people.
pub const NAME: &str = "File transfer";

/// What it can.
const FEATURES: &[&str] = &[ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::BYTESTREAMS];

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address.
    pub name: String,
    /// A port.
    pub port: u16,
}

/// The proxy for the accounts of a domain.
pub struct Proxy {
    domain: Jid,
    accounts: Jid,
    hosts: Vec<Host>,
}

impl Proxy {
    /// One at `domain` for the accounts of `accounts`.
    pub fn new(domain: Jid, accounts: Jid, hosts: Vec<Host>) -> Proxy {
        Proxy { domain, accounts, hosts }
    }

    /// Whether that is an account of the domain.
    fn is_ours(&self, who: &Jid) -> bool {
        who.local().is_some() && who.domain() == self.accounts.as_str()
    }
}

impl Service for Proxy {
    fn domain(&self) -> &Jid {
        &self.domain
    }

    fn name(&self) -> &str {
        NAME
    }

    fn wakes(&self, stanza: &Stanza) -> bool {
        !matches!(stanza.kind, Kind::Presence(_))
    }

    fn reads(&self, _: &Bare) -> Vec<Read> {
        Vec::new()
    }

    fn hydrate(&self, _: &mut Spot, _: Vec<Loaded>) {}

    fn arrive(&self, turn: &mut Turn<'_, Spot>, stanza: Stanza) {
        let here = turn.place.is_service() && stanza.to.as_ref().is_some_and(Jid::is_bare);
        match stanza.kind {
            Kind::Iq(IqType::Get | IqType::Set) if here => {
                let answer = self.asked(&stanza);
                kernel::answer(turn, stanza, answer);
            }
            Kind::Iq(IqType::Get | IqType::Set) => turn.fx.refuse(&stanza, Condition::ServiceUnavailable),
            Kind::Message(ty) if ty != MessageType::Error && !stanza.payload.is_empty() => {
                turn.fx.refuse(&stanza, Condition::ServiceUnavailable);
            }
            _ => {}
        }
    }

    fn rest(&self, spot: &Spot) -> Rest {
        // It has no state; but it would be made anew for each stanza.
        if spot.is_service() { Rest::Idle } else { Rest::Nothing }
    }
}

impl Proxy {
    fn asked(&self, stanza: &Stanza) -> Answer<Spot> {
        let Ok(tree) = stanza.payload.tree() else { return Condition::BadRequest.into() };
        let Some(payload) = tree.root() else { return Condition::BadRequest.into() };
        let iq = Iq { stanza, payload };
        match (payload.ns(), payload.name(), iq.is_set()) {
            (ns::DISCO_INFO | ns::DISCO_ITEMS, "query", false) => {
                let node = payload.attr("node").filter(|node| !node.is_empty());
                match node {
                    Some(_) => Condition::ItemNotFound.into(),
                    None if payload.ns() == ns::DISCO_INFO => info(),
                    None => Answer::Reply(query(ns::DISCO_ITEMS, |_| ())),
                }
            }
            (ns::PING, "ping", false) => Answer::done(),
            (ns::BYTESTREAMS, ..) if !self.is_ours(iq.from()) => StanzaError::from(Condition::Forbidden)
                .text("this proxy is for the accounts of its own domain")
                .into(),
            (ns::BYTESTREAMS, "query", false) => self.hosts(),
            (ns::BYTESTREAMS, "query", true) => activate(&iq).unwrap_or_else(Answer::Refuse),
            (ns::BYTESTREAMS, ..) => bad("only `query` is known here").into(),
            _ => Condition::ServiceUnavailable.into(),
        }
    }

    /// Section 4.
    fn hosts(&self) -> Answer<Spot> {
        Answer::Reply(query(ns::BYTESTREAMS, |w| {
            for Host { name, port } in &self.hosts {
                w.open("streamhost", ns::BYTESTREAMS).attr("host", name).attr("jid", self.domain.as_str());
                w.attr("port", port.to_string()).close();
            }
        }))
    }
}

/// Section 6.3.5. The asker is the requester: nobody else has the name of the stream.
fn activate(iq: &Iq<'_>) -> Result<Answer<Spot>, StanzaError> {
    let sid = iq.payload.attr("sid").filter(|sid| !sid.is_empty());
    let sid = sid.ok_or_else(|| bad("`sid` is missing"))?;
    if sid.len() > SID_BYTES_MAX {
        return Err(bad("`sid` is too long"));
    }
    let target = iq.payload.child("activate", ns::BYTESTREAMS);
    let target = target.ok_or_else(|| bad("`activate` is missing"))?.text();
    let target = Jid::parse(target.trim()).map_err(|_| bad("`activate` holds no address"))?;
    let name = Name::of(&sid, iq.from().as_str(), target.as_str());
    let activation = Activation { stream: name.into(), account: iq.from().bare() };
    Ok(Answer::ask(Query::Activate(activation), |_, found| match found {
        Found::Activated(Activated::Done) => Answer::done(),
        Found::Activated(Activated::Missing) => StanzaError::from(Condition::ItemNotFound)
            .text("nobody is connected for that stream, or it is active already")
            .into(),
        Found::Activated(Activated::Alone) => {
            StanzaError::from(Condition::NotAllowed).text("only one of the two is connected").into()
        }
        Found::Activated(Activated::TooMany) => {
            StanzaError::from(Condition::ResourceConstraint).text("too many streams of this account").into()
        }
        _ => Condition::ServiceUnavailable.into(),
    }))
}

fn info() -> Answer<Spot> {
    Answer::Reply(query(ns::DISCO_INFO, |w| {
        w.open("identity", ns::DISCO_INFO).attr("category", "proxy").attr("type", "bytestreams");
        w.attr("name", NAME).close();
        for feature in FEATURES {
            w.open("feature", ns::DISCO_INFO).attr("var", feature).close();
        }
    }))
}

fn query(ns: &'static str, inner: impl FnOnce(&mut Writer)) -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns);
    inner(&mut w);
    w.close();
    w.finish()
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).text(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Effect, Effects, Now};

    const OWN: &str = "alice@a.example/phone";

    fn turn<'a>(spot: &'a mut Spot, fx: &'a mut Effects) -> Turn<'a, Spot> {
        Turn::new(Now { unix_ms: 1 }, 1, spot, None, fx)
    }

    /// What is answered, and what was ordered.
    fn ask(from: &str, ty: &str, payload: &str, found: Activated) -> (String, Option<Activation>) {
        let jid = |text: &str| Jid::parse(text).unwrap();
        let hosts = vec![Host { name: "files.example".into(), port: 7777 }];
        let proxy = Proxy::new(jid("proxy.a.example"), jid("a.example"), hosts);
        let text = format!(
            "<iq xmlns='jabber:client' from='{from}' to='proxy.a.example' id='i' type='{ty}'>{payload}</iq>"
        );
        let stanza = Stanza::from_stored(text.as_bytes()).unwrap();
        let mut spot = Spot::new(Bare::parse("proxy.a.example").unwrap());
        let (mut fx, mut order) = (Effects::default(), None);
        proxy.arrive(&mut turn(&mut spot, &mut fx), stanza);
        loop {
            let Some(effect) = fx.take().into_iter().next() else { panic!("no answer: {payload}") };
            match effect {
                Effect::Route(stanza) => return (format!("{stanza:?}"), order),
                Effect::AskSpot(_, Query::Activate(activation), resume) => {
                    order = Some(activation);
                    resume(&mut turn(&mut spot, &mut fx), Ok(Found::Activated(found)));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn bytestreams(attrs: &str, inner: &str) -> String {
        format!("<query xmlns='http://jabber.org/protocol/bytestreams'{attrs}>{inner}</query>")
    }

    #[test]
    fn accounts_of_the_domain_learn_where_it_is() {
        let (seen, _) = ask(OWN, "get", &bytestreams("", ""), Activated::Off);
        assert!(
            seen.contains("<streamhost host='files.example' jid='proxy.a.example' port='7777'/>"),
            "{seen}"
        );
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let (seen, _) = ask("eve@b.example/x", "get", query, Activated::Off);
        assert!(
            seen.contains("<identity category='proxy' type='bytestreams' name='File transfer'/>"),
            "{seen}"
        );
        assert!(seen.contains("<feature var='http://jabber.org/protocol/bytestreams'/>"), "{seen}");
    }

    #[test]
    fn the_requester_activates() {
        let payload = bytestreams(" sid='x'", "<activate> Bob@B.example/PC </activate>");
        for (found, want) in [
            (Activated::Done, "type='result'"),
            (Activated::Missing, "<item-not-found "),
            (Activated::Alone, "<not-allowed "),
            (Activated::TooMany, "<resource-constraint "),
            (Activated::Off, "<service-unavailable "),
        ] {
            let (seen, order) = ask(OWN, "set", &payload, found);
            assert!(seen.contains(want), "{found:?}: {seen}");
            // Addresses are prepared before they are hashed.
            let stream = Name::of("x", OWN, "bob@b.example/PC").into();
            let account = Bare::parse("alice@a.example").unwrap();
            assert_eq!(order, Some(Activation { stream, account }));
        }
    }

    #[test]
    fn bad_requests_are_told_what_is_wrong() {
        let good = bytestreams(" sid='x'", "<activate>bob@b.example/pc</activate>");
        let long = format!(" sid='{}'", "x".repeat(SID_BYTES_MAX + 1));
        let activate = "<activate>bob@b.example/pc</activate>";
        for (from, ty, payload, condition, text) in [
            ("eve@b.example/x", "get", bytestreams("", ""), "forbidden", "accounts of its own domain"),
            ("eve@b.example/x", "set", good.clone(), "forbidden", "accounts of its own domain"),
            ("a.example", "set", good.clone(), "forbidden", "accounts of its own domain"),
            (OWN, "set", bytestreams("", activate), "bad-request", "`sid` is missing"),
            (OWN, "set", bytestreams(" sid=''", activate), "bad-request", "`sid` is missing"),
            (OWN, "set", bytestreams(&long, activate), "bad-request", "`sid` is too long"),
            (OWN, "set", bytestreams(" sid='x'", ""), "bad-request", "`activate` is missing"),
            (OWN, "set", bytestreams(" sid='x'", "<activate/>"), "bad-request", "no address"),
            (OWN, "set", bytestreams(" sid='x'", "<activate>@</activate>"), "bad-request", "no address"),
            (OWN, "set", good.replace("query", "queer"), "bad-request", "only `query`"),
            (OWN, "get", "<query xmlns='jabber:iq:roster'/>".into(), "service-unavailable", ""),
            (
                OWN,
                "get",
                "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>".into(),
                "item-not-found",
                "",
            ),
        ] {
            let (seen, order) = ask(from, ty, &payload, Activated::Done);
            assert!(seen.contains(&format!("<{condition} ")) && seen.contains(text), "{payload}: {seen}");
            assert_eq!(order, None, "{payload}");
        }
    }
}
