//! Reports of spam and abuse: what comes with a block is kept for the operators, and they are told.
//!
//! XEP-0377 0.4.1
//!
//! The reported messages are taken from the reporter's own archive, as far as it has them from that address.
//!
//! Not here: what goes on to others (`onward.rs`), blocking (`blocking.rs`), reading the reports (admin).

use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Account, Card, Feature, Host, HostFacts, Spec, Tally, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query, Which};
use model::spaces::{ARCHIVE, REPORTS};
use model::storage::{Cull, Entry, LogQuery, Owner, Read, Write};
use serde::{Deserialize, Serialize};
use stanza::{Kind, MessageType, Stanza, ns};
use xml::{El, Writer};

use crate::onward::{self, Onward};

/// Most reports that are kept for a domain; the oldest make room.
pub const REPORTS_MAX: u64 = 1_000;
/// Most reports of one account in an hour; of more, only the block happens.
pub const REPORTS_PER_HOUR: u32 = 20;
/// Most bytes of a report's text; the rest is cut off.
pub const REPORT_TEXT_BYTES_MAX: usize = 2_048;
/// Most bytes of a report's reason; a longer one is cut off.
pub const REPORT_REASON_BYTES_MAX: usize = 256;
/// Most messages that are kept with a report.
pub const REPORT_MESSAGES_MAX: usize = 10;
/// Most bytes of each of them.
pub const REPORT_MESSAGE_BYTES_MAX: usize = 1_024;
/// Most operators who are told.
const TOLD_MAX: u32 = 20;
/// How long the list of operators is good for, in milliseconds: to make it all accounts are read.
const OPERATORS_MS: u64 = 600_000;
const HOUR_MS: u64 = 3_600_000;

/// XEP-0377.
pub(crate) struct Reports;

impl Feature for Reports {
    fn card(&self) -> &'static Card {
        static CARD: Card = Card {
            specs: &[Spec::complete("XEP-0377", "0.4.1")
                .note("reports go to the domain's own operators and, with the reporter's consent, on to the other server and to addresses that the operator names")],
            account_vars: &[ns::REPORTING],
            host_vars: &[ns::REPORTING],
            ..Card::named("reports")
        };
        &CARD
    }

    /// From an account of this domain, not from a client of one: the account speaks for itself.
    fn host_heard(&self, turn: &mut Turn<'_, Host>, stanza: &Stanza) -> bool {
        let own = |from: &Jid| {
            from.is_bare() && from.local().is_some() && from.domain() == turn.place.domain.as_str()
        };
        let ours = stanza.from.as_ref().is_some_and(own)
            && matches!(stanza.kind, Kind::Message(MessageType::Normal));
        if ours && stanza.payload.has("report", ns::REPORTING) {
            onward::send(turn, stanza);
            let mut letter = stanza.clone();
            letter.payload = letter.payload.without(|child| child.is("report", ns::REPORTING));
            hand_on(turn, letter);
            return true;
        }
        onward::answered(turn, stanza)
    }
}

/// A report, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Who reports.
    pub by: String,
    /// Whom.
    pub jid: String,
    /// Why: `urn:xmpp:reporting:spam` or another reason; empty if none was given.
    pub reason: String,
    /// In the reporter's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Texts of the reported messages, as the reporter's archive has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// The reporter agrees that the reported one's server hears of it.
    pub report_origin: bool,
    /// The reporter agrees that others hear of it.
    pub third_party: bool,
}

/// A report as it came, with the archive's ids of the messages that it is about.
pub(crate) struct Filed {
    report: Report,
    ids: Vec<u64>,
}

/// How many reports an account has made in this hour.
#[derive(Default)]
struct Hour(u64, u32);

/// At most so many bytes of a text, whole characters.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

/// The report in an item of a block, if there is one. What is odd in it is left out: the block counts.
pub(crate) fn read(item: El<'_>, own: &str, jid: &Jid) -> Option<Filed> {
    let report = item.child("report", ns::REPORTING)?;
    let text = report.child_text("text", ns::REPORTING).unwrap_or_default();
    let reason = report.attr("reason").unwrap_or_default();
    let ours = |id: El<'_>| {
        let by = id.attr("by").filter(|by| &**by == own);
        by.and_then(|_| id.attr("id")?.parse().ok())
    };
    let ids =
        report.children_named("stanza-id", ns::SID).filter_map(ours).take(REPORT_MESSAGES_MAX).collect();
    let flag = |name| report.child(name, ns::REPORTING).is_some();
    let report = Report {
        by: own.to_owned(),
        jid: jid.as_str().to_owned(),
        reason: cut(&reason, REPORT_REASON_BYTES_MAX),
        text: cut(text.trim(), REPORT_TEXT_BYTES_MAX),
        messages: Vec::new(),
        report_origin: flag("report-origin"),
        third_party: flag("third-party"),
    };
    Some(Filed { report, ids })
}

/// Files reports, if the account has not made too many.
pub(crate) fn file(turn: &mut Turn<'_, Account>, reports: Vec<Filed>) {
    let now_ms = turn.now.unix_ms;
    for filed in reports {
        let hour = turn.place.slots.of::<Hour>();
        if now_ms.checked_sub(hour.0).is_none_or(|passed| passed >= HOUR_MS) {
            *hour = Hour(now_ms, 0);
        }
        if hour.1 >= REPORTS_PER_HOUR {
            tracing::warn!(account = %turn.place.jid, "makes too many reports; the rest is passed over for an hour");
            return;
        }
        hour.1 += 1;
        match filed.ids.is_empty() {
            true => tell(turn, filed.report),
            false => look_up(turn, filed),
        }
    }
}

/// Takes the reported messages from the reporter's archive.
fn look_up(turn: &mut Turn<'_, Account>, filed: Filed) {
    let (account, owner) = (turn.place.jid.clone(), Owner::from(turn.place.jid.text()));
    let Filed { mut report, ids } = filed;
    let query =
        LogQuery { ids: Some(ids), limit: REPORT_MESSAGES_MAX as u32, ..LogQuery::new(ARCHIVE, owner) };
    turn.fx.ask(&account, Query::Read(query.into()), move |turn, found| {
        let entries = found.map(|found| found.into_loaded().into_page().entries).unwrap_or_default();
        let of_them = |entry: &&Entry| {
            let with = entry.with.as_deref().unwrap_or_default();
            // Whoever reports a whole domain may show what came from there.
            Jid::parse(&report.jid).is_ok_and(|jid| {
                jid.bare_str() == with || Jid::parse(with).is_ok_and(|with| with.domain() == jid.as_str())
            })
        };
        let text = |entry: &Entry| {
            let stanza = Stanza::from_stored(&entry.value).ok()?;
            let foreign = stanza.from.is_some_and(|from| from.bare_str() != report.by);
            stanza.payload.text_of("body", ns::CLIENT).filter(|_| foreign)
        };
        let texts = entries.iter().filter(of_them).filter_map(text);
        let messages = texts.map(|text| cut(&text, REPORT_MESSAGE_BYTES_MAX)).collect();
        report.messages = messages;
        tell(turn, report);
    });
}

/// Keeps the report, and lets the domain tell those who are to look at it.
fn tell(turn: &mut Turn<'_, Account>, report: Report) {
    let (account, owner) = (turn.place.jid.clone(), Owner::from(turn.place.jid.domain()));
    // The turn of an answer has an id that is newer than all others: so the log's order holds, whoever else reports.
    let bounds = Read::LogBounds { space: REPORTS, owner: owner.clone(), count: false };
    turn.fx.ask(&account, Query::Read(bounds), move |turn, _| {
        let entry = Entry {
            id: turn.id,
            at_ms: turn.now.unix_ms,
            with: Some(Arc::from(&*report.jid)),
            resource: None,
            tag: 0,
            // Texts and flags are always writable as JSON.
            value: serde_json::to_vec(&report).unwrap_or_default().into(),
        };
        turn.fx.write(Write::LogAppend { space: REPORTS, owner: owner.clone(), entry });
        turn.fx.write(Write::LogDelete { space: REPORTS, owner, what: Cull::KeepNewest(REPORTS_MAX) });
        Tally::count(&turn.place.facts.safety.tally.reports);
        if let Ok(domain) = Jid::parse(turn.place.jid.domain()) {
            turn.fx.route(letter(&report).from(&turn.place.jid).to(&domain));
        }
    });
}

/// The domain's operators, as they were when somebody last asked.
#[derive(Default)]
struct Operators(Option<(u64, Vec<Bare>)>);

/// Hands a letter on to the operators and to those who take complaints.
fn hand_on(turn: &mut Turn<'_, Host>, letter: Stanza) {
    let now = turn.now.unix_ms;
    if let Operators(Some((at, operators))) = turn.place.slots.of::<Operators>()
        && now.checked_sub(*at).is_some_and(|age| age < OPERATORS_MS)
    {
        let operators = operators.clone();
        return deliver(turn, &operators, &letter);
    }
    let domain = turn.place.domain.as_str().to_owned();
    let list = AccountQuery::List { domain, after: None, limit: TOLD_MAX, which: Which::Admins };
    turn.ask(Query::Account(list), move |turn, found| {
        let operators: Vec<Bare> = match found {
            Ok(Found::Account(AccountFound::Accounts(infos))) => {
                infos.into_iter().map(|info| info.account).collect()
            }
            _ => Vec::new(),
        };
        turn.place.slots.of::<Operators>().0 = Some((turn.now.unix_ms, operators.clone()));
        deliver(turn, &operators, &letter);
    });
}

fn deliver(turn: &mut Turn<'_, Host>, operators: &[Bare], letter: &Stanza) {
    let contacts = abuse_contacts(&turn.place.facts);
    let more = contacts.iter().filter(|contact| !operators.contains(contact));
    for to in operators.iter().chain(more) {
        turn.fx.route(letter.clone().from(&turn.place.domain).to(to));
    }
}

/// XEP-0157: where the domain wants complaints to go, as far as it is XMPP.
fn abuse_contacts(facts: &HostFacts) -> Vec<Bare> {
    let uris = facts.contacts.iter().filter(|(field, _)| field == "abuse-addresses");
    let addresses = uris.flat_map(|(_, uris)| uris).filter_map(|uri| uri.strip_prefix("xmpp:"));
    let bare = addresses.filter_map(|address| Bare::parse(address.split(['?', '/']).next()?).ok());
    bare.take(TOLD_MAX as usize).collect()
}

/// The message for operators.
fn letter(report: &Report) -> Stanza {
    let reason = match &*report.reason {
        ns::REPORTING_SPAM => "spam",
        ns::REPORTING_ABUSE => "abuse",
        "" => "no reason given",
        other => other,
    };
    let mut body = format!("{} reports {}: {reason}", report.by, report.jid);
    for part in std::iter::once(&report.text).filter(|text| !text.is_empty()) {
        body.push_str(&format!("\n\n{part}"));
    }
    for message in &report.messages {
        body.push('\n');
        message.lines().for_each(|line| body.push_str(&format!("\n> {line}")));
    }
    let mut w = Writer::new(ns::CLIENT);
    w.leaf("subject", ns::CLIENT, format!("Report: {reason}")).leaf("body", ns::CLIENT, body);
    Onward::write(report, &mut w);
    Stanza::message(MessageType::Normal).with_inner(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    fn block(inner: &str) -> String {
        format!(
            "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='eve@spam.example'>{inner}</item></block></iq>"
        )
    }

    fn scene() -> Scene {
        let mut scene = Scene::new(crate::all("1", "plan9", Vec::new()));
        let contacts = vec![(
            "abuse-addresses".to_owned(),
            vec!["mailto:a@b.example".to_owned(), "xmpp:abuse@b.example?message".to_owned()],
        )];
        scene.facts(HostFacts { contacts, ..HostFacts::default() });
        scene.register("root@example.org", "x", true);
        scene.open("phone");
        scene.available("phone", 1);
        scene
    }

    /// The report as it was stored.
    fn stored(seen: &[String]) -> Option<Report> {
        let line = seen.iter().find(|line| line.starts_with("log reports of example.org "))?;
        serde_json::from_str(line.split_once(" = ")?.1).ok()
    }

    #[test]
    fn is_kept_and_told_with_what_was_said() {
        let mut scene = scene();
        let message = "<message from='eve@spam.example/x' to='alice@example.org' type='chat'><body>buy</body></message>";
        let seen = scene.get(message);
        let id = seen
            .iter()
            .find_map(|line| line.strip_prefix("log archive #")?.split(' ').next())
            .unwrap()
            .to_owned();
        let report = format!(
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='{id}'/><stanza-id xmlns='urn:xmpp:sid:0' by='eve@spam.example' id='{id}'/>\
             <text>Never came trouble</text><report-origin/></report>"
        );
        let seen = scene.send("phone", &block(&report));
        let found = stored(&seen).unwrap();
        let expected = Report {
            by: "alice@example.org".into(),
            jid: "eve@spam.example".into(),
            reason: ns::REPORTING_SPAM.into(),
            text: "Never came trouble".into(),
            messages: vec!["buy".into()],
            report_origin: true,
            third_party: false,
        };
        assert_eq!(found, expected);
        assert!(seen.iter().any(|line| line.starts_with("put blocklist eve@spam.example")), "{seen:?}");
        let letter = seen.iter().find_map(|line| line.strip_prefix("-> ")).unwrap();
        let told = scene.host(letter);
        let to = |who: &str| told.iter().any(|line| line.contains(&format!("from='example.org' to='{who}'")));
        assert!(to("root@example.org") && to("abuse@b.example") && told.len() == 2, "{told:?}");
        assert!(told[0].contains("&gt; buy") && !told[0].contains("urn:xmpp:reporting:1"), "{told:?}");
    }

    /// Whatever a report says, the block happens.
    #[test]
    fn odd_reports_do_not_stand_in_the_way_of_the_block() {
        let long = "ä".repeat(50_000);
        let ids = "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='7'/>".repeat(100);
        for (inner, kept) in [
            ("<report xmlns='urn:xmpp:reporting:0' reason='urn:xmpp:reporting:spam'/>".to_owned(), false),
            ("<report xmlns='urn:xmpp:reporting:1'/>".to_owned(), true),
            (format!("<report xmlns='urn:xmpp:reporting:1' reason='{}'><text>{long}</text>{ids}</report>", "r".repeat(5_000)), true),
            ("<report xmlns='urn:xmpp:reporting:1' reason='x'><stanza-id xmlns='urn:xmpp:sid:0' by='alice@example.org' id='?'/><stanza-id xmlns='urn:xmpp:sid:0'/></report>".to_owned(), true),
        ] {
            let mut scene = scene();
            let seen = scene.send("phone", &block(&inner));
            assert!(seen.iter().any(|line| line.starts_with("put blocklist")), "{seen:?}");
            let report = stored(&seen);
            assert_eq!(report.is_some(), kept, "{seen:?}");
            let report = report.unwrap_or_default();
            assert!(report.text.len() <= REPORT_TEXT_BYTES_MAX && report.reason.len() <= REPORT_REASON_BYTES_MAX);
        }
        let mut scene = scene();
        for own in ["example.org", "alice@example.org", "root@example.org"] {
            let xml = block("<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:abuse'/>")
                .replace("eve@spam.example", own);
            assert!(stored(&scene.send("phone", &xml)).is_some(), "{own}");
        }
        let bad =
            block("<report xmlns='urn:xmpp:reporting:1' reason='x'/>").replace("eve@spam.example", "a b@c");
        assert_eq!(scene.send("phone", &bad).len(), 1, "nothing is blocked, nothing is reported");
    }

    #[test]
    fn there_are_not_too_many() {
        let mut scene = scene();
        let report = block("<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>");
        let kept = (0..=REPORTS_PER_HOUR).filter(|_| stored(&scene.send("phone", &report)).is_some()).count();
        assert_eq!(kept as u32, REPORTS_PER_HOUR);
        scene.now_ms += HOUR_MS;
        let seen = scene.send("phone", &report);
        assert!(stored(&seen).is_some());
        assert!(
            seen.iter().any(|line| line.starts_with("del reports of example.org KeepNewest(1000)")),
            "{seen:?}"
        );
        // Clients cannot speak for their account.
        let forged = "<message from='alice@example.org/phone' to='example.org'><report xmlns='urn:xmpp:reporting:1'/><body>a</body></message>";
        let seen = scene.host(forged);
        assert!(seen.len() == 1 && seen[0].contains("service-unavailable"), "{seen:?}");
    }
}
