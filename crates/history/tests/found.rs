//! Each kind of fault is found in a small history made by hand, and a clean one passes.
#![allow(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::{prop, prop_assert, proptest};

use history::{Direction, History, Key, Kind, Phase, Right, Via, What, check};

const A: &str = "a@x/1";
const B: &str = "b@x/1";
const B2: &str = "b@x/2";

fn key(counter: u64) -> Key {
    Key::new(1, A, counter)
}

fn open(device: &str, session: u64) -> What {
    What::Open { device: device.into(), session }
}

fn send(counter: u64) -> What {
    let archives = vec!["a@x".into(), "b@x".into()];
    What::Send { device: A.into(), session: 1, key: key(counter), to: "b@x".into(), archives }
}

/// Sent to one device.
fn to_device(counter: u64) -> What {
    What::Send { device: A.into(), session: 1, key: key(counter), to: B.into(), archives: vec![] }
}

/// Sent, and wanted by no archive.
fn away(counter: u64) -> What {
    let (device, to) = (A.into(), "b@x".into());
    What::Send { device, session: 1, key: key(counter), to, archives: vec![] }
}

fn ack(counters: &[u64]) -> What {
    What::Ack { device: A.into(), keys: counters.iter().map(|counter| key(*counter)).collect() }
}

fn recv(device: &str, session: u64, counter: u64, id: &str, via: Via, delay: bool) -> What {
    let stanza_id = Some(id.to_owned());
    let (device, key, from) = (device.into(), key(counter), A.into());
    What::Recv { device, session, key, from, stanza_id, via, delay }
}

fn live(counter: u64, id: &str) -> What {
    recv(B, 2, counter, id, Via::Live, false)
}

fn err(counter: u64) -> What {
    What::Err { device: A.into(), key: key(counter), condition: "service-unavailable".into() }
}

fn page(
    archive: &str,
    direction: Direction,
    anchor: Option<&str>,
    entries: &[(&str, u64)],
    end: bool,
) -> What {
    What::MamPage {
        device: format!("{archive}/1"),
        archive: archive.into(),
        direction,
        anchor: anchor.map(str::to_owned),
        ids: entries.iter().map(|(id, _)| (*id).to_owned()).collect(),
        keys: entries.iter().map(|(_, counter)| Some(key(*counter))).collect(),
        complete: end,
    }
}

fn forwards(archive: &str, entries: &[(&str, u64)]) -> What {
    page(archive, Direction::Forwards, None, entries, true)
}

fn backwards(archive: &str, entries: &[(&str, u64)]) -> What {
    page(archive, Direction::Backwards, None, entries, true)
}

fn perm(right: Right, on: bool, phase: Phase) -> What {
    What::Perm { owner: "b@x".into(), peer: "a@x".into(), right, on, phase }
}

/// Three messages, all well; `during` happens before the drain, `after` instead of the last reads where given.
fn story(during: Vec<What>, after: Option<Vec<What>>) -> History {
    let mut history = History::new();
    let start =
        vec![open(A, 1), open(B, 2), send(1), send(2), send(3), live(1, "11"), live(2, "12"), live(3, "13")];
    let all = [("11", 1), ("12", 2), ("13", 3)];
    let own = [("1", 1), ("2", 2), ("3", 3)];
    let end = vec![
        forwards("a@x", &own),
        backwards("a@x", &own),
        page("b@x", Direction::Forwards, None, &all[..2], false),
        page("b@x", Direction::Forwards, Some("12"), &all[2..], true),
        page("b@x", Direction::Backwards, None, &all[1..], false),
        page("b@x", Direction::Backwards, Some("12"), &all[..1], true),
    ];
    let middle = [ack(&[1]), ack(&[2, 3])];
    for what in
        start.into_iter().chain(middle).chain(during).chain([What::Drained]).chain(after.unwrap_or(end))
    {
        history.push(what);
    }
    history
}

fn kinds(history: &History) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = check(history).findings.iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn ask(id: &str) -> What {
    What::Ask { session: 1, id: id.into() }
}

fn answer(id: &str) -> What {
    What::Answer { session: 1, id: id.into() }
}

fn presence_at_the_end(sees: &[&str]) -> Vec<What> {
    let others = sees.iter().map(|other| (*other).to_owned()).collect();
    vec![
        What::Online { device: A.into(), here: true },
        What::Online { device: B.into(), here: true },
        What::Online { device: B2.into(), here: false },
        What::Sees { device: A.into(), others },
    ]
}

#[test]
fn clean_histories_pass() {
    let shown = || perm(Right::Presence, true, Phase::Done);
    let cases: Vec<(&str, Vec<What>)> = vec![
        ("nothing more", vec![]),
        ("an unacknowledged one vanishes", vec![send(4)]),
        ("an error without an archive", vec![send(4), err(4)]),
        ("a copy and the original", vec![recv(B, 2, 3, "13", Via::Carbon, false)]),
        ("again in a later session, as old", vec![open(B, 3), recv(B, 3, 2, "12", Via::Offline, true)]),
        ("old behind new of another session", vec![open(B2, 3), recv(B2, 3, 2, "12", Via::Offline, true)]),
        (
            "late, since another device did not get it",
            vec![
                open(B2, 3),
                recv(B2, 3, 2, "12", Via::Live, false),
                recv(B2, 3, 1, "11", Via::Offline, true),
            ],
        ),
        (
            "late, and the newer one was for this device alone",
            vec![
                open(B, 3),
                send(4),
                to_device(5),
                recv(B, 3, 5, "15", Via::Live, false),
                recv(B, 3, 4, "14", Via::Offline, true),
            ],
        ),
        ("an earlier page", vec![page("b@x", Direction::Forwards, Some("11"), &[("12", 2)], false)]),
        ("the newest page of its time", vec![page("b@x", Direction::Backwards, None, &[("12", 2)], false)]),
        ("asked and answered", vec![ask("i"), answer("i")]),
        ("blocked meanwhile", vec![perm(Right::Write, false, Phase::Asked), send(4), ack(&[4])]),
        ("asked, and over", vec![ask("i"), What::Over { session: 1 }]),
        ("caught up", vec![What::CaughtUp { device: B.into() }]),
        (
            "presence that is shown",
            vec![shown(), What::Presence { device: A.into(), of: B.into(), here: true }],
        ),
        ("the end as it is", [vec![shown()], presence_at_the_end(&[B])].concat()),
        ("nobody is seen without the right", presence_at_the_end(&[])),
        (
            "blocking too late",
            vec![perm(Right::Write, false, Phase::Asked), perm(Right::Write, false, Phase::Done)],
        ),
    ];
    for (name, during) in cases {
        let history = story(during, None);
        let report = check(&history);
        assert!(report.is_clean(), "{name}: {:#?}", report.findings);
        assert!(report.archived == 6 && report.acknowledged >= 3, "{name}");
    }
}

#[test]
fn each_kind_of_fault_is_found() {
    let blocked = |phase| perm(Right::Write, false, phase);
    let revoke = |phase| What::Revoke { account: "b@x".into(), phase };
    let forged = match live(3, "13") {
        What::Recv { device, key, stanza_id, via, delay, .. } => {
            What::Recv { device, session: 9, key, from: "c@x/1".into(), stanza_id, via, delay }
        }
        other => other,
    };
    let cases: Vec<(&str, Vec<What>, &[Kind])> = vec![
        ("acknowledged and in no archive", vec![send(4), ack(&[4])], &[Kind::Lost]),
        (
            "acknowledged and at no device",
            vec![What::Reach { key: key(4) }, away(4), ack(&[4])],
            &[Kind::Lost],
        ),
        ("an error for what is archived", vec![err(2)], &[Kind::Both]),
        ("two errors", vec![send(4), err(4), err(4)], &[Kind::Duplicated]),
        ("twice in a session", vec![live(3, "13")], &[Kind::Duplicated]),
        ("again as new", vec![open(B, 3), recv(B, 3, 3, "13", Via::Live, false)], &[Kind::Duplicated]),
        ("two copies", vec![recv(B, 2, 3, "13", Via::Carbon, false); 2], &[Kind::Duplicated]),
        ("a new id", vec![open(B2, 3), recv(B2, 3, 3, "14", Via::Live, false)], &[Kind::NewId]),
        (
            "the wrong way round",
            vec![open(B2, 3), recv(B2, 3, 2, "12", Via::Live, false), recv(B2, 3, 1, "11", Via::Live, false)],
            &[Kind::Reordered],
        ),
        (
            "overtaken",
            vec![
                open(B, 3),
                send(4),
                send(5),
                recv(B, 3, 5, "15", Via::Live, false),
                recv(B, 3, 4, "14", Via::Offline, true),
            ],
            &[Kind::Overtaken],
        ),
        (
            "a hole in a page",
            vec![page("b@x", Direction::Forwards, None, &[("11", 1), ("13", 3)], true)],
            &[Kind::ArchiveHole],
        ),
        (
            "a hole before a page",
            vec![page("b@x", Direction::Forwards, Some("11"), &[("13", 3)], true)],
            &[Kind::ArchiveHole],
        ),
        (
            "a page turned round",
            vec![page("b@x", Direction::Forwards, None, &[("12", 2), ("11", 1)], true)],
            &[Kind::ArchiveOrder],
        ),
        (
            "something vanished",
            vec![page("b@x", Direction::Backwards, None, &[("14", 1)], false)],
            &[Kind::ArchiveHole],
        ),
        ("caught up, and does not know", vec![What::CaughtUp { device: B2.into() }], &[Kind::ArchiveHole]),
        ("answered twice", vec![ask("i"), answer("i"), answer("i")], &[Kind::Answers]),
        ("never answered", vec![ask("i")], &[Kind::Answers]),
        ("out of nothing", vec![recv(B, 2, 9, "19", Via::Live, false)], &[Kind::Phantom]),
        ("before it was sent", vec![recv(B, 2, 9, "19", Via::Live, false), send(9)], &[Kind::Phantom]),
        ("somebody else's name", vec![open(B, 9), forged], &[Kind::Duplicated, Kind::Forged]),
        ("to somebody else", vec![recv("c@x/1", 7, 3, "13", Via::Live, false)], &[Kind::Forbidden]),
        (
            "an error to somebody else",
            vec![send(4), What::Err { device: B.into(), key: key(4), condition: String::new() }],
            &[Kind::Forbidden],
        ),
        (
            "through a block",
            vec![blocked(Phase::Asked), blocked(Phase::Done), send(4), live(4, "14")],
            &[Kind::Forbidden],
        ),
        (
            "in a session without right",
            vec![revoke(Phase::Asked), revoke(Phase::Done), send(4), live(4, "14")],
            &[Kind::Revoked],
        ),
        (
            "another's archive",
            vec![
                page("b@x", Direction::Backwards, None, &[], true),
                What::MamPage {
                    device: A.into(),
                    archive: "b@x".into(),
                    direction: Direction::Backwards,
                    anchor: None,
                    ids: vec![],
                    keys: vec![],
                    complete: true,
                },
            ],
            &[Kind::Forbidden],
        ),
        (
            "presence that was never shown",
            vec![What::Presence { device: A.into(), of: B.into(), here: true }],
            &[Kind::Forbidden],
        ),
        ("a ghost", presence_at_the_end(&[B2]), &[Kind::Presence]),
        ("somebody nobody knows", presence_at_the_end(&["z@x/1"]), &[Kind::Presence]),
        (
            "somebody unseen",
            [vec![perm(Right::Presence, true, Phase::Done)], presence_at_the_end(&[])].concat(),
            &[Kind::Presence],
        ),
    ];
    for (name, during, expected) in cases {
        let history = story(during, None);
        assert_eq!(kinds(&history), expected, "{name}: {:#?}", check(&history).findings);
    }
}

#[test]
fn the_last_reads_are_judged() {
    let own = || vec![forwards("a@x", &[("1", 1), ("2", 2), ("3", 3)])];
    let all = [("11", 1), ("12", 2), ("13", 3)];
    let cases: Vec<(&str, Vec<What>, &[Kind])> = vec![
        ("unread", vec![], &[Kind::Lost, Kind::Unread]),
        ("without its end", vec![page("b@x", Direction::Forwards, None, &all, false)], &[Kind::Unread]),
        ("one is missing", vec![forwards("b@x", &all[1..])], &[Kind::Lost]),
        (
            "twice",
            vec![forwards("b@x", &[("11", 1), ("12", 2), ("13", 3), ("14", 3)])],
            &[Kind::Duplicated, Kind::NewId],
        ),
        (
            "ids go back",
            vec![forwards("b@x", &[("11", 1), ("13", 3), ("12", 2)])],
            &[Kind::Reordered, Kind::ArchiveOrder],
        ),
        (
            "by time and not as it came",
            vec![forwards("b@x", &[("5", 2), ("11", 1), ("13", 3)])],
            &[Kind::NewId],
        ),
        (
            "backwards another",
            vec![forwards("b@x", &all), backwards("b@x", &all[1..])],
            &[Kind::ArchiveOrder],
        ),
        (
            "an id for two",
            vec![forwards("b@x", &[("11", 1), ("12", 3), ("13", 2)])],
            &[Kind::NewId, Kind::IdReused],
        ),
    ];
    for (name, reads, expected) in cases {
        let history = story(vec![], Some([own(), reads].concat()));
        assert_eq!(kinds(&history), expected, "{name}: {:#?}", check(&history).findings);
    }
}

#[test]
fn a_counterexample_shows_the_message_and_nothing_else() {
    let history = story(vec![send(4), ack(&[4])], None);
    let report = check(&history);
    let text = report.explain(&report.findings[0], &history.events);
    assert!(text.starts_with("INV-1 Lost: [[1:4:a@x/1]] was acknowledged"), "{text}");
    assert_eq!(text.lines().count(), 1 + 2, "{text}");
}

proptest! {
    /// A message that is taken out of what was read or changed places there is missed, wherever it stood.
    #[test]
    fn no_place_is_overlooked(count in 3..40_u64, place in 0..40_u64, swap in prop::bool::ANY) {
        let place = (place % (count - 1)) as usize;
        let ids: Vec<String> = (1..=count).map(|counter| (10 + counter).to_string()).collect();
        let entries: Vec<(&str, u64)> = ids.iter().map(String::as_str).zip(1..).collect();
        let mut broken = entries.clone();
        if swap {
            (broken[place].1, broken[place + 1].1) = (broken[place + 1].1, broken[place].1);
        } else {
            broken.remove(place);
        }
        for (read, clean) in [(&entries, true), (&broken, false)] {
            let mut history = History::new();
            history.push(open(A, 1));
            history.push(open(B, 2));
            (1..=count).for_each(|counter| history.push(send(counter)));
            history.push(ack(&(1..=count).collect::<Vec<_>>()));
            entries.iter().for_each(|(id, counter)| history.push(live(*counter, id)));
            history.push(What::Drained);
            history.push(forwards("a@x", &entries));
            for (at, page_of) in read.chunks(7).enumerate() {
                let anchor = at.checked_sub(1).map(|_| read[at * 7 - 1].0);
                let end = (at + 1) * 7 >= read.len();
                history.push(page("b@x", Direction::Forwards, anchor, page_of, end));
            }
            prop_assert!(check(&history).is_clean() == clean, "{:?}", check(&history).findings);
        }
    }
}
