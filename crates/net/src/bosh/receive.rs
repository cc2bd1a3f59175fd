//! What a request does to its session: its turn, its rules, its payload.
//!
//! XEP-0124 version 1.11.2 sections 10 (pauses), 11 (overactivity), 12 (polling), 13 (terminating), 14 (request ids),
//! XEP-0206 version 1.4 section 5 (restart).
//!
//! Not here: when it is answered (`session.rs`), what its number means (`window.rs`).

use std::time::{Duration, Instant};

use bytes::Bytes;
use stream::Open;
use tokio::sync::oneshot;

use super::Post;
use super::body::{self, Answer, Request, Terminal};
use super::session::{Held, Item, REQUESTS, Session};
use super::window::Verdict;

impl Session {
    /// A request has come.
    pub(super) fn receive(&mut self, post: Post) {
        let (request, reply) = match post.request {
            Ok(request) => (request, post.reply),
            Err(fault) => return self.terminate(fault, post.reply),
        };
        let wrapper = &request.wrapper;
        let (rid, extra) = (wrapper.rid, wrapper.terminate || wrapper.pause.is_some());
        match self.window.judge(rid, extra) {
            Verdict::Due => {
                let mut due = Some((request, reply));
                while let Some((request, reply)) = due.take() {
                    self.handle(request, reply);
                    if self.abandoned {
                        break;
                    }
                    due = self.window.advance();
                }
            }
            Verdict::Early => {
                if let Some((_, older)) = self.window.keep(rid, (request, reply)) {
                    let _ = older.send(body::again());
                }
            }
            Verdict::Answered(body) => {
                self.alive();
                let _ = reply.send(body);
            }
            Verdict::Open => match self.held.iter_mut().find(|held| held.rid == rid) {
                Some(held) => {
                    let older = std::mem::replace(&mut held.reply, reply);
                    let _ = older.send(body::again());
                }
                None => self.terminate(Terminal::ItemNotFound, reply),
            },
            Verdict::Unknown => self.terminate(Terminal::ItemNotFound, reply),
            Verdict::TooOften => self.terminate(Terminal::PolicyViolation, reply),
        }
    }

    /// The request that was due.
    fn handle(&mut self, request: Request, reply: oneshot::Sender<Bytes>) {
        let Request { wrapper, children } = request;
        let now = Instant::now();
        if !self.keys.accept(wrapper.key.as_deref(), wrapper.new_key.as_deref()) {
            return self.terminate(Terminal::ItemNotFound, reply);
        }
        let empty = children.is_empty() && !wrapper.restart && !wrapper.terminate && wrapper.pause.is_none();
        if self.too_active(empty, now) {
            return self.terminate(Terminal::PolicyViolation, reply);
        }
        self.last = Some(now);
        self.patience = self.limits.inactivity;
        self.held.push_back(Held { rid: wrapper.rid, reply, due: now + self.wait });
        if wrapper.restart {
            // XEP-0206 section 5: children of a restart are ignored. What is not said again is as it was.
            let first = &self.first;
            self.inbox.push_back(Item::Open(Open {
                to: wrapper.open.to.or_else(|| first.to.clone()),
                version: wrapper.open.version.or_else(|| first.version.clone()),
                lang: wrapper.open.lang.or_else(|| first.lang.clone()),
                from: wrapper.open.from,
            }));
        } else {
            self.inbox.extend(children.into_iter().map(Item::Element));
        }
        if wrapper.terminate {
            self.inbox.push_back(Item::Close);
        } else if let Some(pause) = wrapper.pause {
            self.pause(Duration::from_secs(pause), now);
        }
    }

    /// XEP-0124 sections 11 and 12: empty requests in quick succession, which only ask whether there is something.
    fn too_active(&self, empty: bool, now: Instant) -> bool {
        let soon = self.last.is_some_and(|last| now.duration_since(last) < self.limits.polling);
        let polls = if self.hold == 0 { self.last_was_idle } else { self.held.len() as u64 + 1 >= REQUESTS };
        empty && soon && polls
    }

    /// XEP-0124 section 10: all requests are answered at once, with nothing.
    fn pause(&mut self, pause: Duration, now: Instant) {
        self.patience = pause.min(self.limits.pause);
        while let Some(held) = self.held.pop_front() {
            let _ = held.reply.send(Answer::default().write(b""));
        }
        self.lifeline = now + self.patience;
    }

    /// The session ends because the client broke a rule of it.
    fn terminate(&mut self, why: Terminal, reply: oneshot::Sender<Bytes>) {
        self.shared().misbehaved("bosh", &why, self.peer, Instant::now());
        let _ = reply.send(why.body());
        let early: Vec<_> = self.window.take_early().map(|(_, reply)| reply).collect();
        for reply in self.held.drain(..).map(|held| held.reply).chain(early) {
            let _ = reply.send(why.body());
        }
        self.abandon();
    }
}
