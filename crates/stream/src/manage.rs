//! The elements of stream management; counting is the engine's.
//!
//! XEP-0198 version 1.6.2.
//!
//! Not here: queues, counters and resumption itself (engine).

use std::borrow::Cow;

use model::link::{Enable, Enabled, Resumed};
use stanza::{Condition, ns};
use xml::Writer;

use crate::state::Io;

/// Longest secret of a session that is looked up; ours are far shorter.
const SESSION_SECRET_BYTES_MAX: usize = 256;

/// What `<resume/>` asks for.
pub(crate) struct ResumeWish {
    pub(crate) id: String,
    pub(crate) h: u32,
}

/// An XML Schema boolean.
pub(crate) fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

/// Reads the attributes of `<enable/>`; a `max` that is no number is no wish.
pub(crate) fn read_enable<'a>(attr: impl Fn(&str) -> Option<Cow<'a, str>>) -> Enable {
    Enable {
        resume: attr("resume").is_some_and(|value| is_true(&value)),
        max: attr("max").and_then(|value| value.parse().ok()),
    }
}

/// Reads the attributes of `<resume/>`; `None` if one is missing or unusable.
pub(crate) fn read_resume<'a>(attr: impl Fn(&str) -> Option<Cow<'a, str>>) -> Option<ResumeWish> {
    let id = attr("previd").filter(|id| (1..=SESSION_SECRET_BYTES_MAX).contains(&id.len()))?;
    Some(ResumeWish { id: id.into_owned(), h: read_h(attr("h"))? })
}

/// Reads a count.
pub(crate) fn read_h(value: Option<Cow<'_, str>>) -> Option<u32> {
    // `parse` would also take a sign.
    value.filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// Writes `<enabled/>`; `location` is where to resume.
pub(crate) fn write_enabled(w: &mut Writer, enabled: &Enabled, location: Option<&str>) {
    w.open("enabled", ns::SM);
    if let Some(id) = &enabled.id {
        w.attr("id", id).attr("resume", "true").attr("max", enabled.max.to_string());
        if let Some(location) = location {
            w.attr("location", location);
        }
    }
    w.close();
}

/// Writes `<resumed/>`.
pub(crate) fn write_resumed(w: &mut Writer, resumed: &Resumed) {
    w.open("resumed", ns::SM).attr("h", resumed.h.to_string()).attr("previd", &resumed.id).close();
}

/// Writes `<failed/>`.
pub(crate) fn write_failed(w: &mut Writer, condition: Condition, h: Option<u32>) {
    w.open("failed", ns::SM);
    if let Some(h) = h {
        w.attr("h", h.to_string());
    }
    w.open(condition.name(), ns::STANZAS).close().close();
}

/// Sends `<failed/>`.
pub(crate) fn put_failed(io: &mut Io, condition: Condition) {
    let mut w = io.wire.writer();
    write_failed(&mut w, condition, None);
    io.wire.put(&w.finish());
}

/// Sends `<a/>`.
pub(crate) fn put_ack(io: &mut Io, h: u32) {
    let mut w = io.wire.writer();
    w.open("a", ns::SM).attr("h", h.to_string()).close();
    io.wire.put(&w.finish());
}
