//! A client as a row needs it: logs in over one of the ways, asks, and waits for what shall come.
//!
//! RFC 6120, RFC 6121, XEP-0388 1.0.4, XEP-0386 1.1.0
//!
//! Not here: bytes (`lanes.rs`), what is asked (`rows/`).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xml::{El, Tree};

use crate::lanes::{Heard, Way};
use crate::scram::Scram;
use crate::server::{Account, Server};
use crate::socket::{PATIENCE, Socket};
use crate::verdict::{Lack, Said, broken, missing};

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub(crate) const SASL2: &str = "urn:xmpp:sasl:2";

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    StartTls,
    Direct,
    WebSocket,
    Bosh,
}

/// A client.
pub(crate) struct Client<'a> {
    pub(crate) server: &'a Server,
    pub(crate) way: Way,
    /// Features that were offered last.
    pub(crate) features: Heard,
    /// The full address, once bound.
    pub(crate) jid: String,
    /// What came and was not waited for.
    pub(crate) inbox: Vec<Heard>,
    asked: u32,
    /// Its connection breaks, without a goodbye.
    pub(crate) cut: bool,
}

impl Drop for Client<'_> {
    /// Leaves no session behind that would be online in the next row.
    fn drop(&mut self) {
        if !self.cut && matches!(self.way.lane, crate::lanes::Lane::Stream { .. }) {
            let _ = self.way.send(self.server, "</stream:stream>");
        }
    }
}

impl Heard {
    pub(crate) fn has(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    /// Looks at it as a tree.
    pub(crate) fn look<T>(&self, see: impl FnOnce(El<'_>) -> T) -> Said<T> {
        let tree = Tree::parse(self.text.as_bytes(), &self.below)
            .map_err(|error| Lack::Broken(format!("{error:?} in {}", self.text)))?;
        let root = tree.root().ok_or_else(|| Lack::Broken("nothing".into()))?;
        Ok(see(root))
    }

    /// An attribute of its start tag.
    pub(crate) fn attr(&self, name: &str) -> Option<String> {
        self.look(|el| el.attr(name).map(|value| value.into_owned())).ok().flatten()
    }

    /// What stands between the first such tag and the next one; canonical form has no prefix.
    pub(crate) fn text_of(&self, tag: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("<{tag}"))?;
        rest.split_once('>')?.1.split('<').next()
    }

    /// The value of an attribute of the first such tag.
    pub(crate) fn attr_of(&self, tag: &str, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("<{tag} "))?;
        let start = rest.split('>').next()?;
        let start = format!(" {start}").find(&format!(" {name}='"))? + name.len() + 2;
        rest.get(start..)?.split('\'').next()
    }

    /// All texts of such elements.
    pub(crate) fn texts(&self, tag: &str) -> Vec<String> {
        let tag = format!("<{tag}>");
        self.text.split(&tag).skip(1).filter_map(|part| part.split('<').next()).map(str::to_owned).collect()
    }
}

impl<'a> Client<'a> {
    /// Connected and encrypted; the features are read.
    pub(crate) fn connect(server: &'a Server, by: By) -> Said<Client<'a>> {
        let at = |port| SocketAddr::new(server.address, port);
        let way = match by {
            By::StartTls => Way::stream(Socket::connect(at(server.c2s))?),
            By::Direct => {
                let mut socket = Socket::connect(at(server.c2s_tls))?;
                socket.secure(&server.domain, "xmpp-client")?;
                Way::stream(socket)
            }
            By::WebSocket => Way::frames(server)?,
            By::Bosh => Way::bosh(),
        };
        let mut client = Client::on(server, way);
        client.open()?;
        if by == By::StartTls {
            client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")?;
            client.wait("proceed", |heard| heard.has("<proceed"))?;
            client.way.socket()?.secure(&server.domain, "")?;
            client.open()?;
        }
        Ok(client)
    }

    pub(crate) fn on(server: &'a Server, way: Way) -> Client<'a> {
        let features = Heard { text: String::new(), below: String::new() };
        Client { server, way, features, jid: String::new(), inbox: Vec::new(), asked: 0, cut: false }
    }

    /// Opens the stream and reads the features.
    pub(crate) fn open(&mut self) -> Said {
        self.way.open(self.server)?;
        self.features = self.wait("features", |heard| heard.has("<features"))?;
        Ok(())
    }

    /// Logged in with a resource, over direct TLS; no presence.
    pub(crate) fn bound(server: &'a Server, who: usize) -> Said<Client<'a>> {
        Client::login(server, who, By::StartTls)
    }

    /// The same with presence.
    pub(crate) fn online(server: &'a Server, who: usize) -> Said<Client<'a>> {
        let mut client = Client::bound(server, who)?;
        // Only who has asked for the roster hears of its changes (RFC 6121 section 2.1.6).
        client.get("", "<query xmlns='jabber:iq:roster'/>")?;
        client.send("<presence/>")?;
        client.fence()?;
        Ok(client)
    }

    pub(crate) fn login(server: &'a Server, who: usize, by: By) -> Said<Client<'a>> {
        let mut client = Client::connect(server, by)?;
        client.authenticate(&server.accounts[who])?;
        client.open()?;
        client.bind(&server.name("compliance"))?;
        Ok(client)
    }

    /// SASL as in RFC 6120: PLAIN where it is offered (all is encrypted, and it costs least), else SCRAM.
    pub(crate) fn authenticate(&mut self, account: &Account) -> Said {
        let offered = self.features.texts("mechanism");
        if offered.iter().any(|one| one == "PLAIN") {
            let data = BASE64.encode(format!("\0{}\0{}", account.name, account.password));
            self.send(&format!("<auth xmlns='{SASL}' mechanism='PLAIN'>{data}</auth>"))?;
            return self.success().map(drop);
        }
        let best = ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-512"];
        let Some(best) = best.iter().find(|name| offered.iter().any(|one| one == *name)) else {
            return broken(format!("no mechanism among {offered:?}"));
        };
        self.scram(account, best)
    }

    fn success(&mut self) -> Said<Heard> {
        let heard = self.wait("success", |heard| heard.has("<success") || heard.has("<failure"))?;
        if heard.has("<failure") { broken(heard.text) } else { Ok(heard) }
    }

    /// SCRAM without channel binding, as in RFC 6120.
    pub(crate) fn scram(&mut self, account: &Account, mechanism: &str) -> Said {
        let (mut scram, first) = Scram::begin(mechanism, "n,,", b"", &account.name)?;
        self.send(&format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{first}</auth>"))?;
        let challenge = self.wait("challenge", |heard| heard.has("<challenge") || heard.has("<failure"))?;
        let Some(data) = challenge.text_of("challenge") else { return broken(challenge.text) };
        let answer = scram.answer(data, &account.password)?;
        self.send(&format!("<response xmlns='{SASL}'>{answer}</response>"))?;
        let success = self.success()?;
        scram.check(success.text_of("success").unwrap_or_default())
    }

    /// SASL2 by SCRAM: `header` as of GS2, `inside` is inside of `<authenticate/>`. Gives the success and the exchange.
    pub(crate) fn sasl2(
        &mut self,
        account: &Account,
        mechanism: &str,
        (header, binding): (&str, &[u8]),
        inside: &str,
    ) -> Said<(Heard, Scram)> {
        let (mut scram, first) = Scram::begin(mechanism, header, binding, &account.name)?;
        self.send(&format!(
            "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{first}</initial-response>\
             {inside}</authenticate>"
        ))?;
        let challenge = self.wait("challenge", |heard| heard.has("<challenge") || heard.has("<failure"))?;
        let Some(data) = challenge.text_of("challenge") else { return broken(challenge.text) };
        let answer = scram.answer(data, &account.password)?;
        self.send(&format!("<response xmlns='{SASL2}'>{answer}</response>"))?;
        let success = self.success()?;
        scram.check(success.text_of("additional-data").unwrap_or_default())?;
        Ok((success, scram))
    }

    /// The best SCRAM that SASL2 offers here.
    pub(crate) fn best_sasl2(&self) -> Said<&'static str> {
        let Some((_, offer)) = self.features.text.split_once("<authentication xmlns='urn:xmpp:sasl:2'")
        else {
            return missing("SASL2 is not offered");
        };
        let best = ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-512"];
        let found = best.into_iter().find(|name| offer.contains(&format!("<mechanism>{name}</mechanism>")));
        found.ok_or_else(|| Lack::Missing("SASL2 without SCRAM".into()))
    }

    pub(crate) fn bind(&mut self, resource: &str) -> Said {
        let bound = self.set(
            "",
            &format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind>"),
        )?;
        match bound.text_of("jid") {
            Some(jid) => jid.clone_into(&mut self.jid),
            None => return broken(bound.text),
        }
        if self.features.has("<session") && !self.features.has("<optional/></session>") {
            self.set("", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")?;
        }
        Ok(())
    }

    pub(crate) fn bare(&self) -> &str {
        self.jid.split('/').next().unwrap_or_default()
    }

    pub(crate) fn send(&mut self, xml: &str) -> Said {
        // A frame and a body stand alone: there is no root that says whose stanzas these are.
        let lone =
            matches!(self.way.lane, crate::lanes::Lane::Frames { .. } | crate::lanes::Lane::Bosh { .. });
        if !lone || xml.split('>').next().is_some_and(|tag| tag.contains("xmlns=")) {
            return self.way.send(self.server, xml);
        }
        let at = xml.find([' ', '>', '/']).unwrap_or(xml.len());
        self.way.send(self.server, &format!("{} xmlns='jabber:client'{}", &xml[..at], &xml[at..]))
    }

    /// The first element for which this holds; others stay in the inbox. Server's requests and its wish for
    /// acknowledgements are left alone.
    pub(crate) fn wait(&mut self, what: &str, is: impl Fn(&Heard) -> bool) -> Said<Heard> {
        self.wait_within(PATIENCE, what, is)
    }

    pub(crate) fn wait_within(
        &mut self,
        patience: Duration,
        what: &str,
        is: impl Fn(&Heard) -> bool,
    ) -> Said<Heard> {
        if let Some(at) = self.inbox.iter().position(&is) {
            return Ok(self.inbox.remove(at));
        }
        let until = Instant::now() + patience;
        while self.way.listen(self.server, until)? {
            while let Some(heard) = self.way.heard.pop_front() {
                if is(&heard) {
                    return Ok(heard);
                }
                if heard.has("<error xmlns='http://etherx.jabber.org/streams'") {
                    return broken(heard.text);
                }
                self.inbox.push(heard);
            }
        }
        let last = self.inbox.last().map_or("", |heard| &heard.text);
        broken(format!("no {what} came; the last was {last}"))
    }

    /// A message that has this.
    pub(crate) fn message(&mut self, part: &str) -> Said<Heard> {
        self.wait(&format!("message with {part}"), |heard| {
            heard.text.starts_with("<message") && heard.has(part)
        })
    }

    /// A presence that has this.
    pub(crate) fn presence(&mut self, part: &str) -> Said<Heard> {
        let is = |heard: &Heard| heard.text.starts_with("<presence") && heard.has(part);
        self.wait(&format!("presence with {part}"), is)
    }

    pub(crate) fn get(&mut self, to: &str, payload: &str) -> Said<Heard> {
        self.iq("get", to, payload)
    }

    pub(crate) fn set(&mut self, to: &str, payload: &str) -> Said<Heard> {
        self.iq("set", to, payload)
    }

    /// A request and its result. An error that says that this is not known here is "missing".
    fn iq(&mut self, kind: &str, to: &str, payload: &str) -> Said<Heard> {
        let answer = self.ask(kind, to, payload)?;
        if answer.attr("type").as_deref() == Some("result") {
            return Ok(answer);
        }
        let unknown = ["feature-not-implemented", "service-unavailable", "remote-server-not-found"];
        match unknown.iter().find(|condition| answer.has(&format!("<{condition}"))) {
            Some(condition) => missing((*condition).to_owned()),
            // The request may come back before the error.
            None => broken(
                answer
                    .text
                    .split_once("<error")
                    .map_or(answer.text.clone(), |(_, rest)| format!("<error{rest}")),
            ),
        }
    }

    /// A request and whatever answers it.
    pub(crate) fn ask(&mut self, kind: &str, to: &str, payload: &str) -> Said<Heard> {
        self.asked += 1;
        let id = format!("ask{}", self.asked);
        let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
        self.send(&format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>"))?;
        self.wait("answer", |heard| {
            heard.text.starts_with("<iq ")
                && heard.attr("id").is_some_and(|other| other == id)
                && heard.attr("type").is_some_and(|kind| kind == "result" || kind == "error")
        })
    }

    /// What is asked of an address must fail with this condition.
    pub(crate) fn refused(&mut self, kind: &str, to: &str, payload: &str, condition: &str) -> Said {
        let answer = self.ask(kind, to, payload)?;
        crate::verdict::hold(answer.has(&format!("<{condition}")), &format!("not {condition}"), &answer.text)
    }

    pub(crate) fn info(&mut self, of: &str) -> Said<Heard> {
        self.get(of, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    }

    /// Everything that was sent before has been taken in, and what it led to at the own account is in the inbox.
    pub(crate) fn fence(&mut self) -> Said {
        let domain = self.server.domain.clone();
        self.ask("get", &domain, "<query xmlns='http://jabber.org/protocol/disco#info'/>").map(drop)
    }

    /// The first item of the domain whose info has this feature.
    pub(crate) fn service(&mut self, feature: &str) -> Said<String> {
        let domain = self.server.domain.clone();
        let items = self.get(&domain, "<query xmlns='http://jabber.org/protocol/disco#items'/>")?;
        let mut all = vec![domain.clone()];
        items.look(|el| {
            let query = el.children().next();
            all.extend(query.iter().flat_map(|query| query.children()).filter_map(|item| {
                Some(item.attr("jid")?.into_owned()).filter(|_| item.attr("node").is_none())
            }));
        })?;
        for one in all {
            let info = self.ask("get", &one, "<query xmlns='http://jabber.org/protocol/disco#info'/>")?;
            if info.has(&format!("var='{feature}'")) {
                return Ok(one);
            }
        }
        missing(format!("no service has {feature}"))
    }
}
