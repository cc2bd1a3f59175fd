//! Reading items.
//!
//! XEP-0060 1.30.0 (section 6.5), XEP-0059 1.0
//!
//! Items come in the order of publication, the oldest first, whichever are chosen.
//!
//! Not here: the last item that is sent unasked (`notify.rs`).

use address::Jid;
use kernel::{Answer, Turn};
use model::storage::{Loaded, Read};
use stanza::{StanzaError, ns};
use xml::{El, Writer};

use crate::access::{find, may_read};
use crate::config::{Config, Kind};
use crate::error::{MALFORMED, NOT_FOUND, unsupported};
use crate::home::{Home, owner};
use crate::indexed::{indexed, is_indexed};
use crate::items::{Entry, Item};
use crate::limits::{IDS_MAX, RESULT_BYTES_MAX};
use crate::notify::{Said, write_item};
use crate::request::node_of;

/// Which items.
#[derive(Debug, PartialEq)]
enum Which {
    /// Those that there are; if they are too many, the newest.
    All,
    /// So many of the newest.
    Newest(usize),
    /// These.
    Ids(Vec<String>),
    /// A page (XEP-0059).
    Page(usize, Anchor),
}

#[derive(Debug, PartialEq)]
enum Anchor {
    First,
    After(String),
    Before(String),
    Last,
    Index(usize),
}

struct Request {
    node: String,
    which: Which,
}

/// `<items/>`, with `<set/>` beside it.
pub(crate) fn answer<P: Home>(
    turn: &mut Turn<'_, P>,
    from: &Jid,
    pubsub: El<'_>,
    items: El<'_>,
) -> Answer<P> {
    match read(pubsub, items) {
        Ok(request) => run(turn, from.clone(), request),
        Err(error) => error.into(),
    }
}

fn read(pubsub: El<'_>, items: El<'_>) -> Result<Request, StanzaError> {
    let node = node_of(items)?;
    let id =
        |item: El<'_>| item.attr("id").map(|id| id.into_owned()).filter(|id| !id.is_empty()).ok_or(MALFORMED);
    let ids: Vec<String> =
        items.children_named("item", ns::PUBSUB).take(IDS_MAX + 1).map(id).collect::<Result<_, _>>()?;
    if ids.len() > IDS_MAX {
        return Err(MALFORMED.text("too many items"));
    }
    let newest = match items.attr("max_items") {
        Some(count) => Some(count.trim().parse().map_err(|_| MALFORMED)?),
        None => None,
    };
    let page = pubsub.child("set", ns::RSM).map(read_set).transpose()?;
    let which = match (ids.is_empty(), page, newest) {
        (false, ..) => Which::Ids(ids),
        (true, Some((max, anchor)), _) => Which::Page(max, anchor),
        (true, None, Some(newest)) => Which::Newest(newest),
        (true, None, None) => Which::All,
    };
    Ok(Request { node, which })
}

fn read_set(set: El<'_>) -> Result<(usize, Anchor), StanzaError> {
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| MALFORMED);
    let text = |name| set.child_text(name, ns::RSM).map(|text| text.into_owned());
    let max = text("max").map(|max| number(&max)).transpose()?.unwrap_or(usize::MAX);
    let anchor = match (text("after"), text("before"), text("index")) {
        (None, None, None) => Anchor::First,
        (Some(after), None, None) => Anchor::After(after),
        (None, Some(before), None) if before.is_empty() => Anchor::Last,
        (None, Some(before), None) => Anchor::Before(before),
        (None, None, Some(index)) => Anchor::Index(number(&index)?),
        _ => return Err(MALFORMED.text("either after or before or index")),
    };
    Ok((max, anchor))
}

/// Whether `who` may have items of that node, and how it is configured.
fn permitted<P: Home>(turn: &Turn<'_, P>, name: &str, who: &Jid) -> Result<Config, StanzaError> {
    let node = find(turn.place, name, who)?;
    may_read(turn.place, node, who)?;
    let config = node.config();
    if config.kind == Kind::Collection {
        return Err(unsupported("retrieve-items"));
    }
    if !config.persist_items {
        return Err(unsupported("persistent-items"));
    }
    Ok(config.clone())
}

fn run<P: Home>(turn: &mut Turn<'_, P>, from: Jid, request: Request) -> Answer<P> {
    if let Err(error) = permitted(turn, &request.node, &from) {
        return error.into();
    }
    if !is_indexed(turn, &request.node) {
        return indexed(turn, request.node.clone(), move |turn| run(turn, from, request));
    }
    let owner = owner(turn.place);
    let Some(index) = turn.place.nodes().indexes.get(&request.node) else { return NOT_FOUND.into() };
    let Some(chosen) = choose(&index.0, &request.which) else {
        return NOT_FOUND.text("no item with that id").into();
    };
    let reads = chosen.seqs.iter().map(|seq| Item::read(&owner, &request.node, *seq)).collect();
    Answer::read(Read::Many(reads), move |turn: &mut Turn<'_, P>, found| {
        // Who has lost access meanwhile gets nothing.
        match permitted(turn, &request.node, &from) {
            Ok(config) => Answer::Reply(write(&request.node, &config, &chosen, found)),
            Err(error) => error.into(),
        }
    })
}

/// A choice of items, and where it stands among all.
#[derive(Debug, PartialEq)]
struct Chosen {
    seqs: Vec<u64>,
    /// Whether to say which page it is.
    paged: bool,
    first: usize,
    count: usize,
}

/// `None` if there is no such anchor.
fn choose(all: &[Entry], which: &Which) -> Option<Chosen> {
    let at = |id: &String| all.iter().position(|entry| *entry.id == **id);
    // From which side to cut where it is too much.
    let (range, from_end) = match which {
        Which::Ids(ids) => {
            let found: Vec<&Entry> = ids.iter().filter_map(|id| at(id).map(|at| &all[at])).collect();
            let fitting = fitting(found.iter().copied());
            let seqs = found[..fitting].iter().map(|entry| entry.seq).collect();
            return Some(Chosen { seqs, paged: false, first: 0, count: all.len() });
        }
        Which::All => (0..all.len(), true),
        Which::Newest(count) => (all.len().saturating_sub(*count)..all.len(), true),
        Which::Page(max, anchor) => {
            let forwards = |from: usize| from.min(all.len())..from.saturating_add(*max).min(all.len());
            let backwards = |to: usize| to.saturating_sub(*max)..to;
            match anchor {
                Anchor::First => (forwards(0), false),
                Anchor::Index(index) => (forwards(*index), false),
                Anchor::After(id) => (forwards(at(id)? + 1), false),
                Anchor::Before(id) => (backwards(at(id)?), true),
                Anchor::Last => (backwards(all.len()), true),
            }
        }
    };
    let slice = &all[range.clone()];
    let fits = if from_end { fitting(slice.iter().rev()) } else { fitting(slice.iter()) };
    let slice = if from_end { &slice[slice.len() - fits..] } else { &slice[..fits] };
    let first = if from_end { range.end - fits } else { range.start };
    let seqs = slice.iter().map(|entry| entry.seq).collect();
    let paged = matches!(which, Which::Page(..)) || fits < range.len();
    Some(Chosen { seqs, paged, first, count: all.len() })
}

/// How many of these fit into one answer; one does always.
fn fitting<'e>(entries: impl Iterator<Item = &'e Entry>) -> usize {
    let mut bytes = 0;
    let within = |entry: &&Entry| {
        let first = bytes == 0;
        bytes += entry.size as usize + 1;
        first || bytes <= RESULT_BYTES_MAX
    };
    entries.take_while(within).count()
}

fn write(node: &str, config: &Config, chosen: &Chosen, found: Loaded) -> bytes::Bytes {
    let stored = found.into_many().into_iter().filter_map(Loaded::into_doc);
    let items: Vec<Item> = stored.filter_map(|stored| Item::hydrate(&stored)).collect();
    let size = items.iter().map(|item| item.payload.len() + 64).sum::<usize>();
    let mut w = Writer::new(ns::CLIENT).with_capacity(size + 256);
    w.open("pubsub", ns::PUBSUB).open("items", ns::PUBSUB).attr("node", node);
    for item in &items {
        write_item(&mut w, config, &Said::of(item), true);
    }
    w.close();
    if chosen.paged {
        w.open("set", ns::RSM);
        if let (Some(first), Some(last)) = (items.first(), items.last()) {
            w.open("first", ns::RSM).attr_of("index", chosen.first).text(&first.id).close();
            w.leaf("last", ns::RSM, &last.id);
        }
        w.leaf("count", ns::RSM, chosen.count.to_string()).close();
    }
    w.close();
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sizes: &[u32]) -> Vec<Entry> {
        let entry = |(at, size): (usize, &u32)| Entry {
            seq: at as u64 + 10,
            at_ms: 0,
            size: *size,
            id: at.to_string().into(),
            by: "a@b.example".into(),
        };
        sizes.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn chooses_pages() {
        let all = entries(&[1, 1, 1, 1, 1]);
        let page = |max, anchor| Which::Page(max, anchor);
        for (which, seqs, first, paged) in [
            (Which::All, &[10, 11, 12, 13, 14][..], 0, false),
            (Which::Newest(2), &[13, 14], 3, false),
            (Which::Newest(9), &[10, 11, 12, 13, 14], 0, false),
            (Which::Newest(0), &[], 5, false),
            (Which::Ids(vec!["3".into(), "x".into(), "0".into()]), &[13, 10], 0, false),
            (page(2, Anchor::First), &[10, 11], 0, true),
            (page(2, Anchor::After("1".into())), &[12, 13], 2, true),
            (page(9, Anchor::After("4".into())), &[], 5, true),
            (page(2, Anchor::Before("3".into())), &[11, 12], 1, true),
            (page(2, Anchor::Last), &[13, 14], 3, true),
            (page(2, Anchor::Index(4)), &[14], 4, true),
            (page(2, Anchor::Index(9)), &[], 5, true),
            (page(0, Anchor::First), &[], 0, true),
        ] {
            let expected = Chosen { seqs: seqs.to_vec(), paged, first, count: 5 };
            assert_eq!(choose(&all, &which), Some(expected), "{which:?}");
        }
        for anchor in [Anchor::After("x".into()), Anchor::Before("x".into())] {
            assert_eq!(choose(&all, &page(1, anchor)), None);
        }
    }

    #[test]
    fn cuts_off_what_is_too_much() {
        let half = RESULT_BYTES_MAX as u32 / 2;
        let all = entries(&[half - 1, half - 1, half - 1]);
        for (which, seqs, first) in [
            (Which::All, [11, 12], 1),
            (Which::Page(3, Anchor::First), [10, 11], 0),
            (Which::Page(3, Anchor::Last), [11, 12], 1),
        ] {
            let chosen = choose(&all, &which).unwrap();
            assert_eq!(
                (chosen.seqs.as_slice(), chosen.first, chosen.paged),
                (&seqs[..], first, true),
                "{which:?}"
            );
        }
        assert_eq!(choose(&entries(&[u32::MAX]), &Which::All).unwrap().seqs, [10], "one is always given");
    }
}
