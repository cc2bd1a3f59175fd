//! What a seed decides beforehand: who is there, and what goes wrong when.
//!
//! Not here: what people do, which is drawn while it runs.

use crate::rng::Rng;

/// The only domain.
pub(crate) const DOMAIN: &str = "a.example";
/// How long people act, in milliseconds of virtual time; then everything is healed.
const ACTING_MS: (u64, u64) = (5 * 60_000, 60 * 60_000);

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) accounts: Vec<AccountPlan>,
    /// When people stop.
    pub(crate) acting_ms: u64,
    /// Mean time between two things that one client does.
    pub(crate) think_ms: u64,
    /// Longest way of a byte.
    pub(crate) net_ms_max: u64,
    /// Longest commit or read.
    pub(crate) disk_ms_max: u64,
    /// Commits that fail while the disk is sick, per mille.
    pub(crate) disk_fails: u64,
    /// Commits that fail at any time, per mille.
    pub(crate) disk_flaky: u64,
    /// How often a client's connection is lost, per mille of what it does.
    pub(crate) cuts: u64,
    /// When what breaks.
    pub(crate) faults: Vec<(u64, Fault)>,
    /// Messages in a page.
    pub(crate) page: u64,
    /// Clients that leave a connection come back at once, and the server's end of the old one is slow to hear of it.
    pub(crate) hasty: bool,
}

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct AccountPlan {
    pub(crate) bare: String,
    /// It wants no archive (XEP-0441 `never`).
    pub(crate) never: bool,
    pub(crate) devices: Vec<DevicePlan>,
}

/// A device.
#[derive(Clone, Debug)]
pub(crate) struct DevicePlan {
    pub(crate) name: String,
    /// Binds within the login (XEP-0386), not after it.
    pub(crate) inline: bool,
    /// Uses stream management.
    pub(crate) sm: bool,
    /// Resumes.
    pub(crate) resume: bool,
    pub(crate) carbons: bool,
    pub(crate) priority: i8,
    /// Answers `<r/>`, per mille.
    pub(crate) acks: u64,
    /// Reads its archive after each login.
    pub(crate) catches_up: bool,
    /// Whether it is there at the end.
    pub(crate) there_at_last: bool,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies and comes back after so many milliseconds.
    Crash(u64),
    /// The wall clock jumps.
    Jump(i64),
    /// Commits and reads fail for so many milliseconds.
    SickDisk(u64),
    /// The disk does nothing for so many milliseconds.
    SlowDisk(u64),
    /// An account gets a new password.
    Password(usize),
    /// All connections are lost at once.
    NetDown,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Plan {
        let mut rng = Rng::new(seed);
        let rng = &mut rng;
        // Loss is checked for unarchived messages only where no crash may take what only memory had.
        let crashes = rng.chance(500);
        let acting_ms = rng.long_tail(ACTING_MS.0, ACTING_MS.1);
        let accounts = (0..rng.between(2, 3)).map(|number| account(number, crashes, rng)).collect();
        let mut plan = Plan {
            seed,
            accounts,
            acting_ms,
            think_ms: rng.long_tail(500, 60_000).max(acting_ms / 60),
            net_ms_max: rng.long_tail(1, 3_000),
            disk_ms_max: rng.long_tail(1, 2_000),
            disk_fails: rng.between(100, 1_000),
            disk_flaky: 0,
            cuts: rng.long_tail(0, 250),
            faults: Vec::new(),
            page: rng.between(1, 12),
            hasty: false,
        };
        for _ in 0..rng.below(8) {
            let fault = fault(&plan, crashes, rng);
            plan.faults.push((rng.below(acting_ms), fault));
        }
        // Not for long, but again and again: sessions end and come back, and others' messages are on their way meanwhile.
        plan.disk_flaky = if rng.chance(200) { rng.long_tail(2, 200) } else { 0 };
        plan.hasty = rng.chance(150);
        // Nothing but the store of offline messages has what is sent to the absent, and their connections are bad.
        if !crashes && rng.chance(150) {
            for account in &mut plan.accounts {
                account.never = true;
                account.devices.truncate(1);
                account.devices.iter_mut().for_each(|device| device.acks = device.acks.min(400));
            }
            plan.cuts = plan.cuts.max(200);
        }
        plan
    }

    /// Whether storage fails at times.
    pub(crate) fn storage_fails(&self) -> bool {
        self.disk_flaky > 0 || self.faults.iter().any(|(_, fault)| matches!(fault, Fault::SickDisk(_)))
    }

    /// Whether the process dies in this run.
    pub(crate) fn crashes(&self) -> bool {
        self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Crash(_)))
    }
}

fn account(number: u64, crashes: bool, rng: &mut Rng) -> AccountPlan {
    let never = !crashes && rng.chance(200);
    let count = rng.between(1, 2);
    let devices = (0..count).map(|device| device_plan(device, rng)).collect();
    AccountPlan { bare: format!("u{number}@{DOMAIN}"), never, devices }
}

fn device_plan(number: u64, rng: &mut Rng) -> DevicePlan {
    let sm = rng.chance(850);
    DevicePlan {
        name: format!("d{number}"),
        inline: rng.chance(600),
        sm,
        resume: sm && rng.chance(850),
        carbons: rng.chance(700),
        priority: if rng.chance(150) { -1 } else { 0 },
        acks: if rng.chance(300) { rng.between(0, 900) } else { 1_000 },
        catches_up: rng.chance(700),
        // The first of each account is, so that somebody can read the archive.
        there_at_last: number == 0 || rng.chance(700),
    }
}

fn fault(plan: &Plan, crashes: bool, rng: &mut Rng) -> Fault {
    match rng.below(12) {
        0..=3 if crashes => Fault::Crash(rng.long_tail(100, 120_000)),
        0..=3 => Fault::NetDown,
        4 | 5 => Fault::Jump(rng.between(0, 7_200_000) as i64 - 3_600_000),
        6 => Fault::Jump(if rng.chance(500) { 1 } else { -1 } * 315_360_000_000),
        7 => Fault::SickDisk(rng.long_tail(1_000, 60_000)),
        8 => Fault::SlowDisk(rng.long_tail(1_000, 60_000)),
        9 | 10 => Fault::Password(rng.below(plan.accounts.len() as u64) as usize),
        _ => Fault::NetDown,
    }
}
