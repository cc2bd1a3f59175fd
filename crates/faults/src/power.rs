//! Loss of power, as a disk shows it: what was not synced may be there, in part or not at all.
//!
//! Not here: what was synced (the shim keeps it in the shadow).

use std::fs;
use std::path::Path;

use bench::Outcome;

use crate::chance::Chance;
use crate::shim::Shim;
use crate::world::World;

/// A disk writes at least this much wholly or not at all.
const SECTOR: usize = 512;

/// What a cut did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    /// Sectors that were written and not synced.
    pub(crate) unsynced: usize,
    /// Those of them that the cut took back.
    pub(crate) lost: usize,
}

/// To be called before each start: all that is in the data folder counts as synced.
pub(crate) fn settle(world: &World, shim: &Shim) -> Outcome<()> {
    let _ = fs::remove_dir_all(shim.shadow());
    fs::create_dir_all(shim.shadow())?;
    for name in names(&world.data())? {
        fs::copy(world.data().join(&name), shim.shadow().join(&name))?;
    }
    Ok(())
}

/// To be called when the server has been killed: takes back what was not synced, sector by sector as chance will have it:
/// all of it, none of it, or some.
pub(crate) fn cut(world: &World, shim: &Shim, chance: &mut Chance) -> Outcome<Cut> {
    let keep = [0, 50, 90, 100][chance.below(4) as usize];
    cut_keeping(world, shim, chance, keep)
}

/// The same; so many of a hundred sectors that were not synced are there all the same.
pub(crate) fn cut_keeping(world: &World, shim: &Shim, chance: &mut Chance, keep: u64) -> Outcome<Cut> {
    let data = world.data();
    let mut cut = Cut::default();
    for entry in fs::read_dir(&data)? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with("-shm") {
            fs::remove_file(data.join(name))?;
        }
    }
    for name in names(&data)? {
        let (path, shadow) = (data.join(&name), shim.shadow().join(&name));
        let now = fs::read(&path)?;
        // A file that was never synced has no content that one could rely on.
        let synced = fs::read(&shadow).unwrap_or_default();
        let mixed = mix(&now, &synced, keep, chance, &mut cut);
        if mixed != now {
            fs::write(&path, mixed)?;
        }
    }
    Ok(cut)
}

fn mix(now: &[u8], synced: &[u8], keep: u64, chance: &mut Chance, cut: &mut Cut) -> Vec<u8> {
    let longer = if chance.below(100) < keep { now.len() } else { synced.len() };
    let mut mixed = synced.to_vec();
    mixed.resize(longer, 0);
    for at in (0..longer.min(now.len())).step_by(SECTOR) {
        let end = (at + SECTOR).min(longer).min(now.len());
        if mixed[at..end] == now[at..end] {
            continue;
        }
        cut.unsynced += 1;
        if chance.below(100) < keep {
            mixed[at..end].copy_from_slice(&now[at..end]);
        } else {
            cut.lost += 1;
        }
    }
    if longer < now.len() {
        let sectors = (now.len() - longer).div_ceil(SECTOR);
        (cut.unsynced, cut.lost) = (cut.unsynced + sectors, cut.lost + sectors);
    }
    mixed
}

/// The files whose content is to survive.
fn names(data: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let passing = [".lock", ".sock", "-shm"].iter().any(|end| name.ends_with(end));
        if entry.file_type()?.is_file() && !passing {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_takes_back_unsynced_sectors_only() {
        let (mut now, synced) = (vec![1; 2048], vec![0; 2048]);
        now[..512].fill(0);
        for (keep, lost) in [(0, 3), (100, 0)] {
            let mut cut = Cut::default();
            let mixed = mix(&now, &synced, keep, &mut Chance::new(1), &mut cut);
            assert_eq!((cut.unsynced, cut.lost), (3, lost));
            assert_eq!(mixed, if keep == 0 { synced.clone() } else { now.clone() });
        }
        let mut cut = Cut::default();
        assert_eq!(mix(&[7; 1024], &[], 0, &mut Chance::new(1), &mut cut), Vec::<u8>::new());
        assert_eq!(cut.lost, 2);
    }
}
