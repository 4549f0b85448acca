//! The service is killed again and again while machines lease, install and report, people give orders, an import runs and
//! the configuration is read anew. Nothing that somebody was told is lost by that.
//!
//! `CRASHES=500 cargo test --test crash -- --nocapture` is the long form. `SEED` repeats the moments, orders and machines of
//! a run; what the kernel does meanwhile is never the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

mod ledger;
#[path = "../support/mod.rs"]
mod support;

use std::{
    env, fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use ledger::Ledger;
use rackberry::storage::journal::{Journal, Opened};
use support::{
    Net, Watched, fault,
    service::{BINARY, config_text, launch, small_system},
};

const SOON: Duration = Duration::from_secs(30);
/// How long something is waited for that may not come.
const PATIENCE: Duration = Duration::from_secs(4);
/// The machines that install.
const NODES: [&str; 3] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
/// So many others want addresses.
const OTHERS: &str = "4000";
const IMPORTED: &str = "2000.0.0";
const FILES: [&str; 3] = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"];

/// When the service dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start was begun.
    Starting(Duration),
    /// So long after somebody hears this.
    Heard(&'static str, Duration),
    /// At this call on the files of its state, the one with this number.
    AtCall(&'static str, usize),
}

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn moment(&mut self) -> Moment {
        match self.below(8) {
            0 => Moment::Starting(Duration::from_millis(self.below(400))),
            number @ 1..5 => {
                let heard = ["ack", "done", "led", "image", "image", "report"];
                let heard = heard[usize::try_from((number * 7 + self.below(6)) % 6).unwrap()];
                Moment::Heard(heard, Duration::from_millis(self.below(60)))
            }
            5 => Moment::AtCall("pwrite64", 1 + usize::try_from(self.below(30)).unwrap()),
            6 => Moment::AtCall("fdatasync", 1 + usize::try_from(self.below(25)).unwrap()),
            _ => Moment::AtCall("rename", 1),
        }
    }
}

/// A rack under load.
struct Rig {
    net: Net,
    /// What asks, and how many of its lines were heard.
    load: Vec<(Watched, usize)>,
    ledger: Ledger,
    import: Option<Watched>,
    imports: usize,
}

impl Rig {
    fn new(seed: u64) -> Rig {
        let net = Net::new();
        net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
        small_system(&net);
        // Long enough to be killed in the middle of.
        let image: Vec<u8> = (0..2 << 20).map(|at: u32| at.wrapping_mul(at).to_be_bytes()[1]).collect();
        net.write("assets/coreos/1010.5.0/coreos_production_image.bin.bz2", &image);
        for file in FILES {
            net.write(&format!("usb/coreos/{IMPORTED}/coreos_production_{file}"), &image);
        }
        net.write("packets.py", include_str!("../../crates/rack-lab/src/bench/packets.py"));
        net.write("load.py", include_str!("load.py"));
        let mut rig = Rig { net, load: Vec::new(), ledger: Ledger::default(), import: None, imports: 0 };
        rig.configure(0);
        rig.net.client("storm", "02:00:00:00:00:aa");
        rig.ask("storm", &["storm", &seed.to_string(), OTHERS]);
        let image = rig.net.path("assets/coreos/1010.5.0/coreos_production_image.bin.bz2");
        for (number, mac) in (1..).zip(NODES) {
            let client = format!("c{number}");
            rig.net.client(&client, mac);
            rig.ask(&client, &["node", &(seed ^ number).to_string(), mac, image.to_str().unwrap()]);
        }
        let control = rig.net.path("run/control.sock");
        let seed = seed.to_string();
        rig.ask("storm", &[&["people", &seed, control.to_str().unwrap()], &NODES[..]].concat());
        rig
    }

    /// Starts `load.py` in a client's namespace.
    fn ask(&mut self, client: &str, arguments: &[&str]) {
        let mut command = self.net.command("ip");
        command.args(["netns", "exec", client, "python3"]).arg(self.net.path("load.py")).args(arguments);
        self.load.push((Watched::start(command), 0));
    }

    /// Writes one of the configurations.
    fn configure(&self, number: u64) {
        let network = "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n";
        let dhcp = "[dhcp]\npool = '10.10.20.1-10.10.60.254'\nprobe = false\n";
        let names = (0..number % 3).map(|node| {
            format!("[[node]]\nname = 'n{node}'\nmac = '{}'\n", NODES[usize::try_from(node).unwrap()])
        });
        let text = format!("{network}{dhcp}{}", names.collect::<String>());
        self.net.write("rackberry.toml", config_text(&self.net, &text));
    }

    /// Begins an import, or kills the one that runs, or has it begin anew.
    fn import(&mut self, draw: &mut Draw) {
        let target = self.net.path("assets/coreos").join(IMPORTED);
        if let Some(import) = &mut self.import {
            if import.child.try_wait().unwrap().is_some_and(|ended| ended.success()) {
                self.imports += 1;
                assert!(target.exists(), "{}", import.lines().join("\n"));
                fs::remove_dir_all(target).unwrap();
            } else if draw.below(2) == 0 {
                return;
            }
            import.kill();
        }
        let mut command = self.net.command(BINARY);
        command.args(["--socket", "/nonexistent", "assets", "import"]).arg(self.net.path("usb"));
        command.arg("--config").arg(self.net.path("rackberry.toml"));
        self.import = Some(Watched::start(command));
    }

    /// One life of the service, and a look at what it leaves.
    fn round(&mut self, moment: Moment, draw: &mut Draw) -> &'static str {
        let mut service = launch(&self.net, &self.net.path("rackberry.toml"));
        match moment {
            Moment::Starting(time) => sleep(time),
            _ => drop(service.wait_for("INFO ready", 0, SOON)),
        }
        self.configure(draw.below(3));
        if !matches!(moment, Moment::Starting(_)) {
            service.signal(rustix::process::Signal::HUP);
        }
        self.import(draw);
        let kind = match moment {
            Moment::Starting(_) => "while it starts",
            Moment::Heard(what, time) => {
                let is_heard = self.hears(what);
                sleep(time);
                if is_heard { what } else { "while it works" }
            }
            Moment::AtCall(call, number) => {
                let strace = fault::inject(&self.net, &service, call, &format!("signal=KILL:when={number}"));
                let deadline = Instant::now() + PATIENCE;
                while service.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
                    sleep(Duration::from_millis(5));
                }
                drop(strace);
                if service.child.try_wait().unwrap().is_some() { call } else { "while it works" }
            }
        };
        service.kill();
        let said = service.lines().join("\n");
        assert!(!said.contains("panicked"), "{said}");
        self.look(&format!("{moment:?}\n{said}"));
        kind
    }

    /// Waits until somebody hears this, for a while.
    fn hears(&self, what: &str) -> bool {
        let deadline = Instant::now() + if what == "report" { SOON } else { PATIENCE };
        let hears = |(load, heard): &(Watched, usize)| {
            load.lines_from(*heard).iter().any(|line| line.split(' ').next() == Some(what))
        };
        while Instant::now() < deadline {
            if self.load.iter().any(hears) {
                return true;
            }
            sleep(Duration::from_millis(2));
        }
        false
    }

    /// The journal opens, and has all that was heard.
    fn look(&mut self, story: &str) {
        // What was sent has arrived by then.
        sleep(Duration::from_millis(50));
        for (load, heard) in &mut self.load {
            let lines = load.lines_from(*heard);
            lines.iter().for_each(|line| self.ledger.take(line));
            *heard += lines.len();
        }
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.net.path("state")).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        let opened = Journal::open(copy.path(), None, 7);
        let Ok(Opened { stored, unwritable: None, .. }) = opened else { panic!("{opened:?}\n{story}") };
        println!("{story}");
        self.ledger.is_in(&stored);
        let target = self.net.path("assets/coreos").join(IMPORTED);
        for file in FILES.iter().filter(|_| target.exists()) {
            let file = format!("coreos_production_{file}");
            let read = |folder: &Path| fs::read(folder.join(&file)).unwrap();
            assert!(
                read(&target) == read(&self.net.path("usb/coreos").join(IMPORTED)),
                "{file} is imported in part"
            );
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_by_a_crash() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 16);
    let crashes = number("CRASHES").unwrap_or(12);
    eprintln!("SEED={seed} CRASHES={crashes}");
    let mut draw = Draw(seed);
    let mut rig = Rig::new(seed);
    let mut kinds = std::collections::BTreeMap::<_, usize>::new();
    // So that something was acknowledged of each kind.
    let first = rig.round(Moment::Heard("report", Duration::ZERO), &mut draw);
    kinds.insert(first, 1);
    for _ in 1..crashes {
        let moment = draw.moment();
        *kinds.entry(rig.round(moment, &mut draw)).or_default() += 1;
    }
    // It starts on what is left, and nothing is armed.
    rig.load.clear();
    let service = launch(&rig.net, &rig.net.path("rackberry.toml"));
    service.wait_for("ready and safe", 0, SOON);
    let control = rig.net.path("run/control.sock");
    let said = rig.net.run(&format!("{BINARY} --socket {} status --json", control.display()));
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    let counts = &rig.ledger.counts;
    assert_eq!(status["orders"], serde_json::json!([]), "{status}");
    assert!(status["leases"].as_u64().is_some_and(|leases| leases >= counts.leases as u64), "{status}");
    assert!(counts.reports > 0 && counts.orders > 0 && counts.images > 0, "{counts:?}");
    eprintln!(
        "killed {crashes} times: {kinds:?}; acknowledged: {counts:?}; imports: {}; lost: none",
        rig.imports
    );
}
