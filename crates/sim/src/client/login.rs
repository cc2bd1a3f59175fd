//! From a new connection to a session: login, resource, stream management, resumption.
//!
//! XEP-0388, XEP-0386 (inline), RFC 6120 section 7 and XEP-0198 (one after the other).
//!
//! Not here: what comes after.

use history::{History, What};
use stanza::ns;
use xml::{El, Framing, Limits, Parser};

use super::{Client, Phase, Sm};
use crate::plan::DOMAIN;

const SM: &str = "xmlns='urn:xmpp:sm:3'";

impl Client {
    /// A connection is there.
    pub(crate) fn open(&mut self, link: u64) {
        self.link = Some(link);
        self.phase = Phase::Greeting;
        self.leaving = false;
        self.parser = Parser::new(Framing::Stream, Limits::CLIENT);
        self.out = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             version='1.0' to='{DOMAIN}'>"
        )
        .into_bytes();
    }

    fn resume_element(&self) -> Option<String> {
        let sm = self.sm.as_ref().filter(|_| self.device.resume)?;
        sm.id.as_ref().map(|id| format!("<resume {SM} previd='{id}' h='{}'/>", sm.h))
    }

    /// Stream features, of the stream and after the login.
    pub(super) fn features(&mut self) {
        match self.phase {
            Phase::Greeting => {
                let user = self.account.split('@').next().unwrap_or_default();
                let password = sasl::encode_base64(format!("\0{user}\0secret").as_bytes());
                let resume = self.resume_element().filter(|_| self.device.inline).unwrap_or_default();
                let bind = if self.device.inline { self.bind_inline() } else { String::new() };
                let name = &self.device.name;
                self.out.extend(
                    format!(
                        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>\
                         <initial-response>{password}</initial-response><user-agent id='{name}'/>{resume}{bind}\
                         </authenticate>"
                    )
                    .as_bytes(),
                );
                self.phase = Phase::LoggingIn;
            }
            Phase::LoggingIn => {
                self.phase = Phase::Binding;
                match self.resume_element() {
                    Some(resume) => self.out.extend(resume.as_bytes()),
                    None => self.bind(),
                }
            }
            _ => {}
        }
    }

    fn bind_inline(&self) -> String {
        let sm = if self.device.sm {
            format!("<enable {SM} resume='{}'/>", self.device.resume)
        } else {
            String::new()
        };
        let carbons = if self.device.carbons { "<enable xmlns='urn:xmpp:carbons:2'/>" } else { "" };
        format!("<bind xmlns='urn:xmpp:bind:0'><tag>{}</tag>{carbons}{sm}</bind>", self.device.name)
    }

    fn bind(&mut self) {
        let name = &self.device.name;
        let iq = format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{name}</resource>\
             </bind></iq>"
        );
        self.out.extend(iq.as_bytes());
    }

    /// `<success/>`, with all that is in it.
    pub(super) fn success(&mut self, history: &mut History, success: El<'_>) {
        if let Some(failed) = success.child("failed", ns::SM) {
            self.not_resumed(history, failed.attr("h").as_deref());
        }
        if let Some(resumed) = success.child("resumed", ns::SM) {
            return self.resumed(history, resumed.attr("h").as_deref());
        }
        let Some(bound) = success.child("bound", ns::BIND2) else { return };
        let jid = success.child_text("authorization-identifier", ns::SASL2).unwrap_or_default();
        self.bound(history, &jid);
        if let Some(enabled) = bound.child("enabled", ns::SM) {
            self.sm = Some(Sm::new(true, enabled.attr("id").map(|id| id.into_owned())));
        }
        self.begin(history, true);
    }

    /// The result of the iq.
    pub(super) fn bound_by_iq(&mut self, history: &mut History, iq: El<'_>) {
        let bind = iq.child("bind", ns::BIND);
        let Some(jid) = bind.and_then(|bind| bind.child_text("jid", ns::BIND)) else {
            // No resource now: try again later.
            self.leaving = true;
            return;
        };
        self.bound(history, &jid);
        if self.device.sm {
            self.out.extend(format!("<enable {SM} resume='{}'/>", self.device.resume).as_bytes());
            self.sm = Some(Sm::new(false, None));
        }
        // Who wanted to bind within the login, and was not, asks for the rest, too.
        self.begin(history, false);
    }

    fn bound(&mut self, history: &mut History, jid: &str) {
        self.session_over(history);
        self.sessions += 1;
        let session = self.number as u64 * 1_000_000 + self.sessions;
        self.session = Some(session);
        if self.jid != jid {
            // Another resource is another device to those who judge: what this one knows it has read itself.
            self.cursor = None;
        }
        self.jid = jid.to_owned();
        self.phase = Phase::On;
        history.push(What::Open { device: self.jid.clone(), session });
    }

    /// The first stanzas of a session.
    fn begin(&mut self, history: &mut History, inline: bool) {
        if self.device.carbons && !inline {
            self.request(history, "set", "", "<enable xmlns='urn:xmpp:carbons:2'/>");
        }
        self.request(history, "get", "", "<query xmlns='jabber:iq:roster'/>");
        self.request(history, "get", "", "<blocklist xmlns='urn:xmpp:blocking'/>");
        self.presence();
        if self.device.catches_up {
            self.catch_up(history);
        }
    }

    pub(super) fn enabled(&mut self, id: Option<&str>) {
        if let Some(sm) = &mut self.sm {
            sm.on = true;
            sm.id = id.map(str::to_owned);
        }
    }

    pub(super) fn resumed(&mut self, history: &mut History, h: Option<&str>) {
        self.phase = Phase::On;
        let Some(h) = h.and_then(|h| h.parse().ok()) else { return };
        self.acknowledged(history, h);
        let again: Vec<String> =
            self.sm.iter().flat_map(|sm| &sm.unacked).map(|(_, xml)| xml.clone()).collect();
        for xml in again {
            self.out.extend(xml.as_bytes());
        }
    }

    pub(super) fn not_resumed(&mut self, history: &mut History, h: Option<&str>) {
        if let Some(h) = h.and_then(|h| h.parse().ok()) {
            self.acknowledged(history, h);
        }
        self.session_over(history);
        if self.phase == Phase::Binding {
            self.bind();
        }
    }
}

impl Sm {
    fn new(on: bool, id: Option<String>) -> Sm {
        let first = zoo::limit(zoo::Limit::FirstCount, 0) as u32;
        Sm { on, id, h: first, acked: first, unacked: Default::default() }
    }
}
