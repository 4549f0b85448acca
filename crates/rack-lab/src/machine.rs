//! Real firmware on virtual hardware: a QEMU machine with a blank disk, the network first in its boot order.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};

use rackberry_core::ids::Mac;

/// What a machine boots with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, and iPXE on the network card.
    Bios,
    /// EDK2 (OVMF), x86-64.
    Uefi,
    /// The same with Secure Boot: it trusts what Microsoft has signed.
    UefiSecure,
    /// EDK2 (AAVMF), arm64.
    UefiArm64,
    /// U-Boot, arm64.
    UbootArm64,
}

/// How UEFI firmware boots from the network; a BIOS has the card's ROM alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Netboot {
    /// By its own clients, PXE first.
    #[default]
    Own,
    /// The same, IPv6 switched off.
    Ipv4,
    /// By its own HTTP client only.
    Http,
    /// By the iPXE in the card's ROM.
    CardRom,
}

/// Firmware from Debian's packages; the variables are a template that each machine copies.
struct Flash {
    package: &'static str,
    code: &'static str,
    variables: &'static str,
}

const OVMF: Flash = Flash {
    package: "ovmf",
    code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
    variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
};
const OVMF_SECURE: Flash = Flash {
    package: "ovmf",
    code: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
    variables: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
};
const AAVMF: Flash = Flash {
    package: "qemu-efi-aarch64",
    code: "/usr/share/AAVMF/AAVMF_CODE.fd",
    variables: "/usr/share/AAVMF/AAVMF_VARS.fd",
};
const UBOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

impl Firmware {
    fn flash(self) -> Option<Flash> {
        match self {
            Self::Bios | Self::UbootArm64 => None,
            Self::Uefi => Some(OVMF),
            Self::UefiSecure => Some(OVMF_SECURE),
            Self::UefiArm64 => Some(AAVMF),
        }
    }

    fn is_arm64(self) -> bool {
        matches!(self, Self::UefiArm64 | Self::UbootArm64)
    }
}

/// Bytes of a blank disk; sparse.
const DISK: u64 = 512 << 20;
/// How long QEMU's monitor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One machine; all of its files are in its own folder.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What its folder and its QEMU process are called.
    pub name: String,
    /// Its network card's address.
    pub mac: Mac,
    /// What it boots with.
    pub firmware: Firmware,
    /// Its memory in MiB; at first what the firmware, the demo's kernel and the unpacking of its image take, and
    /// little more.
    pub memory: u32,
    /// How its UEFI firmware boots from the network.
    pub netboot: Netboot,
    /// The folder for its disk, sockets and console log.
    pub dir: PathBuf,
}

impl Machine {
    /// A machine with a blank disk, below `parent`.
    ///
    /// # Errors
    /// When the folder can't be made, or the firmware's package is missing.
    pub fn new(parent: &Path, name: &str, mac: Mac, firmware: Firmware) -> anyhow::Result<Machine> {
        let dir = parent.join(name);
        fs::create_dir_all(&dir).with_context(|| format!("can't make {}", dir.display()))?;
        let memory = match firmware {
            Firmware::Bios => 192,
            Firmware::Uefi | Firmware::UefiSecure => 384,
            Firmware::UefiArm64 | Firmware::UbootArm64 => 512,
        };
        let machine =
            Machine { name: name.to_owned(), mac, firmware, memory, netboot: Netboot::default(), dir };
        File::create(machine.disk()).and_then(|disk| disk.set_len(DISK)).context("can't make a disk")?;
        if let Some(Flash { package, variables, .. }) = firmware.flash() {
            fs::copy(variables, machine.variables())
                .with_context(|| format!("{variables} is missing: install Debian's package {package}"))?;
        }
        Ok(machine)
    }

    /// The image that is its disk: raw, sparse, blank at first.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.img")
    }

    /// What the machine writes to its serial console.
    pub fn console(&self) -> PathBuf {
        self.dir.join("console.log")
    }

    /// The socket that types on the serial console.
    pub fn keyboard(&self) -> PathBuf {
        self.dir.join("keyboard")
    }

    /// Where the cable sends frames to the machine, and where it receives the machine's.
    pub fn cable(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("cable"), self.dir.join("machine"))
    }

    fn variables(&self) -> PathBuf {
        self.dir.join("variables.fd")
    }

    fn monitor(&self) -> PathBuf {
        self.dir.join("monitor")
    }

    /// The command that is this machine, switched on. TCG: it needs no rights and runs everywhere.
    pub fn qemu(&self) -> Command {
        let (cable, machine) = self.cable();
        // The last run's; QEMU does not replace them.
        let _ = fs::remove_file(&machine);
        let processor = if self.firmware.is_arm64() { "aarch64" } else { "x86_64" };
        let mut qemu = Command::new(format!("qemu-system-{processor}"));
        qemu.args(["-name", &self.name, "-nodefaults", "-display", "none", "-no-user-config"]);
        qemu.args(["-accel", "tcg", "-smp", "1"]);
        let netdev = format!(
            "dgram,id=net,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            machine.display(),
            cable.display()
        );
        qemu.args(["-netdev", &netdev]);
        // The card's own ROM is an iPXE; without it, EDK2's network clients are what boots.
        let has_rom = self.firmware == Firmware::Bios || self.netboot == Netboot::CardRom;
        let rom = if has_rom { "" } else { ",romfile=" };
        let nic = format!("virtio-net-pci,netdev=net,mac={},bootindex=1{rom}", self.mac);
        qemu.args(["-m", &self.memory.to_string()]);
        match self.firmware {
            Firmware::Bios => {
                qemu.args(["-machine", "pc,graphics=off", "-device", &nic]);
            }
            Firmware::Uefi => {
                qemu.args(["-machine", "q35", "-device", &nic]);
            }
            Firmware::UefiSecure => {
                // The variables with the keys are behind the processor's system management mode.
                qemu.args(["-machine", "q35,smm=on", "-device", &nic]);
                qemu.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
            }
            Firmware::UefiArm64 => {
                qemu.args(["-machine", "virt", "-cpu", "cortex-a57", "-device", &nic]);
            }
            Firmware::UbootArm64 => {
                // U-Boot 2023.01 reads a wrong address from the card on PCI.
                let nic = format!("virtio-net-device,netdev=net,mac={}", self.mac);
                qemu.args(["-machine", "virt", "-cpu", "cortex-a57", "-bios", UBOOT, "-device", &nic]);
            }
        }
        if let Some(Flash { code, .. }) = self.firmware.flash() {
            let code = format!("if=pflash,unit=0,format=raw,readonly=on,file={code}");
            let variables = format!("if=pflash,unit=1,format=raw,file={}", self.variables().display());
            qemu.args(["-drive", &code, "-drive", &variables]);
        }
        let switched_off: &[&str] = match self.netboot {
            Netboot::Own | Netboot::CardRom => &[],
            Netboot::Ipv4 => &["IPv6PXESupport"],
            Netboot::Http => &["IPv4PXESupport", "IPv6PXESupport"],
        };
        for switch in switched_off {
            qemu.args(["-fw_cfg", &format!("name=opt/org.tianocore/{switch},string=no")]);
        }
        // A disk that ends with the demo need not survive a power cut.
        let disk = format!("if=none,id=disk,format=raw,cache=unsafe,file={}", self.disk().display());
        qemu.args(["-drive", &disk, "-device", "virtio-blk-pci,drive=disk,bootindex=2"]);
        let console = format!(
            "socket,id=console,path={},server=on,wait=off,logfile={}",
            self.keyboard().display(),
            self.console().display()
        );
        qemu.args(["-chardev", &console, "-serial", "chardev:console"]);
        qemu.args(["-monitor", &format!("unix:{},server=on,wait=off", self.monitor().display())]);
        qemu
    }

    /// Presses its reset button.
    ///
    /// # Errors
    /// When it is not running.
    pub fn reset(&self) -> anyhow::Result<()> {
        let mut monitor =
            UnixStream::connect(self.monitor()).with_context(|| format!("{} is not running", self.name))?;
        monitor.set_read_timeout(Some(PATIENCE))?;
        // QEMU greets, then takes commands; what follows the echo shows that it took this one.
        let mut said = Vec::new();
        let mut buffer = [0; 256];
        for (wait_for, then) in [("(qemu)", "system_reset\n"), ("(qemu)", "")] {
            while !String::from_utf8_lossy(&said).contains(wait_for) {
                let length = monitor.read(&mut buffer).context("QEMU's monitor does not answer")?;
                ensure!(length > 0, "{} went away", self.name);
                said.extend_from_slice(&buffer[..length]);
            }
            said.clear();
            monitor.write_all(then.as_bytes())?;
        }
        Ok(())
    }

    /// How often the console showed `words`. Firmware moves the cursor in the middle of them, by escape sequences.
    pub fn console_count(&self, words: &str) -> usize {
        let said = fs::read(self.console()).unwrap_or_default();
        shown(&said).matches(words).count()
    }
}

fn shown(said: &[u8]) -> String {
    anstream::adapter::strip_str(&String::from_utf8_lossy(said)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As SeaBIOS has written it.
    #[test]
    fn words_are_found_across_escape_sequences() {
        let said = b"rackberry demo: starting fro\x1b[25;28H\x1b[25;29Hm the disk\r\n\x1bc\x1b[?7l\x1b[2J";
        assert_eq!(shown(said).matches("starting from the disk").count(), 1);
    }
}
