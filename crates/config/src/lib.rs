//! The configuration: one typed tree, read from one file and the environment, with messages that explain.
//!
//! [`settings::SETTINGS`] is the one list of what can be set. The annotated file of `detente init`, the check for unknown
//! settings, the environment and the ranges come from it; [`Config`] is the same as types, and a test holds them together.
//!
//! # The environment
//!
//! `DETENTE_SECTION__SETTING=value` overrides `setting` in `[section]`, as in `DETENTE_LIMITS__STANZA_BYTES=100000`. Text is
//! taken as it is; other values are written as in the file; a list may also be written with commas:
//! `DETENTE_SERVER__DOMAINS=a.example,b.example`. What stands under `[domain."..."]` can be set in the file only. A variable
//! that begins with `DETENTE_` and names no setting is an error; `DETENTE_CONFIG` names the file itself.
//!
//! Not here: what the settings do (the crates that they are for), reading certificates (net, through [`Certificates`]).

mod acme;
mod around;
mod bytestreams;
mod calls;
mod components;
mod environment;
mod fault;
mod federation;
mod files;
mod groups;
mod init;
mod meaning;
mod near;
mod objects;
mod push;
mod read;
mod rooms;
mod safety;
mod self_made;
pub mod settings;
mod source;
mod template;
mod tree;
mod walk;

pub use acme::{Acme, Challenge};
pub use bytestreams::Bytestreams;
pub use calls::{External, Turn};
pub use components::{Component, Components, Hidden, Privileges, Requests, Speaking, Watching};
pub use fault::{Fault, Level, Place};
pub use federation::{Demand, Federate, Federation, Remote, ServerAuth};
pub use files::Certificates;
pub use groups::Group;
pub use init::{Init, InitError, Made};
pub use objects::Objects;
pub use push::{Push, PushContent};
pub use read::{Checked, check, read};
pub use rooms::{RoomCreation, Rooms};
pub use safety::{Directory, Safety, Strangers};
pub use tree::{
    Auth, Config, Contacts, Domain, Durability, Http, Identity, Limits, Listen, Log, LogFormat, Registration,
    Server, SharedDefault, Storage, Tls,
};
