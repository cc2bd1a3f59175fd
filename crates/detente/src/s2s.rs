//! `detente s2s ...`.
//!
//! Not here: what is done (admin), what is told (`neighbours.rs`).

use admin::{Failure, FailureKind};
use serde_json::Value;

use crate::cli::{Common, S2s, Server};
use crate::reach::{Reach, args};
use crate::show;

/// Columns of the list.
const COLUMNS: &[&str] =
    &["domain", "state", "out", "in", "waiting", "oldest_seconds", "retry_in_seconds", "error"];
/// Lines of one server.
const FACTS: &[&str] = &[
    "domain",
    "state",
    "blocked_by",
    "out",
    "in",
    "waiting",
    "oldest_seconds",
    "unacknowledged",
    "retry_in_seconds",
    "error",
];
/// Columns of what goes to it.
const PAIRS: &[&str] =
    &["from", "waiting", "oldest_seconds", "connected", "failures", "retry_in_seconds", "error"];
/// Columns of its streams.
const STREAMS: &[&str] =
    &["direction", "address", "direct_tls", "age_seconds", "unacknowledged", "tls", "external"];

pub(crate) fn run(command: S2s) -> Result<(), Failure> {
    match command {
        S2s::List(common) => {
            let found = Reach::new(&common.config)?.run("s2s list", args([]))?;
            if common.json {
                return show::json(&found["servers"]);
            }
            show::table(rows(&found["servers"]), COLUMNS);
            Ok(())
        }
        S2s::Show(server) => {
            let found = ask("s2s show", &server)?;
            if server.common.json {
                return show::json(&found);
            }
            one(&found);
            Ok(())
        }
        S2s::Test { server, from } => test(&server, from),
        S2s::Block(server) => {
            let done = ask("s2s block", &server)?;
            told(&server.common, &done, "is blocked")
        }
        S2s::Allow(server) => {
            let done = ask("s2s allow", &server)?;
            let still = done["blocked"] == true;
            let words =
                if still { "is allowed by command, and still blocked otherwise" } else { "is allowed again" };
            told(&server.common, &done, words)
        }
    }
}

fn ask(command: &str, server: &Server) -> Result<Value, Failure> {
    Reach::new(&server.common.config)?.run(command, args([("domain", server.domain.as_str().into())]))
}

fn test(server: &Server, from: Option<String>) -> Result<(), Failure> {
    let given = [("domain", server.domain.as_str().into()), ("from", from.map_or(Value::Null, Value::from))];
    let found = Reach::new(&server.common.config)?.run("s2s test", args(given))?;
    match server.common.json {
        true => show::json(&found)?,
        false => {
            attempt(&found);
            say(&found["advice"]);
        }
    }
    if found["ok"] == true {
        return Ok(());
    }
    let what = format!("{}: {}", server.domain, found["why"].as_str().unwrap_or_default());
    Err(Failure::new(FailureKind::Failed, what))
}

fn told(common: &Common, done: &Value, words: &str) -> Result<(), Failure> {
    if common.json {
        return show::json(done);
    }
    println!("{} {words}", done["domain"].as_str().unwrap_or_default());
    Ok(())
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn one(found: &Value) {
    show::facts(found, FACTS);
    if !rows(&found["pairs"]).is_empty() {
        println!("\nwhat goes to it:");
        show::table(rows(&found["pairs"]), PAIRS);
    }
    if !rows(&found["streams"]).is_empty() {
        println!("\nstreams:");
        show::table(rows(&found["streams"]), STREAMS);
        for stream in rows(&found["streams"]) {
            certificate(stream, "");
        }
    }
    if !found["last_failure"].is_null() {
        let at = found["last_failure"]["at"].as_str().unwrap_or_default();
        println!("\nlast attempt that failed ({at}):");
        attempt(&found["last_failure"]);
    }
    say(&found["advice"]);
}

/// What an attempt found out, a line for each step.
fn attempt(found: &Value) {
    let asked = rows(&found["srv"]).iter().chain(rows(&found["hosts"]));
    for question in asked {
        let all: Vec<String> = rows(&question["found"]).iter().map(show::word).collect();
        let answer = match (question["answered"] == true, all.is_empty()) {
            (false, _) => "no answer".to_owned(),
            (true, true) => "nothing".to_owned(),
            (true, false) => all.join("; "),
        };
        println!("DNS   {}  {answer}", show::word(&question["name"]));
    }
    for tried in rows(&found["tried"]) {
        let how = if tried["direct_tls"] == true { "direct TLS" } else { "STARTTLS" };
        println!(
            "{}  {} ({how}): {}",
            mark(tried),
            show::word(&tried["address"]),
            show::word(&tried["result"])
        );
        if tried["tls"].is_string() {
            println!("      TLS: {}", show::word(&tried["tls"]));
        }
        certificate(tried, "      ");
    }
    if let Some(why) = found["why"].as_str() {
        println!("it failed: {why}");
    }
}

fn mark(tried: &Value) -> &'static str {
    if tried["works"] == true { "ok  " } else { "FAIL" }
}

fn certificate(of: &Value, indent: &str) {
    let shown = &of["certificate"];
    if shown.is_null() {
        return;
    }
    let names: Vec<String> = rows(&shown["names"]).iter().map(show::word).collect();
    let by = if shown["self_made"] == true { "itself".to_owned() } else { show::word(&shown["issuer"]) };
    let doubt = of["doubt"].as_str().map(|doubt| format!("; refused: {doubt}")).unwrap_or_default();
    println!(
        "{indent}certificate: for {}; issued by {by}; until {}{doubt}",
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") },
        show::word(&shown["expires"])
    );
}

fn say(advice: &Value) {
    let all = rows(advice);
    if !all.is_empty() {
        println!("\nwhat to do:");
    }
    for one in all {
        println!("- {}", show::word(one));
    }
}
