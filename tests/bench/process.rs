//! What processes take.

use std::fs;

/// Ticks a second in /proc, on every processor that Linux knows.
const USER_HZ: f64 = 100.0;

/// Processor time of a process and all that descend from it, in seconds.
pub fn seconds(ancestor: u32) -> f64 {
    let stats: Vec<Stat> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Stat::read(id)
        })
        .collect();
    let mut family = vec![ancestor];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(stats.iter().filter(|stat| stat.parent == parent).map(|stat| stat.id));
        at += 1;
    }
    let ticks: u64 = stats.iter().filter(|stat| family.contains(&stat.id)).map(|stat| stat.ticks).sum();
    ticks as f64 / USER_HZ
}

/// Processor time of a process' threads as they are, in seconds, by the scheduler's account: for work of milliseconds.
pub fn seconds_of_threads(id: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    spent.sum::<u64>() as f64 / 1e9
}

struct Stat {
    id: u32,
    parent: u32,
    ticks: u64,
}

impl Stat {
    /// proc_pid_stat(5); nothing for a process that has gone.
    fn read(id: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name may have anything in it, and ends with the last bracket.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat { id, parent: number(1)? as u32, ticks: number(11)? + number(12)? })
    }
}
