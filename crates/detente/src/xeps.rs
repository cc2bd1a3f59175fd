//! `detente xeps`: which specifications are implemented, from the features' cards. `cargo xtask xeps` reads it.
//!
//! Not here: the documents that are made of it (xtask).

use admin::{Failure, FailureKind};
use kernel::{Spec, Status};
use serde::Serialize;

/// One specification as one part of the program implements it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    xep: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rfc: Option<String>,
    version: &'static str,
    status: &'static str,
    name: &'static str,
    /// The file, from the repository's root.
    #[serde(rename = "where")]
    path: String,
    note: &'static str,
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    let kernel = kernel::Kernel::new(crate::translate::features(Default::default(), Default::default()));
    let of_features = kernel
        .cards()
        .flat_map(|card| card.specs.iter().map(|spec| row(card.name, path_of(card.name), spec)));
    let parts = stream::PARTS
        .iter()
        .chain(s2s::PARTS)
        .chain(federation::PARTS)
        .chain(acme::PARTS)
        .chain(components::PARTS)
        .chain(net::PARTS)
        .chain(muc::PARTS)
        .chain(pubsub::PARTS)
        .chain(push::PARTS)
        .chain(bytestreams::PARTS)
        .chain(moving::PARTS)
        .chain(accounts::PARTS);
    let of_parts =
        parts.flat_map(|part| part.specs.iter().map(|spec| row(part.name, part.path.to_owned(), spec)));
    of_features.chain(of_parts).collect()
}

/// A feature is one file, or one folder.
fn path_of(feature: &str) -> String {
    match feature {
        "adhoc" | "archive" | "directory" | "push" => format!("crates/features/src/{feature}/mod.rs"),
        "pep" => format!("crates/pubsub/src/{feature}/mod.rs"),
        "avatar" | "bookmarks" | "displayed" | "vcard4" => format!("crates/pubsub/src/{feature}.rs"),
        _ => format!("crates/features/src/{feature}.rs"),
    }
}

fn row(name: &'static str, path: String, spec: &Spec) -> Row {
    let number = |prefix: &str| spec.id.strip_prefix(prefix).map(str::to_owned);
    let status = match spec.status {
        Status::Complete => "complete",
        Status::Partial => "partial",
    };
    Row {
        xep: number("XEP-"),
        rfc: number("RFC "),
        version: spec.version,
        status,
        name,
        path,
        note: spec.note,
    }
}

pub(crate) fn run(json: bool) -> Result<(), Failure> {
    let rows = rows();
    if json {
        let text = serde_json::to_string_pretty(&rows).map_err(|e| Failure::new(FailureKind::Failed, e))?;
        println!("{text}");
        return Ok(());
    }
    for row in rows {
        let id =
            row.xep.map(|n| format!("XEP-{n}")).or(row.rfc.map(|n| format!("RFC {n}"))).unwrap_or_default();
        println!("{id:<9} {:<12} {:<9} {}", row.version, row.status, row.name);
    }
    Ok(())
}
