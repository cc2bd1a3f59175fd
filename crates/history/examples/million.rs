//! How long a million events take: `cargo run --release -p history --example million`.
//!
//! Not here: a limit; machines differ.

use std::time::Instant;

use history::{Direction, History, Key, Via, What, check};

const ACCOUNTS: usize = 100;

fn main() {
    let began = Instant::now();
    let history = history(1_000_000);
    println!("{} events written in {:?}", history.events.len(), began.elapsed());
    let began = Instant::now();
    let report = check(&history);
    println!("judged in {:?}: {} findings, {} messages", began.elapsed(), report.findings.len(), report.sent);
    let (began, text) = (Instant::now(), history.to_jsonl());
    println!("{} MB of JSON in {:?}", text.len() >> 20, began.elapsed());
    let began = Instant::now();
    let read = History::from_jsonl(&text).map(|history| history.events.len());
    println!("{read:?} read back in {:?}", began.elapsed());
    assert!(report.is_clean(), "{:?}", report.findings.first());
}

/// Each message: sent, acknowledged, received.
fn history(events: usize) -> History {
    let mut history = History::new();
    let account = |n: usize| format!("u{}@x", n % ACCOUNTS);
    let mut archives = vec![Vec::new(); ACCOUNTS];
    for n in 0..events / 3 {
        let (from, to) = (account(n), account(n * 7 + 1));
        let device = format!("{from}/1");
        let key = Key::new(1, &device, n as u64);
        let named = vec![to.clone()];
        let id = (n + 1).to_string();
        let sent = What::Send {
            device: device.clone(),
            session: 1,
            key: key.clone(),
            to: to.clone(),
            archives: named,
        };
        history.push(sent);
        history.push(What::Ack { device: device.clone(), keys: vec![key.clone()] });
        history.push(What::Recv {
            device: format!("{to}/1"),
            session: 1,
            key: key.clone(),
            from: device,
            stanza_id: Some(id.clone()),
            via: Via::Live,
            delay: false,
        });
        archives[(n * 7 + 1) % ACCOUNTS].push((id, key));
    }
    history.push(What::Drained);
    for (number, entries) in archives.into_iter().enumerate() {
        let mut anchor = None;
        for (at, page) in entries.chunks(100).enumerate() {
            history.push(What::MamPage {
                device: format!("{}/1", account(number)),
                archive: account(number),
                direction: Direction::Forwards,
                anchor: anchor.replace(page[page.len() - 1].0.clone()),
                ids: page.iter().map(|(id, _)| id.clone()).collect(),
                keys: page.iter().map(|(_, key)| Some(key.clone())).collect(),
                complete: (at + 1) * 100 >= entries.len(),
            });
        }
        if entries.is_empty() {
            let archive = account(number);
            let (device, direction) = (format!("{archive}/1"), Direction::Forwards);
            let (ids, keys) = (vec![], vec![]);
            history.push(What::MamPage {
                device,
                archive,
                direction,
                anchor: None,
                ids,
                keys,
                complete: true,
            });
        }
    }
    history
}
