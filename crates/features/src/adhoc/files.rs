//! Commands for a user's own uploaded files: see them, delete them.
//!
//! XEP-0050 1.3.0
//!
//! Not here: the files (crate `files`), deletion with a retracted message (`retracted_files.rs`).

use kernel::{Answer, Host, Turn};
use model::query::{Found, Query, UploadFound, UploadQuery, UploadedFile};
use stanza::{Condition, StanzaError, when};

use super::{Call, Command, bad_payload};
use crate::forms::Field;

/// Newest files in a list or a form.
pub(crate) const LIST_MAX: u32 = 200;
/// Bytes of a file's id.
const ID_BYTES_MAX: usize = 128;

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        node: "files",
        name: "List my uploaded files",
        admin: false,
        fields: &[],
        known: None,
        run: list,
    },
    Command {
        node: "delete-files",
        name: "Delete uploaded files of mine",
        admin: false,
        fields: &[Field::required("files", "list-multi", "The files to delete, newest first")],
        known: Some(choose),
        run: delete,
    },
];

fn list(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    found(call, |call, files| {
        let lines = files.iter().map(|file| format!("{} {}", line(file), file.url)).collect();
        call.found(&[("files", lines)])
    })
}

fn choose(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    found(call, |call, files| {
        let options: Vec<_> = files.iter().map(|file| (line(file), file.id.clone())).collect();
        call.choice(&options)
    })
}

/// Asks for the files and goes on if there are some.
fn found(call: Call, then: fn(&Call, &[UploadedFile]) -> Answer<Host>) -> Answer<Host> {
    ask(UploadQuery::List { account: call.from.bare(), limit: LIST_MAX }, move |found| match found {
        UploadFound::Files(files) if files.is_empty() => call.done("You have no uploaded files here"),
        UploadFound::Files(files) => then(&call, &files),
        UploadFound::Off => call.failed("Files cannot be uploaded here"),
        _ => StanzaError::from(Condition::InternalServerError).into(),
    })
}

/// Only own files go, whatever was filled in: whose they are is looked up anew.
fn delete(_: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let ids: Vec<String> = call.filled.values("files").map(str::to_owned).collect();
    if ids.len() > LIST_MAX as usize || ids.iter().any(|id| id.len() > ID_BYTES_MAX) {
        return bad_payload().into();
    }
    ask(UploadQuery::Delete { account: call.from.bare(), ids }, move |found| match found {
        UploadFound::Deleted(0) => call.failed("No such files; they may be gone already"),
        UploadFound::Deleted(1) => call.done("1 file is deleted"),
        UploadFound::Deleted(many) => call.done(&format!("{many} files are deleted")),
        UploadFound::Off => call.failed("Files cannot be uploaded here"),
        _ => StanzaError::from(Condition::InternalServerError).into(),
    })
}

fn ask(query: UploadQuery, then: impl FnOnce(UploadFound) -> Answer<Host> + Send + 'static) -> Answer<Host> {
    Answer::ask(Query::Upload(query), move |_, found| match found {
        Found::Upload(found) => then(found),
        _ => Condition::InternalServerError.into(),
    })
}

/// One line for people.
fn line(file: &UploadedFile) -> String {
    let until = match file.until_ms {
        Some(until) => format!("goes {}", day(until)),
        None => "stays".to_owned(),
    };
    format!("{}: {}, {}, {until}", day(file.at_ms), file.name, size(file.bytes))
}

fn day(ms: u64) -> String {
    let mut text = when::seconds(ms / 1_000);
    text.truncate("1970-01-01".len());
    text
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
