//! The operator's own program that sets and removes a record in DNS.
//!
//! Called as `PROGRAM add|remove NAME VALUE`, with nothing to read and without our variables of the environment, which may
//! be secrets; it must come back with 0 within its time. What it leaves running is not waited for.
//!
//! Not here: updates by DNS itself (`dns.rs`).

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, Command};

use crate::limits;
use crate::trouble::Trouble;

pub(crate) async fn run(program: &Path, name: &str, value: &str, add: bool) -> Result<(), Trouble> {
    let what = if add { "add" } else { "remove" };
    let failed = |why: String| {
        Trouble::new(format!("the program {} ({what} {name}) failed: {why}", program.display()))
    };
    let mut command = Command::new(program);
    command.args([what, name, value]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for (variable, _) in std::env::vars_os().filter(|(variable, _)| ours(variable)) {
        command.env_remove(variable);
    }
    let ended = tokio::time::timeout(limits::HOOK, end(command.kill_on_drop(true))).await;
    let ended = ended.map_err(|_| failed("it took too long".to_owned()))?;
    let (status, said) = ended.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let said: String = said.chars().filter(|c| !c.is_control()).take(limits::WORDS).collect();
    Err(failed(format!("{status}; {said}")))
}

/// Whether a variable sets something of ours.
fn ours(variable: &OsStr) -> bool {
    variable.as_encoded_bytes().starts_with(b"DETENTE_")
}

/// How it ends, and what it says of an error.
async fn end(command: &mut Command) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    let Some(mut stderr) = child.stderr.take() else { return Ok((child.wait().await?, said)) };
    let mut open = true;
    let status = loop {
        tokio::select! {
            more = hear(&mut stderr, &mut said), if open => open = more,
            status = child.wait() => break status?,
        }
    };
    if open && !status.success() {
        // It is there already; another process may hold the pipe open for as long as it likes.
        let rest = async { while said.len() < limits::HOOK_BYTES && hear(&mut stderr, &mut said).await {} };
        let _ = tokio::time::timeout(limits::HOOK_REST, rest).await;
    }
    Ok((status, said))
}

/// Hears the next of it, and keeps what there is room for. Whether more may come.
async fn hear(stderr: &mut ChildStderr, said: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 1024];
    let read = stderr.read(&mut buffer).await.unwrap_or(0);
    let room = limits::HOOK_BYTES.saturating_sub(said.len());
    said.extend_from_slice(&buffer[..read.min(room)]);
    read > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let missing = run(Path::new("/nowhere/program"), "_acme-challenge.a.example", "v", true).await;
        assert!(missing.unwrap_err().words.contains("/nowhere/program"));
        let refused = run(Path::new("/bin/false"), "_acme-challenge.a.example", "v", false).await;
        assert!(refused.unwrap_err().words.contains("remove _acme-challenge.a.example"));
        run(Path::new("/bin/true"), "_acme-challenge.a.example", "v", true).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_program_says_and_leaves_running_is_bounded() {
        let path = std::env::temp_dir().join(format!("detente-hook-{}", std::process::id()));
        let script =
            "sleep 20 &\n[ $1 = add ] && exit 0\nhead -c 300000 /dev/zero | tr '\\0' x >&2\nexit 3\n";
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let soon = Duration::from_secs(15); // before what it leaves running ends
        let good = tokio::time::timeout(soon, run(&path, "a.example", "v", true)).await;
        let bad = tokio::time::timeout(soon, run(&path, "a.example", "v", false)).await;
        std::fs::remove_file(&path).unwrap();
        assert_eq!(good.expect("it is over"), Ok(()));
        let words = bad.expect("it is over").unwrap_err().words;
        assert!(words.ends_with("xxx") && words.contains("3; x") && words.len() < 1000, "{words}");
    }

    #[test]
    fn our_variables_are_not_handed_on() {
        for (name, want) in
            [("DETENTE_ACME__DNS_KEY_SECRET", true), ("DETENTE_S3__SECRET_KEY", true), ("PATH", false)]
        {
            assert_eq!(ours(OsStr::new(name)), want, "{name}");
        }
    }
}
