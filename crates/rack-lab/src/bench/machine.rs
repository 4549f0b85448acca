//! Real firmware: QEMU machines on cables to the bridge.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    time::Duration,
};

use super::{Net, Watched, wait_until};
use crate::machine::{Firmware, Machine};

/// An install takes 40 s here when the machine has a core for itself; a crowded one gets time.
pub const INSTALL: Duration = Duration::from_secs(900);
/// What the demo system says when it runs from its disk.
const UP: &str = "is up from its own disk";
/// What a disk holds that must not be touched.
const MARK: &[u8] = b"somebody's only copy of something";
/// Somewhere in the middle of an image that would be written, and at its start.
const PLACES: [u64; 2] = [0, 40 << 20];

/// A machine that is plugged in; drop it to pull its plug. A test that fails shows its console.
pub struct Node {
    /// What is plugged in: its files, its console, its QEMU.
    pub machine: Machine,
    /// More of QEMU's arguments: further hardware.
    pub hardware: Vec<String>,
    qemu: Option<Watched>,
    _cable: Watched,
}

impl Node {
    /// Plugs a machine with a blank disk in, without switching it on. `program` has the cable.
    pub fn plug(net: &Net, program: &str, name: &str, mac: &str, firmware: Firmware) -> Node {
        let mac = mac.parse().expect("an address");
        let machine = Machine::new(net.dir.path(), name, mac, firmware).expect("the firmware's packages");
        net.run(&format!(
            "ip link add {name}-sw type veth peer name {name}-nic
             for end in {name}-sw {name}-nic; do ethtool -K $end tx off tso off gso off gro off >/dev/null; done
             ip link set {name}-sw master br0 up
             ip link set {name}-nic up"
        ));
        let (ours, theirs) = machine.cable();
        let mut cable = net.command(program);
        cable.arg("cable").arg(format!("{name}-nic")).arg(ours).arg(theirs);
        Node { machine, hardware: Vec::new(), qemu: None, _cable: Watched::start(cable) }
    }

    /// Switches the machine on: QEMU starts with its disk as it is.
    pub fn switch_on(&mut self) {
        let qemu = self.machine.qemu();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(qemu.get_program())
            .args(qemu.get_args())
            .args(&self.hardware);
        self.qemu = Some(Watched::start(command));
    }

    /// Writes marks where an install would overwrite them.
    pub fn mark_disk(&self) {
        let mut disk = std::fs::OpenOptions::new().write(true).open(self.machine.disk()).expect("a disk");
        for place in PLACES {
            std::io::Seek::seek(&mut disk, std::io::SeekFrom::Start(place)).expect("a place on it");
            disk.write_all(MARK).expect("written");
        }
    }

    /// Whether the marks are still there and nothing else is.
    pub fn is_disk_untouched(&self) -> bool {
        let mut disk = Vec::new();
        std::fs::File::open(self.machine.disk()).expect("a disk").read_to_end(&mut disk).expect("read");
        for place in PLACES {
            let place = usize::try_from(place).expect("small");
            if &disk[place..place + MARK.len()] != MARK {
                return false;
            }
            disk[place..place + MARK.len()].fill(0);
        }
        disk.iter().all(|byte| *byte == 0)
    }

    /// Types lines on its serial console, at a person's pace: its receive buffer is small.
    pub fn type_lines(&self, lines: &[&str]) {
        let mut keyboard = UnixStream::connect(self.machine.keyboard()).expect("it runs");
        for key in lines.iter().flat_map(|line| line.bytes().chain([b'\n'])) {
            keyboard.write_all(&[key]).expect("typed");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(500));
    }

    /// Waits until it has said for the `times`th time that it runs from its disk.
    pub fn wait_up(&self, times: usize) {
        self.wait_console(UP, times, INSTALL);
    }

    /// Waits until the console has shown these words so often.
    pub fn wait_console(&self, words: &str, times: usize, patience: Duration) {
        let what = format!("{} says {words:?} {times} times", self.machine.name);
        wait_until(&what, patience, || self.machine.console_count(words) >= times);
    }
}

/// The mark of a disk that was installed: sector 2047, without the zeros that fill it up.
pub fn mark_of(disk: &Path) -> String {
    let mut sector = [0; 512];
    let mut file = std::fs::File::open(disk).expect("a disk");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(2047 * 512)).expect("a place on it");
    file.read_exact(&mut sector).expect("read");
    String::from_utf8_lossy(&sector).trim_end_matches('\0').to_owned()
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let console = std::fs::read(self.machine.console()).unwrap_or_default();
            eprintln!("--- console of {}:\n{}\n---", self.machine.name, String::from_utf8_lossy(&console));
        }
    }
}
