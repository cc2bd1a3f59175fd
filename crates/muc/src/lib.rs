//! Rooms: text conferences with many people, as a hosted service.
//!
//! XEP-0045 1.35.5; the other specifications stand in the files of their parts ([`PARTS`]).
//!
//! A room is a place of the service (`kernel::Service`): its occupants live in memory, its configuration, affiliations and
//! archive in storage. Each topic has a file; all of them work on [`here::Here`], a room in one turn.
//!
//! Not here: who is connected and how a stanza gets to them (kernel, engine), bookmarks (pubsub).

mod activity;
mod admin;
mod affiliation;
mod affiliations;
mod archive;
mod avatar;
mod banned;
mod config;
mod config_form;
mod create;
mod departed;
mod destroy;
mod disco;
mod forward;
mod ghosts;
mod groupchat;
mod hats;
mod hats_commands;
mod here;
mod history;
mod index;
mod invite;
mod iq;
mod item;
mod join;
mod leave;
pub mod limits;
mod listing;
mod nick;
mod occupant_id;
mod occupants;
mod operator;
mod owner;
mod parts;
mod people;
mod presence;
mod private;
mod register;
mod retract;
mod roles;
mod room;
mod search;
mod service;
mod settings;
#[cfg(test)]
mod stage;
mod subject;
mod telling;
mod voice;

pub use config_form::fields;
pub use parts::PARTS;
pub use service::{Random, Rooms};
pub use settings::{Creation, Defaults, Settings};
