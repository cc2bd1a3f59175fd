//! A small file system of its own for the server: a tmpfs in a mount namespace, which goes with the process that holds it.
//!
//! Not here: what is put on it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bench::Outcome;

use crate::world::World;

/// The volume. Dropping it ends its holder, and with that the mount; the server must have ended before.
pub(crate) struct Volume {
    holder: Child,
    at: PathBuf,
}

impl Volume {
    /// Mounts one and has the world's server run where it is seen. `None` and why not, where that is not allowed.
    pub(crate) fn mount(world: &mut World, at: &Path, mebibytes: u64) -> Outcome<Result<Volume, String>> {
        fs::create_dir_all(at)?;
        let root = rustix::process::geteuid().is_root();
        let mut unshare = Command::new("unshare");
        if !root {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["--mount", "--propagation", "private", "sh", "-c"]);
        // It ends when the pipe to its standard input is closed, so nothing can be left behind.
        unshare.arg("mount -t tmpfs -o \"size=$1,mode=0700\" tmpfs \"$2\" && echo mounted && exec cat");
        unshare.arg("sh").arg(format!("{mebibytes}m")).arg(at);
        let spawned = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut holder) = spawned else { return Ok(Err("no unshare on this machine".into())) };
        let mut said = String::new();
        if let Some(out) = holder.stdout.take() {
            BufReader::new(out).read_line(&mut said)?;
        }
        if said.trim() != "mounted" {
            let _ = holder.kill();
            holder.wait()?;
            return Ok(Err("mounting a tmpfs in a namespace is not allowed here".into()));
        }
        let pid = holder.id().to_string();
        let mut words = vec!["nsenter", "-t", &pid, "-m"];
        if !root {
            words.extend(["-U", "--preserve-credentials"]);
        }
        world.wrap(&words);
        world.look_through(PathBuf::from(format!("/proc/{pid}/root")));
        Ok(Ok(Volume { holder, at: at.to_owned() }))
    }

    /// A path on it, as this process sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let at = self.at.strip_prefix("/").unwrap_or(&self.at);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(at).join(name)
    }

    /// Takes all room that is left.
    pub(crate) fn fill(&self) -> Outcome<()> {
        let mut file = File::options().create(true).append(true).open(self.path("filler"))?;
        for size in [1 << 20, 1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Gives it back.
    pub(crate) fn free(&self) -> Outcome<()> {
        Ok(fs::remove_file(self.path("filler"))?)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
