//! A year in the life of a rack, in minutes: installs, renewals, restarts with clocks that jump, a USB disk that comes and
//! goes. Memory and files stay as they are, nobody is stuck, and what is written to the card is counted.
//!
//! `make soak` is the long form; `INSTALLS`, `DAYS` and `NODES` make another one of it.
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment how long it takes")]
#![allow(clippy::fn_params_excessive_bools, reason = "whether the disk is in")]

mod rack;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    env, fs,
    net::Ipv4Addr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use rack::{ACK, REQUEST, Rack, mac};
use rackberry_core::{
    appliance::Answer,
    ids::{Mac, Stage, Time},
};

static LIVE: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: u64 = 365 * 24 * 3600 * 1000;
/// 2026-12-01.
const TODAY: Time = Time(1_796_083_200_000);
/// Leases are renewed after half of their hour.
const RENEWALS: u32 = 48;
/// A small SD card of the kind that people have, and how often each of its cells can be written.
const CARD: f64 = 16e9;
const CYCLES: f64 = 500.0;
/// A card erases more than it is given to write; so much more when it is given single blocks, at worst.
const AMPLIFICATION: f64 = 64.0;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Bytes given to write calls so far, and how many calls: the journal writes a block of 4 KiB with each at most.
fn written() -> (u64, u64) {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let of = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)).unwrap().trim().parse::<u64>().unwrap()
    };
    (of("wchar:"), of("syscw:"))
}

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// What was written for which purpose: bytes, and blocks of 4 KiB.
#[derive(Debug, Default)]
struct Wear {
    times: u64,
    bytes: u64,
    blocks: u64,
}

impl Wear {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = written();
        let done = work();
        let after = written();
        self.times += 1;
        self.bytes += after.0 - before.0;
        self.blocks += after.1 - before.1;
        done
    }

    fn blocks_each(&self) -> f64 {
        self.blocks as f64 / self.times.max(1) as f64
    }

    fn tell(&self, what: &str) {
        let times = self.times.max(1);
        println!("{what}: {} bytes, {:.1} blocks of 4 KiB", self.bytes / times, self.blocks_each());
    }
}

/// A rack, and what its machines know.
struct Year {
    rack: Rack,
    nodes: u16,
    leases: BTreeMap<u16, Ipv4Addr>,
    draw: Draw,
    has_disk: bool,
    counts: Counts,
    installs: Wear,
    days: Wear,
    /// Bytes in use, at the moment of the day with the fewest.
    least_live: u64,
}

#[derive(Debug, Default)]
struct Counts {
    renewals: u64,
    /// A renewal was not acknowledged, and the machine asked anew.
    asked_anew: u64,
    installs: u64,
    cut: u64,
    plugged: u64,
    restarts: u64,
    strangers: u64,
}

impl Year {
    fn new(folder: &Path, nodes: u16) -> Year {
        let rack = Rack::new(folder, nodes, TODAY);
        let (leases, draw, counts) = (BTreeMap::new(), Draw(1), Counts::default());
        let (installs, days) = (Wear::default(), Wear::default());
        Year { rack, nodes, leases, draw, has_disk: true, counts, installs, days, least_live: u64::MAX }
    }

    /// Half an hour: everybody's leases, and some strangers.
    fn half_an_hour(&mut self) {
        self.rack.pass(HOUR / 2);
        for number in 0..self.nodes {
            let own = self.leases.get(&number).copied();
            let renewed = own.and_then(|own| self.rack.say(mac(number), REQUEST, &[], Some(own)));
            self.counts.renewals += 1;
            if !renewed.is_some_and(|reply| reply.kind == ACK && Some(reply.address) == own) {
                self.counts.asked_anew += 1;
                let ack = self.rack.lease(mac(number), &[]).expect("an address");
                assert_eq!(ack.kind, ACK);
                assert!(own.is_none_or(|own| own == ack.address), "{number} had {own:?}");
                self.leases.insert(number, ack.address);
            }
        }
        // What is looked at is kept, and counts; the journal's thread is not always there.
        drop(self.rack.appliance.look(self.rack.now));
        self.least_live = self.least_live.min(LIVE.load(Relaxed));
        if self.draw.below(2) == 0 {
            let stranger = u32::try_from(self.counts.strangers).unwrap().to_be_bytes();
            let [a, b, c, d] = stranger;
            self.counts.strangers += 1;
            let leased = self.rack.lease(Mac([2, 1, a, b, c, d]), &[]);
            assert!(leased.is_some_and(|ack| ack.kind == ACK), "stranger {stranger:?} has no address");
        }
    }

    fn plug(&mut self, is_in: bool) {
        self.counts.plugged += u64::from(is_in && !self.has_disk);
        self.has_disk = is_in;
        self.rack.plug(is_in);
    }

    /// Somebody installs a node, which now and then goes wrong.
    fn install(&mut self) {
        let number = u16::try_from(self.draw.below(self.nodes.into())).unwrap();
        let fault = self.draw.below(10);
        let answer = self.rack.arm(number);
        assert_eq!(matches!(answer, Answer::Done(_)), self.has_disk, "{answer:?}");
        if !self.has_disk {
            return;
        }
        match fault {
            // Its cable is pulled in the middle, and the machine starts anew at once or is silent.
            0 | 1 => {
                assert!(self.rack.install(number, 500));
                self.counts.cut += 1;
                if fault == 0 {
                    drop(self.rack.boot(number));
                }
            }
            // The disk is pulled before its image is asked for.
            2 => {
                drop(self.rack.boot(number));
                self.plug(false);
                assert!(!self.rack.install(number, 1000));
                self.plug(true);
            }
            _ => {
                let Year { rack, installs, .. } = self;
                let is_done = installs.of(|| rack.install(number, 1000));
                assert!(is_done, "{number} is not led into its installer");
                self.counts.installs += 1;
            }
        }
    }

    /// A day, with so many installs.
    fn day(&mut self, installs: u64) {
        let mut due: Vec<u32> =
            (0..installs).map(|_| u32::try_from(self.draw.below(RENEWALS.into())).unwrap()).collect();
        for half in 0..RENEWALS {
            self.half_an_hour();
            while let Some(at) = due.iter().position(|due| *due == half) {
                due.swap_remove(at);
                self.install();
            }
            if self.draw.below(16) == 0 {
                self.plug(false);
                self.half_an_hour();
                self.plug(true);
            }
        }
    }

    /// The service starts while the wall clock shows this.
    fn restart(&mut self, wall: Time) {
        self.counts.restarts += 1;
        let (before, writes) = (self.rack.now, self.rack.writes());
        self.rack.restart(wall);
        assert!(self.rack.now + HOUR >= before, "time went back");
        assert_eq!(self.rack.writes(), writes, "what is known of disks");
    }

    /// Whoever is armed can be installed, whatever it went through.
    fn nobody_is_stuck(&mut self) {
        self.plug(true);
        for number in 0..self.nodes {
            let answer = self.rack.arm(number);
            assert!(matches!(answer, Answer::Done(_)), "{number}: {answer:?}");
            assert!(self.rack.install(number, 1000), "{number} is stuck");
            assert_eq!(self.rack.stage(number), Some(Stage::Installed), "{number}");
        }
    }
}

/// Where syncs cost nothing: how long they take on a card is another question.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn a_year_leaves_memory_and_files_as_they_are_and_nobody_stuck() {
    let nodes = u16::try_from(number("NODES", 20)).unwrap();
    let (days, installs) = (number("DAYS", 24), number("INSTALLS", 240));
    let folder = folder();
    let mut year = Year::new(folder.path(), nodes);
    let (mut live, mut longest) = (Vec::new(), 0);
    for day in 0..days {
        let Year { days: wear, .. } = &mut year;
        let mut today = std::mem::take(wear);
        let before = year.installs.blocks;
        today.of(|| year.day(installs / days));
        today.blocks -= year.installs.blocks - before;
        year.days = today;
        match day * 12 / days {
            month if month == (day + 1) * 12 / days => {}
            2 => year.restart(Time(0)),
            4 => year.restart(year.rack.now + DAY * 3650),
            // Back to what it is.
            6 => year.restart(Time(TODAY.0 + day * DAY.as_millis() as u64)),
            8 => year.restart(Time(0)),
            9 => year.restart(year.rack.now + DAY * 3650),
            _ => {}
        }
        longest = longest.max(fs::metadata(folder.path().join("state.log")).unwrap().len());
        live.push(std::mem::replace(&mut year.least_live, u64::MAX));
    }
    year.nobody_is_stuck();
    // By then the pool is full of strangers' old leases.
    let settled = live.len() / 2;
    let (early, late) = (live[..settled].iter().max().unwrap(), live[settled..].iter().max().unwrap());
    println!("{:?}", year.counts);
    println!("live memory: {early} bytes at most in the first half, {late} in the second");
    println!("the state file: {longest} bytes at most, with {nodes} nodes");
    year.installs.tell("an install");
    year.days.tell(&format!("a day of renewals of {nodes} nodes"));
    let a_year = 365.0 * year.days.blocks_each() + 10_000.0 * year.installs.blocks_each();
    let years = CARD * CYCLES / (a_year * 4096.0 * AMPLIFICATION);
    println!(
        "a year of that with 10,000 installs: {:.2} GB of blocks; a card of 16 GB with {CYCLES} cycles, which writes \
         {AMPLIFICATION} times what it is given: {years:.0} years",
        a_year * 4096.0 / 1e9
    );
    assert!(late * 100 <= early * 104, "memory grows: {live:?}");
    assert!(longest < 1 << 21, "{longest} bytes");
    assert!(year.installs.blocks_each() < 40.0 && years > 10.0);
    assert!(year.rack.now.0 > TODAY.0 + 19 * YEAR || days < 12, "the clock's jumps were made");
}
