//! The operator's own program that sets and removes a record in DNS.
//!
//! Called as `PROGRAM add|remove NAME VALUE`, with nothing to read; it must come back with 0 within its time.
//!
//! Not here: updates by DNS itself (`dns.rs`).

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::limits;
use crate::trouble::Trouble;

pub(crate) async fn run(program: &Path, name: &str, value: &str, add: bool) -> Result<(), Trouble> {
    let what = if add { "add" } else { "remove" };
    let failed = |why: String| {
        Trouble::new(format!("the program {} ({what} {name}) failed: {why}", program.display()))
    };
    let mut command = Command::new(program);
    command.args([what, name, value]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let running = command.kill_on_drop(true).output();
    let ended = tokio::time::timeout(limits::HOOK, running).await;
    let output = ended.map_err(|_| failed("it took too long".to_owned()))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.chars().filter(|c| !c.is_control()).take(limits::WORDS).collect();
    Err(failed(format!("{}; {said}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let missing = run(Path::new("/nowhere/program"), "_acme-challenge.a.example", "v", true).await;
        assert!(missing.unwrap_err().words.contains("/nowhere/program"));
        let refused = run(Path::new("/bin/false"), "_acme-challenge.a.example", "v", false).await;
        assert!(refused.unwrap_err().words.contains("remove _acme-challenge.a.example"));
        run(Path::new("/bin/true"), "_acme-challenge.a.example", "v", true).await.unwrap();
    }
}
