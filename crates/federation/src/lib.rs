//! Other servers: finding them, connecting, and one queue for each.
//!
//! RFC 6120 sections 3.2 and 10.4, RFC 7590, RFC 9525, XEP-0368 1.1.0, XEP-0495 0.1.0
//!
//! Not here: what is said on a stream (s2s), what a stanza means (kernel), what is kept until it has arrived (engine),
//! accepting connections (net).

mod advice;
mod attempt;
mod carrier;
mod certificate;
mod connect;
mod counters;
mod courier;
mod dial;
mod failure;
mod lane;
pub mod limits;
mod outputs;
mod parts;
mod probe;
mod replay;
mod resolve;
mod san;
mod settings;
mod shared;
mod shown;
mod standing;
mod targets;
mod trial;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Handle;
use mailbox::Mailbox;
use model::away::{Away, Neighbours};
use net::{Guest, Phase, TlsStore};
use s2s::{Accept, Pair, Stream};
use tokio::runtime;
use tokio::sync::watch;

pub use advice::{advice, step, why};
pub use attempt::{Attempt, Seen, Tried};
pub use certificate::{Doubt, Roots};
pub use counters::{Counters, Failure};
pub use parts::PARTS;
pub use resolve::{Dns, NoDns, Note, Resolve, Resolving, Srv, Unanswered};
pub use settings::{Barred, Rules, Settings};
pub use shown::Shown;
pub use standing::{LaneStanding, Standing, StreamStanding};
pub use targets::ascii;

use carrier::{Carrier, Side};
use courier::Word;
use shared::{Shared, pair_of};
use wire::Wire;

/// What federation needs of the rest of the server.
pub struct Parts {
    /// For outcomes.
    pub engine: Handle,
    /// For stanzas of others.
    pub mailbox: Mailbox,
    /// Our certificates.
    pub tls: Arc<TlsStore>,
    /// Whom to believe about those of others.
    pub roots: Roots,
    /// Who asks DNS.
    pub resolver: Arc<dyn Resolve>,
    /// Where to count.
    pub counters: Arc<Counters>,
    /// The life of the server.
    pub phase: watch::Receiver<Phase>,
}

/// All other servers, as a neighbour of the engine, and as who serves their connections. Cheap to clone.
#[derive(Clone)]
pub struct Federation {
    shared: Arc<Shared>,
    /// Stanzas come from whatever thread the engine is on.
    runtime: runtime::Handle,
}

impl Federation {
    /// Within a runtime, in which its tasks will run.
    pub fn new(settings: Settings, parts: Parts) -> Federation {
        let Parts { engine, mailbox, tls, roots, resolver, counters, phase } = parts;
        let shared = Shared::new(settings, engine, mailbox, resolver, tls, roots, counters, phase);
        Federation { shared: Arc::new(shared), runtime: runtime::Handle::current() }
    }

    /// What is counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// From now on these settings hold for new streams; domains that are no longer allowed lose theirs.
    pub fn replace(&self, settings: Settings) {
        self.shared.settings.replace(settings);
        self.shared.enforce();
    }

    /// From now on these are believed about certificates.
    pub fn replace_roots(&self, roots: Roots) {
        self.shared.roots.replace(roots);
    }

    /// What the operator blocks by command. After a change call [`Federation::enforce`].
    pub fn barred(&self) -> Barred {
        self.shared.settings.now().rules.barred.clone()
    }

    /// Who may be talked with, and how.
    pub fn rules(&self) -> Arc<Rules> {
        self.shared.settings.now().rules.clone()
    }

    /// Ends what the rules do not allow any more, and lets go on what they allow again.
    pub fn enforce(&self) {
        self.shared.enforce();
    }

    /// How things stand with all domains that anything is known of, or with one.
    pub async fn standing(&self, of: Option<&str>) -> BTreeMap<String, Standing> {
        standing::ask(&self.shared, of).await
    }

    /// Connects to a domain anew, at all its addresses, on behalf of one of ours, and lets go again. `None`: too much is
    /// tried already.
    pub async fn test(&self, pair: &Pair) -> Option<Attempt> {
        trial::run(&self.shared, pair).await
    }

    /// Waits until all streams are closed, which they do when the phase says so; not for ever.
    pub async fn closed(&self) {
        if tokio::time::timeout(limits::CLOSE * 2, self.shared.emptied()).await.is_err() {
            tracing::warn!("some streams with other servers did not close in time");
        }
    }
}

impl Neighbours for Federation {
    fn owns(&self, domain: &str) -> bool {
        ascii(domain).is_some() && !self.shared.settings.now().rules.ours.contains(domain)
    }

    fn send(&self, away: Away) {
        let _in_runtime = self.runtime.enter();
        let pair = pair_of(&away.stanza);
        let refused = match pair {
            Some(pair) => self.shared.lane(&pair, Word::Away(away)).err().map(|word| (word, Failure::Full)),
            None => Some((Word::Away(away), Failure::NotFound)),
        };
        if let Some((Word::Away(away), why)) = refused {
            let shared = self.shared.clone();
            tokio::spawn(async move { shared.fail(&away, why).await });
        }
    }
}

impl net::Servers for Federation {
    fn serve(&self, guest: Guest) {
        let _in_runtime = self.runtime.enter();
        let Guest { tcp, ip, direct_tls, read, permit } = guest;
        let mut seed = [0; 32];
        if self.shared.is_closing() || getrandom::fill(&mut seed).is_err() {
            return;
        }
        let settings = self.shared.settings.now().stream.clone();
        let stream = Stream::incoming(settings, Accept { direct_tls, seed }, dial::now());
        let wire = Wire::new(tcp, read);
        let Some(carrier) = Carrier::new(self.shared.clone(), stream, wire, Side::In { direct_tls }) else {
            if let Some(left_out) = self.shared.log.refused.write(dial::now()) {
                tracing::info!(peer = %ip, left_out, "a connection of another server was refused: too many");
            }
            return;
        };
        tokio::spawn(async move {
            Box::pin(carrier.run()).await;
            drop(permit);
        });
    }
}
