//! Who retracts a message takes back the file that it shared, if it lies here and is one's own.
//!
//! XEP-0424 0.4.2, XEP-0066 1.5, XEP-0447 0.3.1
//!
//! Nothing is deleted on the word of the retraction alone: the message must stand in the account's archive as sent by
//! it to the same recipient, and the file must be an upload of that account (crate `files` looks). What waits to be looked
//! for is in memory only: if the process ends before, the file stays for its time.
//!
//! Not here: the retraction itself, which clients carry out; rooms, whose messages accounts do not keep.

use kernel::{Account, Card, Feature, Flow, Spec, Step, Turn, Way};
use model::query::{Found, Query, UploadQuery};
use model::spaces::ARCHIVE;
use model::storage::{Entry, LogQuery, Owner, Page, Paging, Read, With};
use stanza::{Kind, MessageType, Stanza, ns};

/// Newest messages with the recipient among which the retracted one is looked for.
const LOOKED_AT_MAX: u32 = 500;
/// Messages that are read at once.
const PAGE: u32 = 100;
/// Bytes of messages that are read at once.
const PAGE_BYTES: u64 = 1_048_576;
/// Retracted messages of an account that wait to be looked for.
const WAITING_MAX: usize = 128;
/// Files that one message may take with it.
const FILES_MAX: usize = 30;
/// Bytes of an id.
const ID_BYTES_MAX: usize = 1_024;

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0424", "0.4.2").note(
            "the server's part: kept in archives; an uploaded file goes with the message that shared it (chats);",
        ),
        Spec::complete("XEP-0066", "1.5").note("the server's part: passed on; read where a message with a file is retracted"),
        Spec::complete("XEP-0447", "0.3.1").note("the server's part: passed on; read where a message with a file is retracted"),
    ],
    steps: &[(Way::Leave, Step::Keep)],
    ..Card::named("retracted_files")
};

/// See the file's header.
pub(crate) struct RetractedFiles;

impl Feature for RetractedFiles {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let Kind::Message(MessageType::Chat | MessageType::Normal) = stanza.kind else { return Flow::On };
        let Some(retract) = stanza.payload.child("retract", ns::RETRACT) else { return Flow::On };
        let id = retract.attr("id").filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX);
        if let (Some(id), Some(to)) = (id, &stanza.to) {
            let searches = turn.place.slots.of::<Searches>();
            if searches.waiting.len() < WAITING_MAX {
                searches.waiting.push((to.bare_str().into(), id));
            }
            if !searches.running {
                Search::begin(turn);
            }
        }
        Flow::On
    }
}

/// What an account looks for: one search at a time, of which each page is a turn of its own.
#[derive(Default)]
struct Searches {
    running: bool,
    /// With whom, and which id.
    waiting: Vec<(Box<str>, String)>,
}

/// Looks for messages, from the newest back.
struct Search {
    ids: Vec<String>,
    with: Box<str>,
    left: u32,
}

impl Search {
    /// Begins the next search, if one waits: for all with the same person at once.
    fn begin(turn: &mut Turn<'_, Account>) {
        let searches = turn.place.slots.of::<Searches>();
        searches.running = false;
        let Some(with) = searches.waiting.first().map(|(with, _)| with.clone()) else { return };
        searches.running = true;
        let ids = searches.waiting.extract_if(.., |(who, _)| *who == with).map(|(_, id)| id).collect();
        Search { ids, with, left: LOOKED_AT_MAX }.go_on(turn, None);
    }

    fn go_on(self, turn: &mut Turn<'_, Account>, before: Option<u64>) {
        let query = LogQuery {
            with: Some(With::Bare((&*self.with).into())),
            page: Paging::Backwards { before },
            limit: PAGE.min(self.left),
            bytes: PAGE_BYTES,
            ..LogQuery::new(ARCHIVE, Owner::from(turn.place.jid.text()))
        };
        let account = turn.place.jid.clone();
        turn.fx.ask(&account, Query::Read(Read::Log(query)), move |turn, found| match found {
            Ok(Found::Loaded(loaded)) => self.look_at(turn, loaded.into_page()),
            _ => Search::begin(turn),
        });
    }

    fn look_at(mut self, turn: &mut Turn<'_, Account>, page: Page) {
        let own = turn.place.jid.as_str().to_owned();
        for entry in page.entries.iter().rev() {
            if let Some(urls) = self.shared(entry, &own) {
                delete(turn, urls);
            }
        }
        self.left = self.left.saturating_sub(page.entries.len() as u32);
        match page.entries.first() {
            Some(first) if !page.complete && self.left > 0 && !self.ids.is_empty() => {
                self.go_on(turn, Some(first.id));
            }
            _ => Search::begin(turn),
        }
    }

    /// The addresses in a message, if it is one that is looked for, and this account's own.
    fn shared(&mut self, entry: &Entry, own: &str) -> Option<Vec<String>> {
        if self.ids.is_empty() {
            return None;
        }
        let message = Stanza::from_stored(&entry.value).ok()?;
        let is_own = message.from.as_ref().is_some_and(|from| from.bare_str() == own);
        // XEP-0424 section 4: the origin id where there is one.
        let origin = message.payload.child("origin-id", ns::SID).and_then(|origin| origin.attr("id"));
        let named = |id: &str| origin.as_deref() == Some(id) || message.id.as_deref() == Some(id);
        let known = self.ids.iter().any(|id| named(id));
        if !is_own || !known {
            return None;
        }
        self.ids.retain(|id| !named(id));
        Some(urls(&message))
    }
}

fn delete(turn: &mut Turn<'_, Account>, urls: Vec<String>) {
    if urls.is_empty() {
        return;
    }
    let account = turn.place.jid.clone();
    let query = UploadQuery::Retract { account: account.clone(), urls };
    turn.fx.ask(&account, Query::Upload(query), |_, found| {
        if found.is_err() {
            tracing::warn!("files of a retracted message stay, because storage does not answer");
        }
    });
}

/// What a message shares: a body that is nothing but an address, out-of-band data, sources of files.
fn urls(message: &Stanza) -> Vec<String> {
    let payload = &message.payload;
    let body = payload.text_of("body", ns::CLIENT).map(|body| body.trim().to_owned());
    let mut urls: Vec<String> = body.filter(|body| is_address(body)).into_iter().collect();
    for child in payload.children() {
        let Ok(tree) = child.tree() else { continue };
        let Some(el) = tree.root() else { continue };
        if child.is("x", ns::OOB) {
            urls.extend(el.child("url", ns::OOB).map(|url| url.text().trim().to_owned()));
        }
        if child.is("file-sharing", ns::FILE_SHARING) || child.is("sources", ns::FILE_SHARING) {
            let sources =
                if el.name() == "sources" { Some(el) } else { el.child("sources", ns::FILE_SHARING) };
            let of = sources.into_iter().flat_map(|sources| sources.children_named("url-data", ns::URL_DATA));
            urls.extend(of.filter_map(|data| data.attr("target")).map(|target| target.into_owned()));
        }
    }
    urls.sort();
    urls.dedup();
    urls.truncate(FILES_MAX);
    urls
}

fn is_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("aesgcm://")) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;
    use crate::scene::Scene;

    const FILE: &str = "https://example.org/upload/0a/b.jpg";

    fn scene() -> Scene {
        let mut scene = Scene::new(vec![Box::new(Archive), Box::new(RetractedFiles)]);
        scene.open("phone");
        scene
    }

    fn say(scene: &mut Scene, attrs: &str, inner: &str) {
        scene.send("phone", &format!("<message {attrs}>{inner}</message>"));
    }

    fn retract(scene: &mut Scene, attrs: &str, id: &str) -> Vec<UploadQuery> {
        say(
            scene,
            attrs,
            &format!(
                "<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/><store xmlns='urn:xmpp:hints'/>"
            ),
        );
        std::mem::take(&mut scene.files.1)
    }

    fn asked(urls: &[&str]) -> Vec<UploadQuery> {
        let account = address::Bare::parse(crate::scene::OWN).unwrap();
        vec![UploadQuery::Retract { account, urls: urls.iter().map(|url| (*url).to_owned()).collect() }]
    }

    const BOB: &str = "to='bob@a.example' type='chat'";

    #[test]
    fn takes_back_what_was_shared() {
        let oob = format!("<body>look</body><x xmlns='jabber:x:oob'><url>{FILE}</url></x>");
        let source =
            |url: &str| format!("<url-data xmlns='http://jabber.org/protocol/url-data' target='{url}'/>");
        let sharing = format!(
            "<body>x</body><file-sharing xmlns='urn:xmpp:sfs:0'><sources>{}{}</sources></file-sharing>",
            source(FILE),
            source("https://b.example/c")
        );
        let encrypted = "aesgcm://example.org/upload/0a/b.jpg#00";
        for (inner, want) in [
            (format!("<body> {FILE}\n</body>"), vec![FILE]),
            (format!("<body>{encrypted}</body>"), vec![encrypted]),
            (oob, vec![FILE]),
            (sharing, vec!["https://b.example/c", FILE]),
        ] {
            for (attrs, extra) in [("id='1'", ""), ("id='2'", "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>")] {
                let mut scene = scene();
                say(&mut scene, &format!("{BOB} {attrs}"), &format!("{inner}{extra}"));
                assert_eq!(retract(&mut scene, BOB, "1"), asked(&want), "{inner}");
            }
        }
    }

    #[test]
    fn nothing_else_is_touched() {
        let link = format!("<body>{FILE}</body>");
        let mut scene = scene();
        say(&mut scene, &format!("{BOB} id='1'"), &link);
        say(&mut scene, &format!("{BOB} id='2'"), &format!("<body>see {FILE}</body>"));
        say(&mut scene, &format!("{BOB} id='3'"), &format!("{link}<no-store xmlns='urn:xmpp:hints'/>"));
        // Theirs, with an id that one may have as well.
        scene.get(&format!(
            "<message from='bob@a.example/x' to='alice@example.org' type='chat' id='4'>{link}</message>"
        ));
        for (attrs, id) in [
            (BOB, "2"),
            (BOB, "3"),
            (BOB, "4"),
            (BOB, "5"),
            (BOB, ""),
            (BOB, &"1".repeat(2_000)),
            ("to='eve@a.example' type='chat'", "1"),
            ("to='bob@a.example' type='groupchat'", "1"),
            ("to='bob@a.example' type='headline'", "1"),
        ] {
            assert_eq!(retract(&mut scene, attrs, id), [], "{attrs} {id}");
        }
        // Somebody else's retraction is not one's own.
        let theirs = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>";
        scene.get(&format!(
            "<message from='bob@a.example/x' to='alice@example.org' type='chat'>{theirs}</message>"
        ));
        assert_eq!(scene.files.1, []);
        assert_eq!(
            retract(&mut scene, "to='bob@a.example/other'", "1"),
            asked(&[FILE]),
            "any device of bob's"
        );
    }

    #[test]
    fn looks_back_only_so_far() {
        for (between, found) in [(0, true), (PAGE, true), (LOOKED_AT_MAX - 2, true), (LOOKED_AT_MAX, false)] {
            let mut scene = scene();
            say(&mut scene, &format!("{BOB} id='1'"), &format!("<body>{FILE}</body>"));
            for _ in 0..between {
                say(&mut scene, BOB, "<body>a</body>");
            }
            assert_eq!(!retract(&mut scene, BOB, "1").is_empty(), found, "{between}");
        }
    }

    /// Many retractions at once cost one walk through the archive, and no turn looks at more than a page.
    #[test]
    fn an_account_looks_for_one_person_at_a_time() {
        let mut scene = scene();
        for id in 0..3 * PAGE {
            say(&mut scene, &format!("{BOB} id='{id}'"), &format!("<body>{FILE}{id}</body>"));
        }
        let (mut asked, mut walks, mut deleted) = (std::collections::VecDeque::new(), 0, 0);
        let session = scene.account.sessions[0].id;
        let own = scene.account.sessions[0].jid.clone();
        let mut play = |scene: &mut Scene, asked: &mut std::collections::VecDeque<_>, act: Act<'_>| {
            let mut fx = kernel::Effects::default();
            let now = kernel::Now { unix_ms: scene.now_ms };
            scene.next_id += 1;
            act(
                &scene.kernel,
                &mut Turn::new(now, scene.next_id, &mut scene.account, Some(session), &mut fx),
            );
            for effect in fx.take() {
                match effect {
                    kernel::Effect::Ask(_, Query::Read(Read::Log(query)), resume) => {
                        assert!(query.limit <= PAGE && query.bytes <= PAGE_BYTES);
                        walks += 1;
                        asked.push_back((query, resume));
                    }
                    kernel::Effect::Ask(_, Query::Upload(_), _) => deleted += 1,
                    _ => {}
                }
            }
        };
        for id in 0..50 {
            for to in ["bob@a.example", "carl@a.example"] {
                let retract = format!(
                    "<message to='{to}' type='chat'><retract xmlns='{}' id='{id}'/></message>",
                    ns::RETRACT
                );
                let stanza = crate::scene::stanza(&retract).from(&own);
                play(&mut scene, &mut asked, Box::new(|kernel, turn| kernel.leave(turn, stanza)));
                assert_eq!(asked.len(), 1);
            }
        }
        while let Some((query, resume)) = asked.pop_front() {
            let found = Ok(Found::Loaded(scene.read(Read::Log(query))));
            play(&mut scene, &mut asked, Box::new(|_, turn| resume(turn, found)));
            assert!(asked.len() <= 1);
        }
        // For the first, for all others with bob, for carl.
        assert_eq!((walks, deleted), (3 + 3 + 1, 50));
    }

    type Act<'a> = Box<dyn FnOnce(&kernel::Kernel, &mut Turn<'_, Account>) + 'a>;

    #[test]
    fn a_fault_leaves_everything_as_it_is() {
        let mut scene = scene();
        say(&mut scene, &format!("{BOB} id='1'"), &format!("<body>{FILE}</body>"));
        scene.broken = true;
        assert_eq!(retract(&mut scene, BOB, "1"), []);
    }
}
