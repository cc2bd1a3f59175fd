//! An engine that binds whatever is asked for and writes down what it hears.
//!
//! Not here: the real one.

use address::Jid;
use model::grant::Grant;
use model::link::{ArchiveEnds, Bound, Down, Enabled, Link, Resource, ResumeRefused, Resumed, SessionId, Up};
use stanza::StanzaError;
use std::sync::Arc;

pub const SESSION: SessionId = SessionId(42);

struct Nowhere;

impl Link for Nowhere {
    fn send(&self, _down: Down) {}

    fn backlog(&self) -> usize {
        0
    }
}

pub struct Engine {
    pub link: Arc<dyn Link>,
    /// A line for each [`Up`].
    pub heard: Vec<String>,
    /// Refuse to bind.
    pub refuse: Option<StanzaError>,
    /// The session that may be resumed.
    pub resumable: Option<&'static str>,
    /// Answer nothing.
    pub deaf: bool,
    pub archive: Option<ArchiveEnds>,
    /// By what right resources were asked for.
    pub grants: Vec<Grant>,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine {
            link: Arc::new(Nowhere),
            heard: Vec::new(),
            refuse: None,
            resumable: None,
            deaf: false,
            archive: None,
            grants: Vec::new(),
        }
    }
}

impl Engine {
    pub fn answer(&mut self, up: Up) -> Vec<Down> {
        let (line, down) = self.handle(up);
        self.heard.push(line);
        if self.deaf { Vec::new() } else { down }
    }

    fn handle(&mut self, up: Up) -> (String, Vec<Down>) {
        match up {
            Up::Bind(bind) => {
                self.grants.push(bind.grant.clone());
                let (wish, resource) = match &bind.resource {
                    Resource::Any => ("any".to_owned(), "chosen".to_owned()),
                    Resource::Asked(jid) => (jid.to_string(), jid.resource().unwrap().to_owned()),
                    Resource::Tagged { tag, client } => {
                        (format!("tag {tag:?} client {client:?}"), format!("{tag}~1"))
                    }
                };
                let enabled =
                    bind.enable.map(|enable| Enabled { id: enable.resume.then(|| "sm-1".into()), max: 600 });
                let line = format!(
                    "bind {} {wish} carbons={} enable={:?} {:?} {} {:?}",
                    bind.account,
                    bind.carbons,
                    bind.enable,
                    bind.client_state,
                    bind.about.mechanism,
                    bind.about.tls
                );
                let jid =
                    Jid::from_parts(bind.account.local(), bind.account.domain(), Some(&resource)).unwrap();
                let bound = Bound { session: SESSION, jid, enabled, archive: self.archive.clone() };
                let answer = match &self.refuse {
                    Some(error) => Err(error.clone()),
                    None => Ok(Box::new(bound)),
                };
                (line, vec![Down::Bound(answer)])
            }
            Up::Resume(resume) => {
                let line = format!("resume {} {} {}", resume.account, resume.id, resume.h);
                let answer = if self.resumable == Some(resume.id.as_str()) {
                    let jid = Jid::parse(&format!("{}/old", resume.account)).unwrap();
                    Ok(Box::new(Resumed { session: SESSION, jid, id: resume.id, h: 17 }))
                } else {
                    Err(ResumeRefused { h: Some(3) })
                };
                (line, vec![Down::Resumed(answer)])
            }
            Up::Stanza(SESSION, stanza) => (format!("stanza {stanza:?}"), Vec::new()),
            Up::Refused(SESSION, reply) => {
                let down = reply.clone().map(|reply| Down::Stanza(Arc::new(reply)));
                (format!("refused {reply:?}"), down.into_iter().collect())
            }
            Up::Enable(SESSION, enable) => {
                let enabled = Enabled { id: enable.resume.then(|| "sm-2".into()), max: 600 };
                (format!("enable {enable:?}"), vec![Down::Enabled(Ok(enabled))])
            }
            Up::Ack(SESSION, h) => (format!("ack {h}"), Vec::new()),
            Up::AckRequest(SESSION) => ("ack?".to_owned(), Vec::new()),
            Up::ClientState(SESSION, state) => (format!("{state:?}"), Vec::new()),
            Up::Closed(SESSION, stream, end) => (format!("closed {} {end:?}", stream.0), Vec::new()),
            _ => panic!("a session that is not ours"),
        }
    }
}
