//! The panel, the service and its rack, in the test machine.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use gpiosim::{Bank, Level, Sim};
use rackberry_core::panel::Contact;

use crate::{
    INSIDE,
    lights::Led,
    support::{Watched, service::unchecked},
};

pub const BINARY: &str = "/test/rackberry";
pub const LABEL: &str = "rackberry-sim";
/// Lines of the chip: the status LED is on 0, three nodes on 1 to 3, the button on 7.
pub const LINES: u32 = 8;
pub const BUTTON: u32 = 7;
pub const LEDS: [u32; 4] = [0, 1, 2, 3];
pub const BOARD: &str = "[board]\nchips = ['rackberry-sim']\n[leds]\nkind = 'lines'\nstatus = 0\nnodes = [1, 2, 3]\n\
                     [button]\nline = 'BUTTON'\n";
/// An emulated machine on a host that others use too.
pub const SOON: Duration = Duration::from_secs(30);

/// The chip, whose button is up.
pub fn chip() -> Sim {
    assert!(std::env::var_os(INSIDE).is_some(), "this test runs in the test machine only");
    let sim = gpiosim::builder()
        .with_bank(Bank::new(LINES, LABEL).name(BUTTON, "BUTTON"))
        .live()
        .expect("gpio-sim");
    set_button(&sim, Contact::Released);
    sim
}

/// Pressed means low: the button connects its line to ground.
pub fn set_button(sim: &Sim, contact: Contact) {
    let level = if contact == Contact::Pressed { Level::Low } else { Level::High };
    sim.chips()[0].set_pull(BUTTON, level).expect("a pull");
}

pub fn press(sim: &Sim, length: Duration) {
    set_button(sim, Contact::Pressed);
    sleep(length);
    set_button(sim, Contact::Released);
}

pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The shell, busybox, has an `ip` of its own, which knows too little.
pub fn shell(line: &str) {
    let status = Command::new("sh").args(["-ec", line]).status().expect("a shell");
    assert!(status.success(), "{line}");
}

/// Files and network of the service; what an earlier test left is taken away.
pub fn prepare() {
    shell("/bin/ip netns del nodes 2>/dev/null || true; /bin/ip link del eth0 2>/dev/null || true");
    // A switch, and the stand-ins' cards, each of which answers for its own address only.
    shell(
        "/bin/ip netns add nodes; /bin/ip link add eth0 type bridge forward_delay 0
         /bin/ip address add 10.10.10.1/24 dev eth0; /bin/ip link set eth0 up; /bin/ip -n nodes link set lo up
         /bin/ip netns exec nodes sh -ec 'cd /proc/sys/net/ipv4/conf
         echo 0 >all/rp_filter; echo 0 >default/rp_filter; echo 1 >all/arp_ignore'",
    );
    for (card, mac) in rack_lab::simulated::cards(2) {
        shell(&format!(
            "/bin/ip link add {card}-sw type veth peer name {card} address {mac} netns nodes
             /bin/ip link set {card}-sw master eth0 up; /bin/ip -n nodes link set {card} up"
        ));
    }
    let write = |path: &str, content: &str| {
        let path = Path::new("/tmp").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("written");
    };
    let _ = fs::remove_dir_all("/tmp/state");
    for loader in rackberry_core::boot::files() {
        write(&format!("loaders/{loader}"), "a loader");
    }
    // Nobody has signed this one, and its installer does not mind.
    write(
        "assets/profiles/coreos/profile.toml",
        &unchecked(include_str!("../../profiles/coreos/profile.toml")),
    );
    for file in ["pxe.vmlinuz", "pxe_image.cpio.gz"] {
        write(&format!("assets/coreos/1010.5.0/coreos_production_{file}"), &file.repeat(1000));
    }
    // Large enough for some ten seconds at the pace of a simulated disk.
    write("assets/coreos/1010.5.0/coreos_production_image.bin.bz2", &"image".repeat(6 << 20));
    write("assets/coreos/current", "1010.5.0\n");
    write("assets/cloud-configs/default.yml", "#cloud-config\nhostname: node\n");
    write("board.toml", BOARD);
    write(
        "rackberry.toml",
        "[network]\ninterface = 'eth0'\nmode = 'full'\n[dhcp]\nprobe = false\n[panel]\nboard = '/tmp/board.toml'\n\
         [assets]\ndirs = ['/tmp/assets']\nloaders = '/tmp/loaders'\nverify = 'unsigned-ok'\n",
    );
}

pub fn rackberry(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["--socket", "/tmp/control.sock"]).args(arguments);
    // Each edge of the button's line is in the log, for when a test fails.
    command.env("RUST_LOG", "info,rackberry::hardware=trace");
    command
}

pub fn serve() -> Watched {
    Watched::start(rackberry(&["serve", "--config", "/tmp/rackberry.toml", "--state", "/tmp/state"]))
}

/// A service that serves, with its panel.
pub fn service() -> Watched {
    prepare();
    let service = serve();
    service.wait_for("the panel board works", 0, SOON);
    service.wait_for("ready and safe", 0, SOON);
    service
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

pub fn status() -> String {
    said(&rackberry(&["status"]).output().expect("the command"))
}

pub fn is_armed() -> bool {
    status().contains("ARMED")
}

/// Watches the LEDs, a few hundred times a second.
pub struct Watch {
    ended: Arc<AtomicBool>,
    began: Instant,
    thread: Option<JoinHandle<Vec<Led>>>,
}

impl Drop for Watch {
    /// The next test makes a chip of its own.
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watch {
    pub fn begin(sim: &Arc<Sim>) -> Watch {
        let (ended, began, sim) = (Arc::new(AtomicBool::new(false)), Instant::now(), Arc::clone(sim));
        let end = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            // A watcher that is late itself would see late LEDs.
            rustix::process::setpriority_process(None, -20).expect("root");
            let mut leds = vec![Led::default(); LEDS.len()];
            while !end.load(Ordering::Relaxed) {
                for (led, line) in leds.iter_mut().zip(LEDS) {
                    let lit = sim.chips()[0].get_level(line).expect("a value") == Level::High;
                    if led.last().is_none_or(|(_, before)| before != lit) {
                        led.changes.push((began.elapsed(), lit));
                    }
                }
                sleep(Duration::from_millis(3));
            }
            leds
        });
        Watch { ended, began, thread: Some(thread) }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn end(mut self) -> Vec<Led> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs").join().expect("it watched")
    }
}
