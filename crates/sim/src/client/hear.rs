//! What comes from the server.
//!
//! Not here: logging in, the archive's pages.

use history::{History, Key, Phase as Change, Right, Via, What};
use stanza::ns;
use xml::{El, Element, Event, Tree};

use super::{Client, Phase};

impl Client {
    /// Bytes came.
    pub(crate) fn bytes(&mut self, history: &mut History, bytes: &[u8], said: &mut Vec<String>) {
        self.parser.push(bytes);
        loop {
            match self.parser.next() {
                Ok(None) => return,
                Ok(Some(Event::Element(element))) => {
                    said.push(String::from_utf8_lossy(element.bytes()).into_owned());
                    self.element(history, &element);
                }
                Ok(Some(Event::Header(_) | Event::Whitespace)) => {}
                Ok(Some(Event::Close)) => {
                    self.leaving = true;
                    self.session_over(history);
                    return;
                }
                Err(error) => {
                    self.flaws.push(format!("{}: bad XML came: {error:?}", self.account));
                    self.leaving = true;
                    return;
                }
            }
            if self.leaving {
                return;
            }
        }
    }

    fn element(&mut self, history: &mut History, element: &Element) {
        let Ok(tree) = Tree::parse(element.bytes(), element.content_ns()) else { return };
        let Some(el) = tree.roots().next() else { return };
        let h = || el.attr("h");
        match (el.ns(), el.name()) {
            (ns::STREAMS, "features") => self.features(),
            (ns::STREAMS, "error") => self.stream_error(history, el),
            (ns::SASL2, "success") => self.success(history, el),
            (ns::SASL2, "failure") => self.leaving = true,
            (ns::SM, "enabled") => self.enabled(el.attr("id").as_deref()),
            (ns::SM, "resumed") => self.resumed(history, h().as_deref()),
            (ns::SM, "failed") if self.phase == Phase::Binding => self.not_resumed(history, h().as_deref()),
            (ns::SM, "failed") => self.sm = None,
            (ns::SM, "r") => self.acknowledge(),
            (ns::SM, "a") => {
                if let Some(h) = h().and_then(|h| h.parse().ok()) {
                    self.acknowledged(history, h);
                }
            }
            (ns::CLIENT, "iq") if self.phase == Phase::Binding => self.bound_by_iq(history, el),
            (ns::CLIENT, name) => {
                if let Some(sm) = self.sm.as_mut().filter(|sm| sm.on) {
                    sm.h = sm.h.wrapping_add(1);
                }
                match name {
                    "message" => self.message(history, el, &String::from_utf8_lossy(element.bytes())),
                    "presence" => self.presence_comes(history, el),
                    _ => self.iq(history, el),
                }
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self) {
        let acks = self.rng.chance(self.device.acks);
        if let Some(sm) = self.sm.as_ref().filter(|sm| sm.on && acks) {
            self.out.extend(format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", sm.h).as_bytes());
        }
    }

    fn stream_error(&mut self, history: &mut History, el: El<'_>) {
        self.leaving = true;
        // Told that this login is no longer worth anything, nobody tries to go on with it.
        if el.children().any(|child| matches!(child.name(), "not-authorized" | "conflict")) {
            self.session_over(history);
        }
    }

    fn message(&mut self, history: &mut History, el: El<'_>, text: &str) {
        let Some(session) = self.session else { return };
        if let Some(result) = el.child("result", ns::MAM) {
            return self.archived(result, text);
        }
        if el.attr("type").as_deref() == Some("error") {
            let counter = el.attr("id").and_then(|id| id.strip_prefix('m').and_then(|n| n.parse().ok()));
            if let Some(counter) = counter {
                let child = el.child("error", ns::CLIENT).and_then(|error| error.children().next());
                let condition = child.map_or("", |child| child.name()).to_owned();
                let key = Key::new(1, &self.jid, counter);
                history.push(What::Err { device: self.jid.clone(), key, condition });
            }
            return;
        }
        let Some(key) = Key::find(text) else { return };
        let copy = ["received", "sent"].iter().find_map(|name| el.child(name, ns::CARBONS));
        let inner = copy.and_then(|copy| copy.child("forwarded", ns::FORWARD)?.child("message", ns::CLIENT));
        let message = inner.unwrap_or(el);
        let own = |id: &El<'_>| id.attr("by").as_deref() == Some(self.account.as_str());
        let stanza_id = message.children_named("stanza-id", ns::SID).find(own).and_then(|id| id.attr("id"));
        let stanza_id = stanza_id.map(|id| id.into_owned());
        let delay = message.child("delay", ns::DELAY).is_some();
        let via = match (copy.is_some(), delay) {
            (true, _) => Via::Carbon,
            (_, true) => Via::Offline,
            _ => Via::Live,
        };
        if let Some(id) = stanza_id.as_ref().filter(|_| !delay) {
            self.follow(id);
        }
        let (device, from) = (self.jid.clone(), message.attr("from").unwrap_or_default().into_owned());
        history.push(What::Recv { device, session, key, from, stanza_id, via, delay });
    }

    fn presence_comes(&mut self, history: &mut History, el: El<'_>) {
        let from = el.attr("from").unwrap_or_default().into_owned();
        match el.attr("type").as_deref() {
            None if from.contains('/') => {
                history.push(What::Presence { device: self.jid.clone(), of: from.clone(), here: true });
                self.sees.insert(from);
            }
            Some("unavailable") => {
                self.sees.retain(|seen| *seen != from && !seen.starts_with(&format!("{from}/")));
            }
            Some("subscribe") if self.rng.chance(800) => self.agree(history, &from),
            _ => {}
        }
    }

    fn iq(&mut self, history: &mut History, el: El<'_>) {
        let id = el.attr("id").unwrap_or_default().into_owned();
        let ty = el.attr("type").unwrap_or_default().into_owned();
        if ty == "get" || ty == "set" {
            if let Some(block) = el.child("block", ns::BLOCKING) {
                // Whom one blocks one sees no more; what he becomes meanwhile will not be told.
                for jid in block.children().filter_map(|item| item.attr("jid")) {
                    self.sees.retain(|seen| seen.split('/').next() != Some(&*jid));
                }
            }
            let from = el.attr("from").map_or(String::new(), |from| format!(" to='{from}'"));
            return self.stanza(None, format!("<iq type='result' id='{id}'{from}/>"));
        }
        // An answer to what an earlier session asked may still come to the address.
        let again = self.answered_peers.contains(&id) || !self.asks.contains(&id);
        if self.asked_peers.remove(&id) {
            self.answered_peers.insert(id.clone());
        }
        if let Some(session) = self.session.filter(|_| !again) {
            history.push(What::Answer { session, id: id.clone() });
        }
        if let Some((peer, on)) = self.blocking.remove(&id)
            && ty == "result"
        {
            let (owner, phase) = (self.account.clone(), Change::Done);
            history.push(What::Perm { owner, peer, right: Right::Write, on, phase });
        }
        if let Some(query) = el.child("query", ns::ROSTER) {
            let item = |item: El<'_>| {
                let text = |name| item.attr(name).unwrap_or_default().into_owned();
                (text("jid"), text("subscription"))
            };
            self.roster = query.children().map(item).collect();
        }
        if let Some(list) = el.child("blocklist", ns::BLOCKING) {
            self.blocked =
                list.children().filter_map(|item| item.attr("jid")).map(|jid| jid.into_owned()).collect();
        }
        self.page_read(history, &id, el);
    }
}
