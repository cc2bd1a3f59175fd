//! The rows, by category of the suites; after them what is newer.
//!
//! Not here: what a row needs (`with.rs`), how they are shown (`document.rs`).

mod calls;
mod core;
mod im;
mod mobile;
mod newer;
mod newer_login;
mod newer_rooms;
mod rooms;
mod servers;
mod web;
mod with;

use crate::server::Server;
use crate::verdict::Said;

/// For whom a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Required of a server.
    Core,
    /// Required of an advanced server.
    Advanced,
    /// Named by the suites, and not required.
    Noted,
    /// Not in the suites: newer, or about servers only.
    Beyond,
    /// For clients only.
    Client,
}

/// One row.
pub struct Row {
    /// Category.
    pub suite: &'static str,
    /// The specification.
    pub spec: &'static str,
    /// What it is called, or which part of it this is.
    pub title: &'static str,
    /// For whom it counts.
    pub level: Level,
    /// The exchange, in words.
    pub tried: &'static str,
    pub(crate) run: Option<fn(&Server) -> Said>,
}

impl Row {
    /// What names it among all.
    pub fn key(&self) -> String {
        format!("{} {}", self.spec, self.title)
    }
}

const fn row(
    spec: &'static str,
    title: &'static str,
    level: Level,
    tried: &'static str,
    run: fn(&Server) -> Said,
) -> Row {
    Row { suite: "", spec, title, level, tried, run: Some(run) }
}

const fn client(spec: &'static str, title: &'static str) -> Row {
    Row { suite: "", spec, title, level: Level::Client, tried: "", run: None }
}

/// Every row, in the order of the page.
pub fn all() -> Vec<Row> {
    let suites = [
        ("Core", core::rows()),
        ("Web", web::rows()),
        ("Instant messaging", [im::rows(), rooms::rows()].into_iter().flatten().collect()),
        ("Mobile", mobile::rows()),
        ("A/V calls", calls::rows()),
        ("Newer: login", newer_login::rows()),
        ("Newer: messages, contacts, accounts", newer::rows()),
        ("Newer: rooms", newer_rooms::rows()),
        ("Between servers", servers::rows()),
    ];
    let named =
        |(suite, rows): (&'static str, Vec<Row>)| rows.into_iter().map(move |row| Row { suite, ..row });
    suites.into_iter().flat_map(named).collect()
}

/// What the server calls itself (XEP-0092).
pub(crate) fn software(server: &Server) -> Said<String> {
    let mut client = crate::client::Client::bound(server, 0)?;
    let version = client.get(&server.domain, "<query xmlns='jabber:iq:version'/>")?;
    let (name, version) = (version.text_of("name"), version.text_of("version"));
    Ok(format!("{} {}", name.unwrap_or("unknown"), version.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let rows = all();
        for (at, row) in rows.iter().enumerate() {
            assert!(rows[..at].iter().all(|other| other.key() != row.key()), "{} stands twice", row.key());
            assert_eq!(row.run.is_none(), row.level == Level::Client, "{}", row.key());
            assert_eq!(row.tried.is_empty(), row.level == Level::Client, "{}", row.key());
        }
    }
}
