//! `detente group ...`.
//!
//! Not here: what is done (admin).

use admin::Failure;
use serde_json::Value;

use crate::cli::{Group, Member};
use crate::reach::{Reach, args};
use crate::{show, user};

pub(crate) fn run(command: Group) -> Result<(), Failure> {
    match command {
        Group::List(common) => {
            let found = Reach::new(&common.config)?.run("group list", args([]))?;
            if common.json {
                return show::json(&found["groups"]);
            }
            show::table(found["groups"].as_array().map_or(&[], Vec::as_slice), &["name", "members"]);
            Ok(())
        }
        Group::Show { name, common } => {
            let found = Reach::new(&common.config)?.run("group show", args([("name", name.into())]))?;
            if common.json {
                return show::json(&found);
            }
            show::table(found["members"].as_array().map_or(&[], Vec::as_slice), &["jid", "called"]);
            Ok(())
        }
        Group::Add { member: Member { name, jid, common }, called } => {
            let called = called.map_or(Value::Null, Value::from);
            let given = [("name", name.as_str().into()), ("jid", jid.into()), ("called", called)];
            let done = Reach::new(&common.config)?.run("group add", args(given))?;
            user::told(&common, &done, &format!("is in the group {name}"))
        }
        Group::Remove(Member { name, jid, common }) => {
            let given = [("name", name.as_str().into()), ("jid", jid.into())];
            let done = Reach::new(&common.config)?.run("group remove", args(given))?;
            user::told(&common, &done, &format!("is not in the group {name} any more"))
        }
    }
}
