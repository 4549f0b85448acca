//! The SD image on an emulated board: started from its own kernel, as the firmware would, on a cable to the bridge.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use super::{
    HERE, Net, Watched, monitor, root,
    stick::{self, stick},
    text_of, wait_until,
};

/// An emulated board of a crowded machine takes its time.
pub const START: Duration = Duration::from_secs(300);
/// Where the FAT partition begins, as mtools wants it.
const FAT: &str = "@@4M";
/// Size of the card: QEMU's SD host takes powers of two only.
const CARD: u64 = 1 << 30;
/// The board's address on the bridge's network; `HERE` is the appliance's.
const BRIDGE: &str = "10.10.10.254";

/// What QEMU stands in for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Raspberry Pi 3B: its SD host, its USB with a network adapter. Slow.
    Pi3,
    /// A board of virtio devices: several times as fast.
    Virtual,
}

/// A board with its card; drop it to pull its plug.
pub struct Board<'a> {
    net: &'a Net,
    kind: Kind,
    dir: PathBuf,
    qemu: Option<Watched>,
    _cable: Watched,
}

impl<'a> Board<'a> {
    /// Plugs a board with a freshly flashed card into the bridge, switched off. The test's key may log in. `program` has the
    /// cable.
    pub fn plug(net: &'a Net, program: &str, kind: Kind) -> Board<'a> {
        let dir = net.path("board");
        std::fs::create_dir_all(&dir).expect("a folder");
        net.run(&format!(
            "ip address del {HERE}/24 dev br0; ip address add {BRIDGE}/24 dev br0
             ip link add board-sw type veth peer name board-nic
             for end in board-sw board-nic; do ethtool -K $end tx off tso off gso off gro off >/dev/null; done
             ip link set board-sw master br0 up
             ip link set board-nic up"
        ));
        let mut cable = net.command(program);
        cable.args(["cable", "board-nic"]).arg(dir.join("cable")).arg(dir.join("machine"));
        let board = Board { net, kind, dir, qemu: None, _cable: Watched::start(cable) };
        board.flash();
        board
    }

    fn flash(&self) {
        let image = image();
        let copied = Command::new("cp").arg("--sparse=always").arg(image).arg(self.card()).status();
        assert!(copied.expect("cp").success());
        File::options().write(true).open(self.card()).and_then(|card| card.set_len(CARD)).expect("a card");
        let files = match self.kind {
            Kind::Pi3 => vec!["kernel8.img", "initramfs8", "bcm2837-rpi-3-b.dtb"],
            Kind::Virtual => vec!["kernel8.img", "initramfs8"],
        };
        for file in files {
            std::fs::write(self.dir.join(file), self.read(&format!("a/{file}")).expect("a boot file"))
                .expect("written");
        }
        let key = self.dir.join("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.expect("ssh-keygen").success());
        self.write("authorized_keys", &std::fs::read(key.with_extension("pub")).expect("a key"));
    }

    fn card(&self) -> PathBuf {
        self.dir.join("card.img")
    }

    fn fat(&self) -> String {
        format!("{}{FAT}", self.card().display())
    }

    /// Puts a file onto the FAT partition, as a PC would.
    pub fn write(&self, name: &str, content: &[u8]) {
        let file = self.dir.join("to-card");
        std::fs::write(&file, content).expect("written");
        let done = Command::new("mcopy")
            .args(["-n", "-o", "-i", &self.fat()])
            .arg(file)
            .arg(format!("::/{name}"))
            .status();
        assert!(done.expect("mtools").success(), "{name}");
    }

    /// Deletes a file of the FAT partition.
    pub fn delete(&self, name: &str) {
        let done = Command::new("mdel").args(["-i", &self.fat(), &format!("::/{name}")]).status();
        assert!(done.expect("mtools").success(), "{name}");
    }

    /// A file of the FAT partition.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let done =
            Command::new("mtype").args(["-i", &self.fat(), &format!("::/{name}")]).output().expect("mtools");
        done.status.success().then_some(done.stdout)
    }

    /// The report, without its filling.
    pub fn report(&self) -> String {
        let bytes = self.read("report.txt").expect("a report");
        assert_eq!(bytes.len(), 32 * 1024, "reports are all of one length");
        String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim_end().to_owned()
    }

    /// Which clusters of the FAT partition belong to which file.
    pub fn allocation_table(&self) -> Vec<u8> {
        use std::os::unix::fs::FileExt as _;
        let (card, start) = (File::open(self.card()).expect("a card"), 4 << 20);
        let mut sector = [0; 512];
        card.read_exact_at(&mut sector, start).expect("a boot sector");
        let reserved = u64::from(u16::from_le_bytes([sector[14], sector[15]]));
        let length = u32::from_le_bytes([sector[36], sector[37], sector[38], sector[39]]) as usize;
        let mut table = vec![0; length * 512];
        card.read_exact_at(&mut table, start + reserved * 512).expect("a table");
        table
    }

    /// The first line of the file that names the journal.
    pub fn journal(&self) -> String {
        let bytes = self.read("journal.txt").expect("a name");
        assert_eq!(bytes.len(), 512, "it has one length for ever");
        String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()
    }

    /// Names another journal on the card.
    pub fn name_journal(&self, name: &str) {
        let mut bytes = format!("journal: {name}\r\n").into_bytes();
        bytes.resize(512, b'\n');
        self.write("journal.txt", &bytes);
    }

    /// The FAT file system has no fault.
    pub fn check_fat(&self) {
        let part = self.dir.join("fat");
        let (card, part) = (self.card().display().to_string(), part.display().to_string());
        stick::run(
            "dd",
            &[&format!("if={card}"), &format!("of={part}"), "bs=1M", "skip=4", "count=148", "status=none"],
        );
        stick::run("fsck.vfat", &["-n", &part]);
    }

    /// Switches it on, with a USB disk if one is given.
    pub fn switch_on(&mut self, usb: Option<&Path>) {
        let (cable, machine) = (self.dir.join("cable"), self.dir.join("machine"));
        // The last run's; QEMU does not replace them.
        let _ = std::fs::remove_file(&machine);
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "--", "qemu-system-aarch64", "-nodefaults", "-display", "none"]);
        qemu.args(["-accel", "tcg", "-m", "1024"]);
        let mut arguments =
            "root=PARTUUID=52414342-02 ro net.ifnames=0 panic=10 loglevel=4 systemd.journald.forward_to_console=1".to_owned();
        let (nic, disk);
        match self.kind {
            Kind::Virtual => {
                qemu.args(["-M", "virt", "-cpu", "cortex-a53", "-smp", "2"]);
                (nic, disk) = ("virtio-net-pci,romfile=", "if=none,id=card");
                qemu.args(["-device", "virtio-blk-pci,drive=card", "-device", "qemu-xhci"]);
                qemu.args(["-serial", "stdio"]);
                arguments += " console=ttyAMA0";
            }
            Kind::Pi3 => {
                qemu.args(["-M", "raspi3b", "-usb", "-dtb"]).arg(self.dir.join("bcm2837-rpi-3-b.dtb"));
                (nic, disk) = ("usb-net", "if=sd");
                qemu.args(["-serial", "null", "-serial", "stdio"]);
                // QEMU's watchdog of this board bites when it is started.
                arguments += " console=ttyS1,115200 systemd.watchdog_sec=0";
            }
        }
        let netdev = format!(
            "dgram,id=net,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            machine.display(),
            cable.display()
        );
        qemu.args(["-netdev", &netdev, "-device", &format!("{nic},netdev=net")]);
        // What the board was told is on the card must be there when its power is cut.
        qemu.args([
            "-drive",
            &format!("{disk},format=raw,cache=writethrough,file={}", self.card().display()),
        ]);
        if let Some(usb) = usb {
            qemu.args(["-drive", &format!("if=none,id=usb,format=raw,file={}", usb.display())]);
            qemu.args(["-device", "usb-storage,drive=usb"]);
        }
        qemu.arg("-kernel").arg(self.dir.join("kernel8.img")).arg("-initrd").arg(self.dir.join("initramfs8"));
        qemu.args(["-append", &arguments]);
        let _ = std::fs::remove_file(self.dir.join("monitor"));
        qemu.args(["-monitor", &format!("unix:{},server=on,wait=off", self.dir.join("monitor").display())]);
        self.qemu = Some(Watched::start(qemu));
    }

    /// Plugs a USB disk in while it runs.
    pub fn plug_usb(&self, name: &str, disk: &Path) {
        let drive = format!("drive_add 0 if=none,id={name},format=raw,file={}", disk.display());
        monitor(
            &self.dir.join("monitor"),
            &[&drive, &format!("device_add usb-storage,drive={name},id=usb-{name}")],
        );
    }

    /// Pulls a USB disk out while the board runs.
    pub fn pull_usb(&self, name: &str) {
        monitor(&self.dir.join("monitor"), &[&format!("device_del usb-{name}")]);
    }

    /// Pulls its network cable.
    pub fn pull_cable(&self) {
        monitor(&self.dir.join("monitor"), &["set_link net off"]);
    }

    /// How many lines its console has shown.
    pub fn lines(&self) -> usize {
        self.qemu.as_ref().expect("it is on").lines().len()
    }

    /// Cuts the power: QEMU is killed, and nothing is flushed.
    pub fn cut(&mut self) {
        self.qemu = None;
    }

    /// Waits until it has switched itself off.
    pub fn wait_off(&mut self) {
        let mut qemu = self.qemu.take().expect("it is on");
        assert!(qemu.end(START), "QEMU ends well when its machine is off");
    }

    /// Waits for a line on its console, from line number `from` on.
    pub fn wait_for(&self, words: &str, from: usize) -> usize {
        self.qemu.as_ref().expect("it is on").wait_for(words, from, START)
    }

    /// Waits until the service answers on the network.
    pub fn wait_served(&self) {
        self.wait_for("ready and safe", 0);
        let ask = format!("curl -s -f -o /dev/null --max-time 20 http://{HERE}/healthz");
        let answers =
            || self.net.command("sh").args(["-c", &ask]).status().is_ok_and(|status| status.success());
        wait_until("the appliance answers on its network", START, answers);
    }

    /// Waits until people can log in.
    pub fn wait_login(&self) {
        wait_until("somebody can log in", START, || self.try_ssh("rackberry", "status").status.success());
    }

    /// Runs a command by SSH.
    pub fn try_ssh(&self, user: &str, command: &str) -> Output {
        let mut ssh = self.net.command("ssh");
        ssh.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
        ]);
        ssh.args(["-o", "ConnectTimeout=60", "-o", "BatchMode=yes", "-i"]).arg(self.dir.join("key"));
        ssh.arg(format!("{user}@{HERE}"))
            .arg(command)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("ssh")
    }

    /// As [`Board::try_ssh`], and it must succeed.
    pub fn ssh(&self, user: &str, command: &str) -> String {
        text_of(command, self.try_ssh(user, command))
    }
}

/// The image that `make image` made.
pub fn image() -> PathBuf {
    let folder = root().join("target/image");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut images: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "img")).collect();
    images.sort();
    images.pop().unwrap_or_else(|| panic!("no image in {}: run `make image`", folder.display()))
}

/// A USB disk of 256 MiB with one FAT file system that holds the demo's operating system in the folder `rackberry`.
pub fn usb_disk(net: &Net) -> PathBuf {
    let folder = net.path("for-usb");
    std::fs::create_dir_all(&folder).expect("a folder");
    let assets = root().join("target/demo/assets");
    net.run(&format!("cp -r {} {}/rackberry", assets.display(), folder.display()));
    stick(net, "usb", &folder, stick::Format { kind: stick::FileSystem::Fat, mib: 256, has_table: false })
}

/// Moments that are drawn from a seed, which a failure shows.
pub struct Moments(u64);

impl Moments {
    /// From the environment, or the clock.
    #[allow(clippy::new_without_default, reason = "it reads a clock")]
    pub fn new() -> Moments {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let seed = std::env::var("RACKBERRY_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(now.as_secs());
        eprintln!("RACKBERRY_SEED={seed}");
        Moments(seed)
    }

    /// Waits up to so many seconds.
    pub fn wait(&mut self, most: u64) {
        // Knuth's linear congruential generator; its upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis((self.0 >> 33) % (most * 1000));
        eprintln!("cut after {moment:?}");
        std::thread::sleep(moment);
    }
}
