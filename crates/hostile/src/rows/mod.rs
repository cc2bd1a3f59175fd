//! All rows, by group of the list.
//!
//! Not here: what does not apply (`absent.rs`).

mod absent;
mod absent_servers;
mod absent_services;
mod abuse;
mod auth;
mod auth_scram;
mod binding;
mod called;
mod components;
mod http;
mod managed;
mod nodes;
mod rooms;
mod servers;
mod stanzas;
mod stanzas_routing;
mod tls;
mod tls_hello;
mod web;
mod xml;
mod xml_limits;
mod xml_stream;

pub(crate) use absent::Absent;
pub use absent::absent;

use crate::row::Row;

/// Every row that there is.
pub fn all() -> Vec<Row> {
    let groups = [
        xml::rows(),
        xml_limits::rows(),
        xml_stream::rows(),
        tls::rows(),
        auth::rows(),
        auth_scram::rows(),
        binding::rows(),
        managed::rows(),
        stanzas::rows(),
        stanzas_routing::rows(),
        rooms::rows(),
        nodes::rows(),
        web::rows(),
        http::rows(),
        abuse::rows(),
        servers::rows(),
        called::rows(),
        components::rows(),
    ];
    let mut rows: Vec<Row> = groups.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.id);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rows each group of the list has.
    const GROUPS: [(&str, usize); 10] = [
        ("A", 50),
        ("B", 22),
        ("C", 32),
        ("D", 21),
        ("E", 30),
        ("F", 29),
        ("G", 23),
        ("H", 7),
        ("I", 52),
        ("J", 12),
    ];

    #[test]
    fn every_row_of_the_list_is_here_or_said_to_be_absent_with_a_reason() {
        let (rows, absent) = (all(), absent());
        for (group, count) in GROUPS {
            for number in 1..=count {
                let id = format!("{group}-{number:02}");
                // C-05 has four parts.
                let named = |known: &str| known.strip_prefix(id.as_str()).is_some_and(|rest| rest.len() <= 1);
                let here = rows.iter().filter(|row| named(row.id)).count();
                let away = absent.iter().filter(|absent| named(absent.id)).count();
                assert!(here + away >= 1, "{id} is missing");
            }
        }
        for (at, row) in rows.iter().enumerate() {
            assert!(!row.checks.is_empty(), "{} tries nothing", row.id);
            assert!(rows[..at].iter().all(|other| other.id != row.id), "{} stands twice", row.id);
            assert!(absent.iter().all(|absent| absent.id != row.id), "{} is here and absent", row.id);
        }
        assert!(absent.iter().all(|absent| absent.why.len() > 20));
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/bad-input.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == crate::document(&all(), &absent()),
            "run `make attack`, which writes docs/bad-input.md; or `detente-attack --list` into it"
        );
    }
}
