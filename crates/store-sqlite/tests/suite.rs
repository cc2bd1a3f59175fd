//! The engine against the conformance suite.
//!
//! Not here: files and crashes (`files`, `crash`, `full`).

#![allow(clippy::unwrap_used)]

mod temp;

use store::suite::Subject;
use store_sqlite::{Options, Sqlite};
use temp::Temp;

fn subject() -> Subject {
    let temp = Temp::new();
    Subject::new(Sqlite::open(temp.path(), Options::default()).unwrap(), temp)
}

store::suite!(subject);
