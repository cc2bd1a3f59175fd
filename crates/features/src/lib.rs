//! What the server does for an account or a host, one small file per feature.
//!
//! Not here: bytes on the wire and negotiation (stream), the order of things and RFC 6121's rules (kernel), rooms and
//! nodes.

pub mod adhoc;
mod archive;
pub mod blocking;
pub mod caps;
mod carbons;
pub mod directory;
pub mod disco;
mod external;
pub mod last;
pub mod lists;
mod notices;
mod offline;
mod onward;
mod pars;
pub mod ping;
pub mod portable;
pub mod private;
pub mod push;
pub mod recipients;
pub mod register;
pub mod reports;
mod retracted_files;
mod roster;
#[cfg(test)]
mod scene;
mod stanza_ids;
pub mod strangers;
pub mod time;
pub mod upload;
pub mod vcard;
pub mod version;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use kernel::Feature;
use stanza::{forms, when};

/// All features of accounts and hosts, with those `others` that stand in crates of their own. `version` and `os` are the
/// program's, for those who ask (XEP-0092).
pub fn all(version: &'static str, os: &'static str, others: Vec<Box<dyn Feature>>) -> Vec<Box<dyn Feature>> {
    let recipients = Arc::new(AtomicU32::new(recipients::RECIPIENTS_PER_MINUTE));
    with_limits(version, os, recipients, push::Push::default(), others)
}

/// The same, with limits that may change while the server runs, and with what push services may learn.
pub fn with_limits(
    version: &'static str,
    os: &'static str,
    recipients_per_minute: Arc<AtomicU32>,
    push: push::Push,
    others: Vec<Box<dyn Feature>>,
) -> Vec<Box<dyn Feature>> {
    let mut features: Vec<Box<dyn Feature>> = vec![
        Box::new(adhoc::AdHoc),
        Box::new(archive::Archive),
        Box::new(blocking::Blocking),
        Box::new(carbons::Carbons),
        Box::new(directory::Directory),
        Box::new(external::External),
        Box::new(last::Last),
        Box::new(lists::Lists),
        Box::new(notices::Notices),
        Box::new(offline::Offline),
        Box::new(pars::Pars),
        Box::new(ping::Ping),
        Box::new(private::Private),
        Box::new(push),
        Box::new(recipients::Recipients(recipients_per_minute)),
        Box::new(register::Register),
        Box::new(reports::Reports),
        Box::new(retracted_files::RetractedFiles),
        Box::new(roster::Roster),
        Box::new(stanza_ids::StanzaIds),
        Box::new(strangers::Strangers::default()),
        Box::new(time::Time),
        Box::new(upload::Upload),
        Box::new(vcard::Vcard),
        Box::new(version::Version { version, os }),
    ];
    features.extend(others);
    features.push(Box::new(disco(&features)));
    features
}

/// The discovery feature for these others; the stream asks it for the server's capabilities ([`caps::of_host`]).
pub fn disco(others: &[Box<dyn Feature>]) -> disco::Disco {
    disco::Disco::new(&others.iter().map(|feature| feature.card()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, commute};
    use kernel::Direction::Active;
    use kernel::{HostFacts, SafetyFacts, StrangerPolicy};

    /// The law of a step: features that stand on the same one commute.
    #[test]
    fn features_commute() {
        for strangers in [StrangerPolicy::Allow, StrangerPolicy::Hold, StrangerPolicy::Refuse] {
            commute(|| all("1", "plan9", Vec::new()), |scene: &mut Scene| everything(scene, strangers));
        }
    }

    fn everything(scene: &mut Scene, strangers: StrangerPolicy) -> Vec<Vec<String>> {
        let safety = SafetyFacts { strangers, ..SafetyFacts::default() };
        scene.facts(HostFacts { safety, ..HostFacts::default() });
        scene.register("root@example.org", "x", true);
        let mut seen = vec![scene.open("phone"), scene.open("laptop")];
        scene.contact("bob@a.example", Active, Active);
        seen.push(scene.available("phone", 1));
        let block =
            "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='eve@a.example'/></block></iq>";
        seen.push(scene.send("phone", block));
        for from in ["bob@a.example/x", "eve@a.example/x", "carl@a.example/x"] {
            for to in ["alice@example.org", "alice@example.org/phone", "alice@example.org/laptop"] {
                seen.push(
                    scene.get(&format!(
                        "<message from='{from}' to='{to}' type='chat'><body>a</body></message>"
                    )),
                );
                seen.push(scene.get(&format!("<presence from='{from}' to='{to}' type='probe'/>")));
                for ns in [stanza::ns::LAST, stanza::ns::DISCO_INFO, stanza::ns::PING, "urn:nobody"] {
                    let query = format!("<query xmlns='{ns}'/>");
                    seen.push(
                        scene.get(&format!("<iq from='{from}' to='{to}' type='get' id='1'>{query}</iq>")),
                    );
                    let host = format!("<iq from='{from}' to='example.org' type='get' id='1'>{query}</iq>");
                    seen.push(scene.host(&host));
                }
            }
            seen.push(
                scene.send("phone", &format!("<message to='{from}' type='chat'><body>b</body></message>")),
            );
        }
        seen.push(scene.get("<presence from='dora@a.example' to='alice@example.org' type='subscribe'><preauth xmlns='urn:xmpp:pars:0' token='right'/></presence>"));
        seen.push(scene.close("phone"));
        seen
    }

    /// RFC 6120 section 8.3: whatever is asked, there is one answer; nothing panics.
    #[test]
    fn every_request_is_answered_once() {
        for route in all("1", "plan9", Vec::new()).iter().flat_map(|feature| feature.card().iqs) {
            let mut scene = Scene::new(all("1", "plan9", Vec::new()));
            scene.open("phone");
            for name in ["query", "x", "vCard", "block", "unblock", "blocklist", "command", "ping", "time"] {
                for ty in ["get", "set"] {
                    for inner in ["", "<a/>", "<item/>", "<x xmlns='jabber:x:data'><field/></x>", "text"] {
                        let payload = format!("<{name} xmlns='{}' node='devices'>{inner}</{name}>", route.ns);
                        for from in ["eve@a.example/x", "a.example", "alice@example.org/phone"] {
                            let ask =
                                |to| format!("<iq from='{from}' to='{to}' type='{ty}' id='7'>{payload}</iq>");
                            let answers = |seen: Vec<String>| {
                                seen.iter().filter(|line| line.contains("id='7'")).count()
                            };
                            assert_eq!(answers(scene.host(&ask("example.org"))), 1, "{from} {payload}");
                            assert_eq!(answers(scene.get(&ask("alice@example.org"))), 1, "{from} {payload}");
                        }
                    }
                }
            }
        }
    }
}
