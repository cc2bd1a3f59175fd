//! Archive pages (XEP-0313 1.1, XEP-0059): fills the archive of two accounts, then reads pages from both ends.
//!
//! An archive that holds earlier runs is fine: each of them must be whole and in order too.
//! Not here: the cost of archiving while messages flow (`message.rs` with `--store-hint default`).

use super::text::{Order, Template, parse};
use crate::cli::{Archive, Cli, StoreHint};
use crate::report::{Report, Spent};
use crate::scan::{attribute, has, text};
use crate::session::{Session, either};
use crate::{Outcome, target::Target};
use memchr::memmem;
use std::sync::Arc;
use std::time::Instant;

/// Messages under way while the archive is filled.
const WINDOW: u64 = 50;

/// One page: the numbers of its messages, the identifiers of its ends, and whether it was the last.
struct Page {
    numbers: Vec<u64>,
    first: String,
    last: String,
    complete: bool,
}

/// Runs the work.
///
/// # Errors
/// Of the clients; pages with gaps, doubles or a wrong order.
pub(super) async fn run(cli: &Cli, target: &Arc<Target>, work: &Archive) -> Outcome<Report> {
    let mut report = Report::new("archive");
    let mut ends = super::log_in_all(cli, target, 2, |_| String::new()).await?.into_iter();
    let (Some(mut one), Some(mut other)) = (ends.next(), ends.next()) else {
        return Err("two sessions".into());
    };
    if work.messages > 0 {
        let spent = Spent::begin(target.processes)?;
        fill(target, &mut one, &mut other, work.messages as u64).await?;
        other.fence(&target.domain).await?;
        report.spent("fill_", &spent.end(work.messages as u64)?);
    }
    let spent = Spent::begin(target.processes)?;
    let mut latencies = vec![];
    let backward = work.pages / 2;
    for (pages, forward) in [(work.pages - backward, true), (backward, false)] {
        let read = read(&mut other, pages, forward, work.page_size, &mut latencies);
        target.patiently("paging", read).await?;
    }
    target.leave([one, other]).await?;
    report.set("page_size", work.page_size);
    report.spent("", &spent.end(latencies.len() as u64)?).latencies(latencies);
    Ok(report)
}

async fn fill(target: &Target, one: &mut Session, other: &mut Session, count: u64) -> Outcome<()> {
    let template = Template::new(other.bare(), "chat", StoreHint::Default);
    let (mut sent, mut order) = (0, Order::default());
    while order.next < count {
        while sent < count && sent - order.next < WINDOW {
            template.write(one.wire.out(), sent, 0);
            sent += 1;
        }
        target.patiently("filling", async { Ok(either(one, other).await?) }).await?;
        while other.advance()? {
            if let Some((number, _)) = parse(other.stanza())? {
                order.take("the archived account", number)?;
            }
        }
        while one.advance()? {
            parse(one.stanza())?;
        }
    }
    Ok(())
}

/// Reads `pages` pages, starting again at the end of the archive.
async fn read(
    session: &mut Session,
    pages: usize,
    forward: bool,
    size: usize,
    latencies: &mut Vec<u32>,
) -> Outcome<()> {
    let mut at = String::new();
    let mut neighbour: Option<u64> = None;
    for n in 0..pages {
        let begin = Instant::now();
        let page = page(session, n, forward, size, &at).await?;
        latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
        if page.numbers.len() != size && !page.complete {
            return Err(format!("a page of {} that is not the last", page.numbers.len()).into());
        }
        let mut numbers = page.numbers;
        if forward {
            numbers.splice(0..0, neighbour)
        } else {
            numbers.splice(numbers.len().., neighbour)
        };
        // Messages of an earlier run may precede: then the count begins anew.
        if let Some(gap) = numbers.windows(2).find(|two| two[1] != two[0] + 1 && two[1] != 0) {
            return Err(format!("the archive goes from {} to {}", gap[0], gap[1]).into());
        }
        neighbour = if forward { numbers.last() } else { numbers.first() }.copied();
        at = if forward { page.last } else { page.first };
        if page.complete {
            (at, neighbour) = (String::new(), None);
        }
    }
    Ok(())
}

async fn page(session: &mut Session, n: usize, forward: bool, size: usize, at: &str) -> Outcome<Page> {
    let side = match (forward, at) {
        (true, "") => String::new(),
        (true, at) => format!("<after>{at}</after>"),
        (false, at) => format!("<before>{at}</before>"),
    };
    session.queue(&format!(
        "<iq type='set' id='page{n}'><query xmlns='urn:xmpp:mam:2' queryid='q{n}'>\
         <set xmlns='http://jabber.org/protocol/rsm'><max>{size}</max>{side}</set></query></iq>"
    ));
    let mut numbers = vec![];
    loop {
        let stanza = session.next().await?;
        if stanza.starts_with(b"<message") && has(&stanza, "urn:xmpp:mam:2") {
            numbers.extend(forwarded(&stanza)?);
        } else if stanza.starts_with(b"<iq") && has(&stanza, "<fin ") {
            let fin = memmem::find(&stanza, b"<fin ").unwrap_or(0);
            let complete = matches!(attribute(&stanza[fin..], "complete"), Some("true" | "1"));
            let end = |name| text(&stanza, name).unwrap_or_default().to_owned();
            return Ok(Page { numbers, first: end("first"), last: end("last"), complete });
        } else if attribute(&stanza, "type") == Some("error") {
            return Err(String::from_utf8_lossy(&stanza).into_owned().into());
        }
    }
}

/// The number in the message inside `<forwarded/>`.
fn forwarded(stanza: &[u8]) -> Outcome<Option<u64>> {
    let inner = memmem::find(&stanza[1..], b"<message").ok_or("a result without a message")? + 1;
    Ok(parse(&stanza[inner..])?.map(|(number, _)| number))
}
