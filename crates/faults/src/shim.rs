//! The shim that breaks disk and clock inside the server's process: compiled here, told what to do by a shared file.
//!
//! Not here: what it does (`shim.c`), loss of power (`power`).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench::Outcome;

use crate::world::{World, empty_file};

const SOURCE: &str = include_str!("../shim.c");

/// What can be told: the place of each number in the control file. See `struct control`.
#[derive(Clone, Copy)]
pub(crate) enum Knob {
    SyncErrno = 0,
    SyncErrors = 4,
    WriteErrno = 8,
    WriteErrors = 12,
    DelayMs = 16,
    Stall = 20,
    Lie = 24,
    Refused = 32,
}

const CLOCK: u64 = 40;
const BYTES: u64 = 64;

/// The other end of the shim.
pub(crate) struct Shim {
    control: File,
    shadow: PathBuf,
}

impl Shim {
    /// Compiles the shim into the world's folder and puts it under the server's next start. `None`: no C compiler.
    pub(crate) fn install(world: &mut World) -> Outcome<Option<Shim>> {
        let (source, library) = (world.root.join("shim.c"), world.root.join("shim.so"));
        let (control, shadow) = (world.root.join("control"), world.root.join("shadow"));
        fs::write(&source, SOURCE)?;
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(["-ldl", "-lpthread"]);
        match cc.output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(done) if !done.status.success() => {
                return Err(format!("the shim: {}", String::from_utf8_lossy(&done.stderr)).into());
            }
            Ok(_) => {}
        }
        fs::create_dir_all(&shadow)?;
        let shim = Shim { control: empty_file(&control, BYTES)?, shadow: shadow.clone() };
        world.variable("LD_PRELOAD", &library);
        world.variable("FAULTS_CONTROL", &control);
        world.variable("FAULTS_SHADOW", &shadow);
        world.variable("FAULTS_DATA", &world.data());
        Ok(Some(shim))
    }

    pub(crate) fn set(&self, knob: Knob, value: u32) -> Outcome<()> {
        Ok(self.control.write_all_at(&value.to_ne_bytes(), knob as u64)?)
    }

    pub(crate) fn value(&self, knob: Knob) -> Outcome<u32> {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, knob as u64)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    /// Shifts the server's time of day.
    pub(crate) fn clock(&self, ms: i64) -> Outcome<()> {
        Ok(self.control.write_all_at(&ms.to_ne_bytes(), CLOCK)?)
    }

    /// The next `times` syncs fail with an input/output error.
    pub(crate) fn fail_syncs(&self, times: u32) -> Outcome<()> {
        self.set(Knob::SyncErrors, times)?;
        self.set(Knob::SyncErrno, rustix::io::Errno::IO.raw_os_error() as u32)
    }

    /// The same for writes.
    pub(crate) fn fail_writes(&self, times: u32) -> Outcome<()> {
        self.set(Knob::WriteErrors, times)?;
        self.set(Knob::WriteErrno, rustix::io::Errno::IO.raw_os_error() as u32)
    }

    /// Everything is well again.
    pub(crate) fn heal(&self) -> Outcome<()> {
        for knob in [Knob::SyncErrno, Knob::WriteErrno, Knob::DelayMs, Knob::Stall, Knob::Lie] {
            self.set(knob, 0)?;
        }
        self.clock(0)
    }

    pub(crate) fn shadow(&self) -> &Path {
        &self.shadow
    }
}
