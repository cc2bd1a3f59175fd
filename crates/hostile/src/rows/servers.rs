//! Group G: what another server may do that calls us.
//!
//! RFC 6120 sections 4.9.3 and 8.1, XEP-0220 1.1.1, XEP-0288 1.0.1, RFC 9525
//!
//! Not here: servers that we call (`called.rs`), one stream alone, which has such tables of its own (`crates/s2s`).

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, OtherNameValue, SanType};

use crate::Outcome;
use crate::client::{Transport, shown};
use crate::peer::{Peer, Shows, header, named, self_made};
use crate::row::{On, Row};
use crate::stage::Stage;
use crate::verdict::stream_error;

/// The domain that is attacked.
const OURS: &str = "a.example";

/// How far the stream has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    /// Encrypted, with a certificate that would do; nothing was proven yet.
    Opened,
    /// It has proven to be `{me}`, for both directions.
    Proven,
}

/// What must happen.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// That stream error, and the end.
    Dies(&'static str),
    /// An answer with that in it, and the stream goes on.
    Says(&'static str),
    /// No answer, and the stream goes on.
    Silent,
}

use Far::{Opened, Proven};
use Then::{Dies, Says, Silent};

/// A row out of cases; `{me}` stands for the domain of the peer.
fn table(
    id: &'static str,
    title: &'static str,
    expected: &'static str,
    cases: impl IntoIterator<Item = (Far, String, Then)>,
) -> Row {
    let row = Row::new(id, title, expected).federating();
    cases
        .into_iter()
        .fold(row, |row, (far, say, then)| row.script(On::Streams, move |stage| case(stage, far, &say, then)))
}

fn case(stage: &Stage<'_>, far: Far, say: &str, then: Then) -> Outcome {
    let domain = stage.server.world()?.domain();
    let mut peer = call(stage, &domain, Some(&stage.server.world()?.authority.proper(&[&domain])?))?;
    match far {
        Opened => drop(peer.until("</stream:features>")?),
        Proven => peer.prove(&domain, OURS)?,
    }
    peer.say(say.replace("{me}", &domain));
    match then {
        Dies(condition) => dies(&mut peer, condition),
        Says(answer) => {
            peer.until(&answer.replace("{me}", &domain))?;
            lives(&mut peer, far, &domain).map(drop)
        }
        Silent => {
            let seen = lives(&mut peer, far, &domain)?;
            // Stream management and the answer to the proof of life.
            match seen.starts_with("<iq ") || seen.starts_with("<db:verify ") {
                true => Ok(()),
                false => Err(format!("not nothing but {:?}", shown(&seen))),
            }
        }
    }
}

/// Connected as a server of that domain.
fn call(stage: &Stage<'_>, domain: &str, shows: Option<&Shows>) -> Outcome<Peer> {
    let world = stage.server.world()?;
    let direct = stage.transport == Transport::Direct;
    let to = if direct { world.s2s_tls } else { world.s2s };
    Peer::opened(stage.from, to, direct, domain, OURS, shows)
}

fn dies(peer: &mut Peer, condition: &str) -> Outcome {
    let seen = peer.rest()?;
    match stream_error(&seen) == Some(condition) && seen.ends_with("</stream:stream>") {
        true => Ok(()),
        false => Err(format!("not {condition} but {:?}", shown(&seen))),
    }
}

/// Asks for something that has an answer on this stream; gives all up to it.
fn lives(peer: &mut Peer, far: Far, domain: &str) -> Outcome<String> {
    match far {
        Opened => {
            peer.say(format!("<db:verify from='{domain}' to='{OURS}' id='alive'>0</db:verify>"));
            peer.until("id='alive' type='invalid'")
        }
        Proven => {
            peer.say(format!(
                "<iq type='get' from='{domain}' to='{OURS}' id='alive'><ping xmlns='urn:xmpp:ping'/></iq>"
            ));
            peer.until("id='alive'")
        }
    }
}

fn message(from: &str, to: &str) -> String {
    format!("<message from='{from}' to='{to}'><body>hostile-payload</body></message>")
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = dialback();
    rows.extend(addresses());
    rows.extend(certificates());
    rows.extend(amounts());
    rows.extend(streams());
    rows
}

fn dialback() -> Vec<Row> {
    let valid = |kind: &str| format!("<db:{kind} from='{{me}}' to='{OURS}' id='1' type='valid'/>");
    vec![
        table(
            "G-01",
            "dialback keys that were guessed, for names that join to the same text, empty, without addresses",
            "invalid, or refused; the stream goes on",
            [
                (
                    Opened,
                    format!("<db:verify from='{{me}}' to='{OURS}' id='1'>key</db:verify>"),
                    Says("id='1' type='invalid'"),
                ),
                (Opened, format!("<db:verify from='x{{me}}' to='{OURS}' id=''>key</db:verify>"), Silent),
                (
                    Opened,
                    format!("<db:verify from='{{me}}' to='{OURS}' id='1'/>"),
                    Says("id='1' type='invalid'"),
                ),
                (Opened, "<db:result from='{me}'>1</db:result>".to_owned(), Silent),
                (
                    Opened,
                    "<db:result from='{me}' to='c.example'>1</db:result>".to_owned(),
                    Says("<item-not-found"),
                ),
                (
                    Opened,
                    format!("<db:result from='{OURS}' to='{OURS}'>1</db:result>"),
                    Says("<not-acceptable"),
                ),
            ],
        ),
        table(
            "G-03",
            "answers of dialback that nobody asked for",
            "ignored; who sends stanzas then: SE not-authorized",
            [
                (Opened, valid("result"), Silent),
                (Opened, valid("verify"), Silent),
                (Proven, valid("result"), Silent),
                (Proven, valid("verify"), Silent),
                (
                    Proven,
                    format!(
                        "<db:result from='c.example' to='{OURS}' type='valid'/>{}",
                        message("x@c.example", "x@a.example")
                    ),
                    Dies("invalid-from"),
                ),
                (
                    Opened,
                    format!("{}{}", valid("result"), message("x@{me}", "x@a.example")),
                    Dies("not-authorized"),
                ),
                (
                    Opened,
                    format!("{}{}", valid("verify"), message("x@{me}", "x@a.example")),
                    Dies("not-authorized"),
                ),
            ],
        ),
    ]
}

fn addresses() -> Vec<Row> {
    let proven = |say: String, then| (Proven, say, then);
    let iq =
        |attributes: &str| format!("<iq type='get' id='1' {attributes}><ping xmlns='urn:xmpp:ping'/></iq>");
    vec![
        table(
            "G-04",
            "stanzas from a domain that was not proven: another one, one below, one above, a forged full address",
            "SE invalid-from; nobody gets it",
            ["x@c.example", "x@sub.{me}", "x@strict.example", "strict.example", "x@{me}.example/{me}"]
                .map(|from| proven(message(from, "juliet@a.example"), Dies("invalid-from"))),
        ),
        table(
            "G-05",
            "stanzas and streams from our own domains",
            "SE invalid-from",
            ["juliet@a.example", "a.example", "b.example", "x@conference.a.example", "x@h1.a.example"]
                .map(|from| proven(message(from, "juliet@a.example"), Dies("invalid-from"))),
        ),
        table(
            "G-06",
            "stanzas to domains that are not ours",
            "SE host-unknown",
            ["x@c.example", "c.example", "x@{me}"]
                .map(|to| proven(message("x@{me}", to), Dies("host-unknown"))),
        ),
        table(
            "G-07",
            "stanzas without addresses, or with ones that are none",
            "SE improper-addressing",
            ["from='x@{me}'", "to='x@a.example'", "", "from='' to=''", "from='@' to='x@a.example'"]
                .map(|attributes| proven(iq(attributes), Dies("improper-addressing"))),
        ),
        table(
            "G-08",
            "stanzas before anything was proven, with and without both directions",
            "SE not-authorized",
            [String::new(), "<bidi xmlns='urn:xmpp:bidi'/>".to_owned()].map(|before| {
                (Opened, format!("{before}{}", message("x@{me}", "juliet@a.example")), Dies("not-authorized"))
            }),
        ),
    ]
}

type Made = fn(&Stage<'_>, &str) -> Outcome<Shows>;

fn certificates() -> Vec<Row> {
    let with = |id, title, made: &'static [Made]| {
        let expected = "no EXTERNAL is offered or it fails with not-authorized; dialback is no way out; SE not-authorized to stanzas";
        let row = Row::new(id, title, expected).federating();
        let row = row.script(On::Streams, |stage| doubted(stage, None));
        made.iter().fold(row, |row, made| row.script(On::Streams, |stage| doubted(stage, Some(*made))))
    };
    vec![
        with(
            "G-09",
            "certificates: none, self-made, expired, not valid yet, for clients only, for another name",
            &[
                |_, me| self_made(me),
                |stage, me| dated(stage, me, 2001, 2002),
                |stage, me| dated(stage, me, 3001, 3002),
                |stage, me| {
                    stage.server.world()?.authority.issue(|params| {
                        named(&[me])(params);
                        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                    })
                },
                |stage, _| stage.server.world()?.authority.proper(&["c.example"]),
            ],
        ),
        with(
            "G-10",
            "names of the wrong kind: common name, wildcards too wide, an address of a user, a service for clients, NUL, a URI",
            &[
                |stage, me| {
                    named_by(stage, me, |params, me| params.distinguished_name.push(DnType::CommonName, me))
                },
                |stage, _| stage.server.world()?.authority.proper(&["*.example"]),
                |stage, me| stage.server.world()?.authority.proper(&[&format!("*.{me}")]),
                |stage, me| named_by(stage, me, |params, me| other(params, XMPP_ADDR, format!("x@{me}"))),
                |stage, me| {
                    named_by(stage, me, |params, me| other(params, SRV_NAME, format!("_xmpp-client.{me}")))
                },
                |stage, me| named_by(stage, me, |params, me| other(params, &[1, 2, 3], me.to_owned())),
                |stage, me| {
                    named_by(stage, me, |params, me| other(params, XMPP_ADDR, format!("{me}\0.c.example")))
                },
                |stage, me| {
                    named_by(stage, me, |params, me| {
                        params.subject_alt_names =
                            format!("xmpp:{me}").as_str().try_into().map(SanType::URI).into_iter().collect();
                    })
                },
            ],
        ),
    ]
}

const XMPP_ADDR: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 5];
const SRV_NAME: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 7];

fn other(params: &mut CertificateParams, kind: &[u64], value: String) {
    params.subject_alt_names = vec![SanType::OtherName((kind.to_vec(), OtherNameValue::Utf8String(value)))];
}

fn named_by(
    stage: &Stage<'_>,
    me: &str,
    change: impl FnOnce(&mut CertificateParams, &str),
) -> Outcome<Shows> {
    stage.server.world()?.authority.issue(|params| change(params, me))
}

fn dated(stage: &Stage<'_>, me: &str, from: i32, to: i32) -> Outcome<Shows> {
    stage.server.world()?.authority.issue(|params| {
        named(&[me])(params);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
    })
}

/// Whoever shows that may not speak, whatever it tries.
fn doubted(stage: &Stage<'_>, made: Option<Made>) -> Outcome {
    let me = stage.server.world()?.domain();
    let shows = made.map(|made| made(stage, &me)).transpose()?;
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
    let mut peer = call(stage, &me, shows.as_ref())?;
    peer.until("</stream:features>")?;
    peer.say(auth);
    let seen = peer.until("</failure>")?;
    if !seen.contains("<not-authorized") && !seen.contains("<invalid-mechanism") {
        return Err(format!("it was believed: {:?}", shown(&seen)));
    }
    peer.say(format!("<db:result from='{me}' to='{OURS}'>key</db:result>"));
    peer.until("type='error'><error type='auth'><not-authorized")?;
    peer.say(message(&format!("x@{me}"), "juliet@a.example"));
    dies(&mut peer, "not-authorized")
}

fn amounts() -> Vec<Row> {
    let endless = |opening: &str| format!("{opening}{}", "hostile-payload ".repeat(80_000));
    vec![
        table(
            "G-16",
            "a stanza without end, and one without end before anything is proven",
            "SE policy-violation, long before it is all there",
            [
                (
                    Proven,
                    endless("<message from='x@{me}' to='juliet@a.example'><body>"),
                    Dies("policy-violation"),
                ),
                (
                    Proven,
                    endless("<message from='x@{me}' to='juliet@a.example' a='"),
                    Dies("policy-violation"),
                ),
                (
                    Opened,
                    endless("<message from='x@{me}' to='juliet@a.example'><body>"),
                    Dies("policy-violation"),
                ),
                (Opened, endless("<message from='x@{me}' a='"), Dies("policy-violation")),
            ],
        )
        .budget(200, 8 * 1024),
    ]
}

fn streams() -> Vec<Row> {
    vec![
        Row::new(
            "G-17",
            "more streams of one domain than it may have",
            "SE policy-violation; the others stay",
        )
        .federating()
        .budget(2_000, 16 * 1024)
        .script(On::Only(Transport::StartTls), |stage| {
            let world = stage.server.world()?;
            let me = world.domain();
            let shows = world.authority.proper(&[&me])?;
            let proven = || -> Outcome<Peer> {
                let mut peer =
                    Peer::opened(stage.server.address(), world.s2s, false, &me, OURS, Some(&shows))?;
                peer.prove(&me, OURS)?;
                Ok(peer)
            };
            let mut peers = (0..32).map(|_| proven()).collect::<Outcome<Vec<_>>>()?;
            let mut one_more =
                Peer::opened(stage.server.address(), world.s2s, false, &me, OURS, Some(&shows))?;
            one_more.until("</stream:features>")?;
            one_more.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
            one_more.until("<success")?;
            one_more.say(header(&format!("from='{me}' to='{OURS}' version='1.0'")));
            dies(&mut one_more, "policy-violation")?;
            // What goes to the domain goes on the stream that came last.
            peers.last_mut().map_or(Ok(()), |peer| lives(peer, Proven, &me).map(drop))
        }),
        Row::new(
            "G-23",
            "a domain that is blocked while it is connected",
            "SE policy-violation; what goes there: ST not-allowed",
        )
        .federating()
        .script(On::Streams, |stage| {
            let world = stage.server.world()?;
            let me = world.domain();
            let mut peer = call(stage, &me, Some(&world.authority.proper(&[&me])?))?;
            peer.prove(&me, OURS)?;
            stage.server.order("s2s block", serde_json::json!({ "domain": me }))?;
            dies(&mut peer, "policy-violation")?;
            let user = stage.server.borrow_user()?;
            let mut client = stage.bound(&user.name)?.0;
            client
                .say(format!("<message xmlns='jabber:client' to='x@{me}' id='m'><body>x</body></message>"))?;
            client.until("<not-allowed")?;
            let mut again = Peer::connect(stage.from, world.s2s)?;
            again.say(header(&format!("from='{me}' to='{OURS}' version='1.0'")));
            dies(&mut again, "policy-violation")
        }),
    ]
}
