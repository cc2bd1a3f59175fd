//! What people do with their clients, one thing at a time.
//!
//! Not here: when.

use history::{History, Key, Phase as Change, Right, What};

use super::Client;

/// What the world must do for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    /// Its connection is lost.
    Cut,
    /// It goes away from its connection and comes back on another.
    Leave,
}

impl Client {
    /// Does something.
    pub(crate) fn something(&mut self, history: &mut History, cuts: u64) -> Wish {
        if self.rng.chance(cuts) {
            return if self.rng.chance(500) { Wish::Cut } else { Wish::Leave };
        }
        if self.reading.as_ref().is_some_and(|reading| reading.refused) {
            self.catch_up(history);
        }
        match self.rng.below(40) {
            0 => self.presence(),
            1 => self.client_state(),
            2 => self.subscription(history),
            3 => self.block(history),
            4 => drop(self.request(history, "get", "a.example", "<ping xmlns='urn:xmpp:ping'/>")),
            5 => self.ask_somebody(),
            6 => self.invalid(history),
            7 => self.ask_ack(),
            8 => self.typing(),
            9 => {
                // Goodbye.
                self.out.extend(b"</stream:stream>");
                self.session_over(history);
                self.leaving = true;
            }
            10 if self.device.catches_up => self.catch_up(history),
            _ => {
                for _ in 0..=self.rng.below(3) {
                    self.write_message(history);
                }
            }
        }
        Wish::Nothing
    }

    pub(crate) fn presence(&mut self) {
        self.available = true;
        let priority = self.device.priority;
        self.stanza(None, format!("<presence><priority>{priority}</priority></presence>"));
    }

    fn client_state(&mut self) {
        let state = if self.rng.chance(500) { "active" } else { "inactive" };
        self.out.extend(format!("<{state} xmlns='urn:xmpp:csi:0'/>").as_bytes());
    }

    fn peer(&mut self) -> String {
        self.rng.pick(&self.others).cloned().unwrap_or_default()
    }

    /// A full address of somebody, perhaps of one who is not there.
    fn somebody(&mut self) -> String {
        let sees: Vec<String> = self.sees.iter().filter(|seen| **seen != self.jid).cloned().collect();
        match self.rng.pick(&sees) {
            Some(seen) => seen.clone(),
            None => format!("{}/d0", self.peer()),
        }
    }

    pub(crate) fn write_message(&mut self, history: &mut History) {
        let Some(session) = self.session else { return };
        let full = self.rng.chance(200);
        let to = match (full, self.rng.chance(30)) {
            (_, true) => self.account.clone(),
            (true, _) => self.somebody(),
            (false, _) => self.peer(),
        };
        let normal = self.rng.chance(100);
        let hidden = self.rng.chance(50);
        self.counter += 1;
        let key = Key::new(1, &self.jid, self.counter);
        let archives = self.must_keep(&to, full && normal, hidden);
        let bare = to.split('/').next().unwrap_or_default();
        let bounces = full && normal;
        let certain = !hidden && !bounces && !self.crashes;
        let kept_offline = certain && self.reachable.contains(bare);
        // Who waits in too small a room may come back as an error to one who has gone.
        let kept_offline = kept_offline && zoo::limit(zoo::Limit::Offline, u64::MAX) == u64::MAX;
        if kept_offline {
            history.push(What::Reach { key: key.clone() });
        }
        let (device, addressed) = (self.jid.clone(), to.clone());
        history.push(What::Send { device, session, key: key.clone(), to: addressed, archives });
        let ty = if normal { "normal" } else { "chat" };
        let hint = if hidden { "<no-store xmlns='urn:xmpp:hints'/>" } else { "" };
        let counter = self.counter;
        let xml =
            format!("<message to='{to}' type='{ty}' id='m{counter}'><body>{key}</body>{hint}</message>");
        self.stanza(Some(key), xml);
    }

    /// Whose archives must have it. What may come back as an error to one who has gone is nobody's.
    fn must_keep(&self, to: &str, may_bounce: bool, hidden: bool) -> Vec<String> {
        if hidden || may_bounce {
            return Vec::new();
        }
        let bare = to.split('/').next().unwrap_or_default();
        let mut archives: Vec<String> = [bare, &self.account].map(str::to_owned).into();
        archives.dedup();
        archives.retain(|archive| !self.nevers.contains(archive));
        archives
    }

    fn subscription(&mut self, history: &mut History) {
        let peer = self.peer();
        match self.rng.below(6) {
            0 => self.stanza(None, format!("<presence to='{peer}' type='unsubscribe'/>")),
            1 => self.stanza(None, format!("<presence to='{peer}' type='unsubscribed'/>")),
            2 => self.agree(history, &peer),
            _ => self.stanza(None, format!("<presence to='{peer}' type='subscribe'/>")),
        }
    }

    pub(super) fn agree(&mut self, history: &mut History, peer: &str) {
        let (owner, peer_of) = (self.account.clone(), peer.to_owned());
        history.push(What::Perm {
            owner,
            peer: peer_of,
            right: Right::Presence,
            on: true,
            phase: Change::Asked,
        });
        self.stanza(None, format!("<presence to='{peer}' type='subscribed'/>"));
    }

    fn block(&mut self, history: &mut History) {
        let peer = self.peer();
        let on = self.rng.chance(700);
        let name = if on { "unblock" } else { "block" };
        self.has_blocked.extend((!on).then(|| peer.clone()));
        let (owner, peer_of) = (self.account.clone(), peer.clone());
        history.push(What::Perm { owner, peer: peer_of, right: Right::Write, on, phase: Change::Asked });
        let inner = format!("<{name} xmlns='urn:xmpp:blocking'><item jid='{peer}'/></{name}>");
        let id = self.request(history, "set", "", &inner);
        self.blocking.insert(id, (peer, on));
    }

    /// Written down when it is answered, or at the end (last.rs): other devices owe no answer when their session is over.
    fn ask_somebody(&mut self) {
        let somebody = self.somebody();
        let id = self.write_request("get", &somebody, "<query xmlns='jabber:iq:version'/>");
        self.asked_peers.insert(id, somebody);
    }

    /// Something that counts as a stanza and is none.
    fn invalid(&mut self, history: &mut History) {
        match self.rng.below(3) {
            0 => self.stanza(None, "<message to='@'><body>nowhere</body></message>".to_owned()),
            1 => drop(self.request(history, "get", "", "")),
            _ => self.stanza(None, "<presence type='odd'/>".to_owned()),
        }
    }

    fn typing(&mut self) {
        let peer = self.peer();
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        self.stanza(None, format!("<message to='{peer}' type='chat'>{state}</message>"));
    }
}
