//! Telling all of many changes at once, without stopping everything else meanwhile.
//!
//! XEP-0045 1.35.5 sections 9.5 and 10.2.1 (whoever leaves or changes is told to everybody who stays)
//!
//! A room of thousands that is made members-only, or moderated, has to say thousands of things to thousands of people. What
//! is more than one turn can take waits for the next.
//!
//! Not here: single changes, which are told in the turn in which they happen.

use std::collections::VecDeque;
use std::sync::Arc;

use stanza::Payload;

use crate::here::Here;
use crate::item::Notice;
use crate::limits;
use crate::occupants::Occupant;

/// What others have yet to hear.
#[derive(Debug)]
pub(crate) enum News {
    /// Somebody was put out: with a status code, a reason and the nickname of who did it.
    Left(Box<Occupant>, u16, Option<String>, Option<Arc<str>>),
    /// The presence of the occupant with that nickname is another now; if others do not see it any more, what it was.
    Changed(Arc<str>, Option<Box<Occupant>>, Option<String>),
}

/// News, oldest first.
pub(crate) type Telling = VecDeque<News>;

impl Here<'_> {
    /// Tells what waits, as much as one turn may say, and asks to be woken for the rest.
    pub(crate) fn tell_news(&mut self) {
        let mut left = limits::TOLD_AT_ONCE_MAX;
        while let Some(news) = self.room.telling.pop_front() {
            match news {
                News::Left(occupant, code, reason, actor) => {
                    let codes = [code];
                    let (reason, actor) = (reason.as_deref(), actor.as_deref());
                    let notice = Notice { codes: &codes, reason, actor, ..Notice::default() };
                    self.tell_left(&occupant, &notice, &Payload::default());
                }
                News::Changed(nick, hidden, reason) => {
                    if let Some(before) = hidden {
                        self.tell_left(&before, &Notice::default(), &Payload::default());
                    }
                    let notice = Notice { reason: reason.as_deref(), ..Notice::default() };
                    self.broadcast(&nick, &notice, &[]);
                }
            }
            left = left.saturating_sub(self.room.occupants.len() + 1);
            if left == 0 {
                break;
            }
        }
        if !self.room.telling.is_empty() {
            self.fx.wake(limits::TOLD_AGAIN_MS);
        }
    }

    /// Somebody takes a nickname: that its last bearer is gone is told before.
    pub(crate) fn tell_of(&mut self, nick: &str) {
        let bore = |news: &News| matches!(news, News::Left(occupant, ..) if *occupant.nick == *nick);
        while let Some(at) = self.room.telling.iter().position(bore) {
            if let Some(news) = self.room.telling.remove(at) {
                let rest = std::mem::replace(&mut self.room.telling, [news].into());
                self.tell_news();
                self.room.telling = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Settings;
    use crate::limits;
    use crate::stage::{CRONE, HAG, Stage, to};

    #[test]
    fn a_crowd_leaves_in_slices() {
        let domain = |text| address::Jid::parse(text).unwrap();
        let settings = Settings {
            occupants: 1_000,
            joins: 1_000,
            ..Settings::new(domain("rooms.example"), domain("a.example"), 0)
        };
        let mut stage = Stage::with(settings);
        stage.enter(CRONE, "crone");
        stage.configure(&[]);
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        stage.enter(HAG, "hag");
        for n in 0..105 {
            stage.admin(CRONE, &format!("<item affiliation='member' jid='m{n}@a.example'/>"));
            stage.enter(&format!("m{n}@a.example/x"), &format!("m{n}"));
        }
        for n in 0..105 {
            stage.enter(&format!("s{n}@a.example/x"), &format!("s{n}"));
        }
        let seen = stage.configure(&[("roomconfig_membersonly", "1")]);
        assert!(seen.len() < limits::TOLD_AT_ONCE_MAX + 1_000, "{}", seen.len());
        let mut told = to(&seen, HAG).len();
        assert!(told < 106, "not all at once");
        for _ in 0..10 {
            told += to(&stage.pass(limits::TOLD_AGAIN_MS), HAG).len();
        }
        assert_eq!(told, 106, "105 went, and the notice of the configuration");
        assert!(stage.pass(1_000_000).is_empty());
    }
}
