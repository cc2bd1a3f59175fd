//! `detente user ...`.
//!
//! Not here: what is done (admin), passwords on terminals (`password.rs`).

use admin::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::cli::{Common, One, User, WithPassword};
use crate::reach::{Reach, args};
use crate::{password, show};

pub(crate) fn run(command: User) -> Result<(), Failure> {
    match command {
        User::Add { with, admin } => add(&with, admin),
        User::Passwd(with) => passwd(&with),
        User::List { domain, common } => list(domain, &common),
        User::Show(one) => show_one(&one),
        User::Suspend(one) => simple(&one, "user suspend", "is suspended"),
        User::Resume(one) => simple(&one, "user resume", "may log in again"),
        User::Promote(one) => simple(&one, "user promote", "may administer its domain"),
        User::Demote(one) => simple(&one, "user demote", "may no longer administer its domain"),
        User::Recover(given) => crate::invite::recover(&given),
        User::Remove { one, yes } => remove(&one, yes),
    }
}

fn add(with: &WithPassword, admin: bool) -> Result<(), Failure> {
    let one = &with.one;
    let mut reach = Reach::new(&one.common.config)?;
    // Before anybody types a password for nothing.
    match reach.run("user show", args([("jid", one.jid.as_str().into())])) {
        Ok(_) => return Err(Failure::new(FailureKind::Exists, format_args!("{} exists already", one.jid))),
        Err(failure) if failure.kind == FailureKind::NotFound => {}
        Err(failure) => return Err(failure),
    }
    let password = password::new(with.password_stdin)?;
    let given =
        [("jid", one.jid.as_str().into()), ("password", password.as_str().into()), ("admin", admin.into())];
    let made = reach.run("user add", args(given))?;
    told(&one.common, &made, "is made")
}

fn passwd(with: &WithPassword) -> Result<(), Failure> {
    let one = &with.one;
    let mut reach = Reach::new(&one.common.config)?;
    reach.run("user show", args([("jid", one.jid.as_str().into())]))?;
    let password = password::new(with.password_stdin)?;
    let given = [("jid", one.jid.as_str().into()), ("password", password.as_str().into())];
    let set = reach.run("user passwd", args(given))?;
    told(&one.common, &set, "has a new password; its clients must log in again")
}

fn simple(one: &One, command: &str, done: &str) -> Result<(), Failure> {
    let answer = Reach::new(&one.common.config)?.run(command, args([("jid", one.jid.as_str().into())]))?;
    told(&one.common, &answer, done)
}

fn remove(one: &One, yes: bool) -> Result<(), Failure> {
    let mut reach = Reach::new(&one.common.config)?;
    let jid = || args([("jid", one.jid.as_str().into())]);
    reach.run("user show", jid())?;
    if !yes && !password::confirm(&format!("Remove {} with all its messages, contacts and files?", one.jid))?
    {
        return Err(Failure::new(FailureKind::Failed, "nothing was removed"));
    }
    let removed = reach.run("user remove", jid())?;
    told(&one.common, &removed, "is removed")
}

fn show_one(one: &One) -> Result<(), Failure> {
    let shown = Reach::new(&one.common.config)?.run("user show", args([("jid", one.jid.as_str().into())]))?;
    if one.common.json {
        return show::json(&shown);
    }
    show::facts(&shown, &["jid", "admin", "suspended", "created"]);
    if let Some(sessions) = shown["sessions"].as_array().filter(|sessions| !sessions.is_empty()) {
        println!("sessions:");
        show::table(sessions, show::SESSION);
    }
    Ok(())
}

/// All pages, as they come; as JSON they are one list.
fn list(domain: Option<String>, common: &Common) -> Result<(), Failure> {
    let mut reach = Reach::new(&common.config)?;
    let (mut users, mut after) = (Vec::new(), Value::Null);
    loop {
        let domain = domain.as_deref().map_or(Value::Null, Value::from);
        let mut page = reach.run("user list", args([("domain", domain), ("after", after)]))?;
        if let Value::Array(more) = page["users"].take() {
            users.extend(more);
        }
        after = page["more"].take();
        if after.is_null() {
            break;
        }
    }
    if common.json {
        return show::json(&json!(users));
    }
    show::table(&users, &["jid", "admin", "suspended", "created"]);
    Ok(())
}

/// Says what was done.
pub(crate) fn told(common: &Common, answer: &Value, done: &str) -> Result<(), Failure> {
    if common.json {
        return show::json(answer);
    }
    println!("{} {done}", answer["jid"].as_str().unwrap_or_default());
    Ok(())
}
