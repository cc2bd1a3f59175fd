//! Rows of bad input: bring a stream to a stage, say something, look at what comes of it; once whole, once byte by byte.
//!
//! Not here: the rows.

use s2s::{Purpose, Verdict};

use super::{Side, ours, pair};

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Incoming: nothing was said.
    Start,
    /// Incoming, from them.example to ours.example, before TLS.
    Opened,
    /// The same in TLS, with a certificate that is right.
    Secure,
    /// The same with one that is not.
    Doubtful,
    /// The same with the right one, authenticated.
    Ready,
    /// The same, bidirectional.
    Bidi,
    /// From lax.example, authenticated by dialback.
    Lax,
    /// Outgoing, from ours.example to them.example: our header is out.
    Call,
    /// The same in TLS, with `<auth/>` sent.
    CallSecure,
    /// The same without EXTERNAL and bidi: our key is sent.
    Calling,
    ComponentStart,
    /// A component: the headers are out.
    ComponentOpened,
    /// It may have its domain.
    ComponentReady,
    /// It would, but somebody else has it.
    ComponentTaken,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// This stream error, and the end.
    Dies(&'static str),
    /// These bytes, and no end.
    Says(&'static str),
    /// This entry in the log.
    Logs(&'static str),
    /// Nothing is said, nothing becomes of it.
    Silent,
    /// Closed in peace.
    Closes,
}

pub struct Row {
    pub id: &'static str,
    pub stage: Stage,
    pub input: String,
    pub want: Want,
    /// What is noted; empty for nothing.
    pub note: &'static str,
}

pub fn run(rows: Vec<Row>) {
    for row in rows {
        let mut whole = bring(row.stage);
        let before = whole.log.len();
        let input = format!("{}{}", whole.pending, row.input);
        whole.hear(input.as_bytes());
        whole.serve();
        check(&row, &whole, before);
        // Long inputs are cut in fewer places, else it takes too long.
        for piece in if row.input.len() > 5_000 { vec![997] } else { vec![1, 2, 5] } {
            let mut cut = bring(row.stage);
            input.as_bytes().chunks(piece).for_each(|bytes| cut.hear(bytes));
            cut.serve();
            if row.note == "BytesBeforeTls" {
                assert!(cut.is_closed(), "{} {piece}", row.id);
                continue;
            }
            assert_eq!(
                (&cut.log, &cut.sent),
                (&whole.log, &whole.sent),
                "{} cut by {piece}: {}",
                row.id,
                short(&row)
            );
        }
    }
}

fn short(row: &Row) -> &str {
    row.input.get(..300).unwrap_or(&row.input)
}

fn check(row: &Row, side: &Side, before: usize) {
    let about = || format!("{} {:?} {}\n{:?}\n{}", row.id, row.stage, short(row), side.log, side.sent);
    let news = &side.log[before.min(side.log.len())..];
    let notes: Vec<&String> = news.iter().filter(|entry| entry.starts_with("note")).collect();
    match row.note {
        "" => assert!(notes.is_empty(), "{}", about()),
        note => assert!(notes.iter().any(|entry| entry.starts_with(&format!("note {note}"))), "{}", about()),
    }
    let dies = |condition: &str| {
        side.sent
            .contains(&format!("<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"))
    };
    match row.want {
        Want::Dies(condition) => {
            assert!(dies(condition) && side.is_closed(), "{}", about());
            assert!(side.sent.contains("<stream:stream") || row.stage != Stage::Start, "{}", about());
            assert!(side.sent.ends_with("</stream:stream>"), "{}", about());
            assert_eq!(side.sent.matches("<stream:error>").count(), 1, "{}", about());
        }
        Want::Says(text) => assert!(side.sent.contains(text) && !side.is_closed(), "{}", about()),
        Want::Logs(text) => assert!(news.iter().any(|entry| entry.contains(text)), "{}", about()),
        Want::Silent => {
            let quiet =
                side.sent.is_empty() && news.iter().all(|e| e.starts_with("note") || e.starts_with("verify"));
            assert!(quiet, "{}", about());
        }
        Want::Closes => {
            assert!(side.log.last().is_some_and(|entry| entry.starts_with("closed Clean")), "{}", about());
            assert!(!side.sent.contains("error"), "{}", about());
        }
    }
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' to='ours.example' \
    from='them.example' version='1.0'>";
const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
const ANSWER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' from='them.example' \
    to='ours.example' id='D60000229F' version='1.0'>";

/// A stream at that stage; what was written to get there is forgotten.
pub fn bring(stage: Stage) -> Side {
    let mut side = match stage {
        Stage::Start => Side::incoming(ours()),
        Stage::Opened | Stage::Secure | Stage::Doubtful | Stage::Ready | Stage::Bidi | Stage::Lax => {
            incoming(stage)
        }
        Stage::Call | Stage::CallSecure | Stage::Calling => outgoing(stage),
        _ => component(stage),
    };
    side.take_sent();
    side
}

fn incoming(stage: Stage) -> Side {
    let header =
        if stage == Stage::Lax { HEADER.replace("them.example", "lax.example") } else { HEADER.to_owned() };
    let valid_for: &[&str] =
        if matches!(stage, Stage::Doubtful | Stage::Lax) { &[] } else { &["them.example"] };
    let mut side = Side::incoming(ours()).with_certificate(valid_for);
    side.hear(header.as_bytes());
    if stage == Stage::Opened {
        return side;
    }
    side.hear(STARTTLS.as_bytes());
    side.hear_tls();
    side.hear(header.as_bytes());
    match stage {
        Stage::Bidi => side.hear(format!("<bidi xmlns='urn:xmpp:bidi'/>{AUTH}{header}").as_bytes()),
        Stage::Ready => side.hear(format!("{AUTH}{header}").as_bytes()),
        Stage::Lax => {
            side.verdict = Some(Verdict::Valid(s2s::Proof::Dialback));
            side.hear(b"<db:result from='lax.example' to='ours.example'>key</db:result>");
        }
        _ => {}
    }
    side
}

fn outgoing(stage: Stage) -> Side {
    let mut side = Side::outgoing(ours(), pair("ours.example", "them.example"), Purpose::Stanzas);
    side.certificate = Some(vec!["them.example"]);
    side.serve();
    if stage == Stage::Call {
        return side;
    }
    let starttls = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>";
    side.hear(format!("{ANSWER}{starttls}<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").as_bytes());
    side.hear_tls();
    let mechanisms =
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";
    let features = if stage == Stage::CallSecure { mechanisms } else { "" };
    side.hear(format!("{ANSWER}<stream:features>{features}</stream:features>").as_bytes());
    side
}

fn component(stage: Stage) -> Side {
    let mut side = Side::component(ours());
    if stage == Stage::ComponentStart {
        return side;
    }
    let open = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='gate.example'>";
    side.hear(open.as_bytes());
    if stage == Stage::ComponentOpened {
        return side;
    }
    side.free = stage == Stage::ComponentReady;
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(side.stream.id().as_bytes());
    hash.update(b"component secret");
    let hash: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let handshake = format!("<handshake>{hash}</handshake>");
    side.take_sent();
    if stage == Stage::ComponentReady {
        side.hear(handshake.as_bytes());
        assert_eq!(side.sent, "<handshake/>");
    } else {
        // What must come of it is the row's.
        side.pending = handshake;
    }
    side
}
