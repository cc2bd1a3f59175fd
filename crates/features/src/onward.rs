//! Reports of spam and abuse on their way to others: to the server of who was reported, and to whom the operator names.
//!
//! XEP-0377 0.4.1 (processing by consent), XEP-0157 1.1.1 (where complaints go), XEP-0297 1.0
//!
//! Nothing leaves without the reporter's consent, and nothing says who the reporter is. The form is that of Prosody's
//! `mod_report_forward`.
//!
//! Not here: what stays with the domain's own operators (`reports.rs`), reports that others send.

use std::collections::VecDeque;

use address::Jid;
use kernel::{Host, Turn};
use stanza::{IqType, Kind, MessageType, Stanza, ns};
use xml::{El, Writer};

/// Most reports that wait for an answer of the other server; the oldest are given up.
const ONWARD_MAX: usize = 64;
/// How long in milliseconds they wait.
const ONWARD_MS: u64 = 180_000;
/// What the ids of questions begin with.
const PREFIX: &str = "report-";

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Onward {
    /// Who was reported.
    jid: Jid,
    reason: String,
    text: String,
    messages: Vec<String>,
    /// To its server.
    origin: bool,
    /// To others.
    third_party: bool,
}

/// Those that wait: when, the id of the question, whom it went to.
#[derive(Default)]
struct Waiting(VecDeque<(u64, String, Jid, Onward)>);

impl Onward {
    /// Writes it for the domain, in a letter of the account.
    pub(crate) fn write(report: &crate::reports::Report, w: &mut Writer) {
        w.open("report", ns::REPORTING).attr("reason", &report.reason);
        if !report.text.is_empty() {
            w.leaf("text", ns::REPORTING, &report.text);
        }
        w.leaf("jid", ns::REPORTED_JID, &report.jid);
        for (name, agreed) in [("report-origin", report.report_origin), ("third-party", report.third_party)] {
            if agreed {
                w.open(name, ns::REPORTING).close();
            }
        }
        for message in &report.messages {
            w.leaf("message", ns::REPORTING, message);
        }
        w.close();
    }

    /// Reads what [`Onward::write`] wrote.
    fn read(report: El<'_>) -> Option<Onward> {
        let text = |name| report.child_text(name, ns::REPORTING).map(|text| text.into_owned());
        let flag = |name| report.child(name, ns::REPORTING).is_some();
        let messages = report.children_named("message", ns::REPORTING).map(|one| one.text().into_owned());
        Some(Onward {
            jid: Jid::parse(&report.child_text("jid", ns::REPORTED_JID)?).ok()?,
            reason: report.attr("reason")?.into_owned(),
            text: text("text").unwrap_or_default(),
            messages: messages.collect(),
            origin: flag("report-origin"),
            third_party: flag("third-party"),
        })
    }

    /// The letter for others. Whoever reports is not in it.
    fn letter(&self) -> Stanza {
        let mut w = Writer::new(ns::CLIENT);
        let body = format!("{} was reported by somebody of this server: {}", self.jid, self.reason);
        w.leaf("body", ns::CLIENT, body).open("report", ns::REPORTING).attr("reason", &self.reason);
        if !self.text.is_empty() {
            w.leaf("text", ns::REPORTING, &self.text);
        }
        w.leaf("jid", ns::REPORTED_JID, self.jid.as_str()).close();
        for message in &self.messages {
            w.open("forwarded", ns::FORWARD).open("message", ns::CLIENT).attr("from", self.jid.as_str());
            w.attr("type", "chat").leaf("body", ns::CLIENT, message).close().close();
        }
        Stanza::message(MessageType::Normal).with_inner(w.finish())
    }
}

/// A letter of an account with a report in it: it goes on as far as its writer agrees and the operator wants it.
pub(crate) fn send(turn: &mut Turn<'_, Host>, letter: &Stanza) {
    let child = letter.payload.child("report", ns::REPORTING);
    let Some(onward) = child.and_then(|child| Onward::read(child.tree().ok()?.root()?)) else { return };
    let safety = turn.place.facts.safety.clone();
    // XEP-0377 section 5: a report without a reason is none.
    if onward.reason.is_empty() {
        return;
    }
    if onward.third_party {
        for to in &safety.reports_to {
            turn.fx.route(onward.letter().from(&turn.place.domain).to(to));
        }
    }
    let foreign = onward.jid.domain() != turn.place.domain.as_str();
    if onward.origin && safety.reports_to_origin && foreign {
        ask(turn, onward);
    }
}

/// Asks the other server where complaints go.
fn ask(turn: &mut Turn<'_, Host>, onward: Onward) {
    let Ok(server) = Jid::parse(onward.jid.domain()) else { return };
    let (now, id) = (turn.now.unix_ms, format!("{PREFIX}{:x}", turn.id));
    let Waiting(waiting) = turn.place.slots.of::<Waiting>();
    waiting.retain(|(since, ..)| now.checked_sub(*since).is_some_and(|passed| passed < ONWARD_MS));
    if waiting.len() >= ONWARD_MAX {
        waiting.pop_front();
    }
    waiting.push_back((now, id.clone(), server.clone(), onward));
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).close();
    let request = Stanza::new(Kind::Iq(IqType::Get)).id(&id).with_inner(w.finish());
    turn.fx.route(request.from(&turn.place.domain).to(&server));
}

/// The other server has answered, or an error came: whether it was one of these questions.
pub(crate) fn answered(turn: &mut Turn<'_, Host>, stanza: &Stanza) -> bool {
    let Kind::Iq(IqType::Result | IqType::Error) = stanza.kind else { return false };
    let Some(id) = stanza.id.as_deref().filter(|id| id.starts_with(PREFIX)) else { return false };
    let Waiting(waiting) = turn.place.slots.of::<Waiting>();
    let mine = |(_, known, server, _): &(u64, String, Jid, Onward)| {
        known == id && stanza.from.as_ref() == Some(server)
    };
    let Some((.., server, onward)) = waiting.iter().position(mine).and_then(|at| waiting.remove(at)) else {
        return false;
    };
    let to = match stanza.kind {
        Kind::Iq(IqType::Result) => {
            let tree = stanza.payload.tree().ok();
            tree.as_ref().and_then(|tree| address(tree.root()?, &server))
        }
        _ => None,
    };
    if let Some(to) = to {
        turn.fx.route(onward.letter().from(&turn.place.domain).to(&to));
    }
    true
}

/// Where that server takes reports: an address that it names for them or for complaints, or itself if it knows reports.
fn address(info: El<'_>, server: &Jid) -> Option<Jid> {
    let forms = info.children_named("x", ns::FORMS);
    let fields: Vec<El<'_>> = forms.flat_map(|form| form.children_named("field", ns::FORMS)).collect();
    let named = |var: &str| {
        let field = fields.iter().find(|field| field.attr("var").as_deref() == Some(var))?;
        field.children_named("value", ns::FORMS).find_map(|value| {
            let text = value.text();
            Jid::parse(text.trim().strip_prefix("xmpp:")?.split(['?', '/']).next()?).ok()
        })
    };
    let knows = || {
        let mut features = info.children_named("feature", ns::DISCO_INFO);
        features.any(|feature| feature.attr("var").as_deref() == Some(ns::REPORTING))
    };
    named("report-addresses").or_else(|| named("abuse-addresses")).or_else(|| knows().then(|| server.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use kernel::{HostFacts, SafetyFacts};

    fn scene(origin: bool, others: &[&str]) -> Scene {
        let mut scene = Scene::new(crate::all("1", "plan9", Vec::new()));
        let reports_to = others.iter().map(|jid| Jid::parse(jid).unwrap()).collect();
        let safety = SafetyFacts { reports_to, reports_to_origin: origin, ..SafetyFacts::default() };
        scene.facts(HostFacts { safety, ..HostFacts::default() });
        scene.open("phone");
        scene
    }

    /// What the domain sends on when alice reports with this consent.
    fn report(scene: &mut Scene, jid: &str, inner: &str) -> Vec<String> {
        let report = format!(
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'><text>Never came trouble</text>{inner}</report>"
        );
        let block = format!(
            "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='{jid}'>{report}</item></block></iq>"
        );
        let seen = scene.send("phone", &block);
        let letter = seen.iter().find_map(|line| line.strip_prefix("-> <message ")).unwrap();
        scene.host(&format!("<message {letter}"))
    }

    const ORIGIN: &str = "<report-origin/>";
    const OTHERS: &str = "<third-party/>";

    fn id(question: &str) -> String {
        question.split("id='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
    }

    #[test]
    fn nothing_leaves_without_consent_or_where_the_operator_does_not_want_it() {
        for (origin, others, inner, count) in [
            (true, &["bl.example"][..], "", 0),
            (true, &["bl.example"], ORIGIN, 1),
            (true, &["bl.example", "two@bl.example"], OTHERS, 2),
            (true, &["bl.example"], "<report-origin/><third-party/>", 2),
            (false, &["bl.example"], ORIGIN, 0),
            (false, &[], "<report-origin/><third-party/>", 0),
        ] {
            let mut scene = scene(origin, others);
            let seen = report(&mut scene, "eve@spam.example", inner);
            assert_eq!(seen.len(), count, "{origin} {others:?} {inner}: {seen:?}");
        }
        let mut scene = scene(true, &[]);
        assert!(report(&mut scene, "bob@example.org", ORIGIN).is_empty(), "one's own operators have it");
    }

    #[test]
    fn others_read_all_but_who_reports() {
        let mut scene = scene(false, &["bl.example"]);
        let seen = report(&mut scene, "eve@spam.example", OTHERS);
        assert!(seen[0].contains("from='example.org' to='bl.example'"), "{seen:?}");
        let payload = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'><text>Never came trouble</text>\
            <jid xmlns='urn:xmpp:jid:0'>eve@spam.example</jid></report>";
        assert!(seen[0].contains(payload) && !seen[0].contains("alice"), "{seen:?}");
    }

    /// Where the other server says: for reports, for complaints, or to itself if it knows them.
    #[test]
    fn the_other_server_says_where_it_wants_them() {
        let field = |var: &str, uris: &[&str]| {
            let values: String = uris.iter().map(|uri| format!("<value>{uri}</value>")).collect();
            format!("<x xmlns='jabber:x:data' type='result'><field var='{var}'>{values}</field></x>")
        };
        let knows = "<feature var='urn:xmpp:reporting:1'/>".to_owned();
        let abuse = field("abuse-addresses", &["mailto:a@spam.example", "xmpp:abuse@spam.example?message"]);
        for (info, to) in [
            (String::new(), None),
            ("<feature var='urn:x'/>".to_owned(), None),
            (knows.clone(), Some("spam.example")),
            (knows.clone() + &abuse, Some("abuse@spam.example")),
            (
                abuse.clone() + &field("report-addresses", &["xmpp:reports@spam.example"]),
                Some("reports@spam.example"),
            ),
            (
                knows.clone() + &field("abuse-addresses", &["mailto:a@spam.example", "xmpp:", "xmpp:a b@c"]),
                Some("spam.example"),
            ),
        ] {
            let mut scene = scene(true, &[]);
            let seen = report(&mut scene, "eve@spam.example", ORIGIN);
            let id = id(&seen[0]);
            let answer = |from: &str| {
                format!(
                    "<iq from='{from}' to='example.org' id='{id}' type='result'><query xmlns='http://jabber.org/protocol/disco#info'>{info}</query></iq>"
                )
            };
            assert!(scene.host(&answer("evil.example")).is_empty(), "nobody else answers");
            let seen = scene.host(&answer("spam.example"));
            match to {
                Some(to) => assert!(
                    seen.len() == 1 && seen[0].contains(&format!("from='example.org' to='{to}'")),
                    "{info}: {seen:?}"
                ),
                None => assert!(seen.is_empty(), "{info}: {seen:?}"),
            }
            assert!(scene.host(&answer("spam.example")).is_empty(), "once");
        }
    }

    #[test]
    fn errors_late_answers_and_too_many_come_to_nothing() {
        let answer = |id: &str, ty: &str| {
            format!(
                "<iq from='spam.example' to='example.org' id='{id}' type='{ty}'><query xmlns='http://jabber.org/protocol/disco#info'>\
             <feature var='urn:xmpp:reporting:1'/></query></iq>"
            )
        };
        let mut scene = scene(true, &[]);
        let first = id(&report(&mut scene, "eve@spam.example", ORIGIN)[0]);
        assert!(scene.host(&answer(&first, "error")).is_empty());
        assert!(scene.host(&answer(&first, "result")).is_empty());
        let late = id(&report(&mut scene, "eve@spam.example", ORIGIN)[0]);
        scene.now_ms += ONWARD_MS;
        report(&mut scene, "eve@spam.example", ORIGIN);
        assert!(scene.host(&answer(&late, "result")).is_empty());
    }
}
