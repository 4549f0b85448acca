//! The real installers of operating systems against the real service: what they ask for, in their order.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that ends where something is not as it should be"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rack_lab::machine::Firmware;
use support::{
    Net, failing,
    machine::{INSTALL, Node, mark_of},
    root,
    service::{BINARY, Service, own_profile, unchecked},
    signer::Signer,
};

const SOON: Duration = Duration::from_secs(30);
const MAC: &str = "02:00:00:00:00:01";
const DISK: &str = "/dev/shm/vdtest";
/// Of the disk image that is installed.
const IMAGE: usize = 8 << 20;

fn version_of(family: &str) -> &'static str {
    if family == "coreos" { "1010.5.0" } else { "4230.2.0" }
}

/// A network with a machine in its own namespace, and a signed system for it.
struct Rack {
    net: Net,
    family: &'static str,
    maker: Signer,
    image: Vec<u8>,
}

impl Rack {
    /// What is signed is signed by `maker`, whose key is in `keys/` and, for CoreOS, in the installer.
    fn new(family: &'static str) -> Rack {
        let net = Net::new();
        let version = version_of(family);
        // Nothing in it repeats, so that a piece in the wrong place is noticed.
        let image: Vec<u8> =
            (0..IMAGE / 4).flat_map(|at| (at as u32).wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        let maker = Signer::new("maker", "20160401", "never");
        maker.publish(&net.path("assets/keys/maker.asc"));
        let disk = net.write("image.bin", &image);
        for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
            let to = net.write(&format!("assets/{family}/{version}/{family}_production_{file}"), file);
            if file.starts_with("image") {
                net.run(&format!("bzip2 -c {} >{}", disk.display(), to.display()));
            }
            maker.sign("20160501", &to);
        }
        net.write(&format!("assets/{family}/current"), version);
        net.write("assets/cloud-configs/default.yml.j2", "#cloud-config\nhostname: {{ node.name }}\n");
        net.write("assets/cloud-configs/default.ign", "{\"ignition\": {\"version\": \"3.4.0\"}}\n");
        net.client("node", MAC);
        let rack = Rack { net, family, maker, image };
        rack.program("hook", "[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0");
        // The script restarts its machine, and has the patience that a machine needs.
        for name in ["systemctl", "reboot", "sleep"] {
            rack.program(name, "exit 0");
        }
        let key = String::from_utf8(rack.maker.gpg("20160501", &["--armor", "--export"])).unwrap();
        rack.installer(if family == "coreos" { &key } else { "none" });
        if family == "coreos" {
            own_profile(rack.net.dir.path(), family, |text| rack.maker.pinned(text));
        }
        rack
    }

    /// A program of the machine's.
    fn program(&self, name: &str, script: &str) {
        let path = self.net.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        self.net.run(&format!("chmod +x {}", path.display()));
    }

    /// The family's installer, with this key built in.
    fn installer(&self, key: &str) {
        let program = fs::read_to_string(root().join("tests/data/installer")).unwrap();
        let path = self.net.write(
            &format!("bin/{}-install", self.family),
            program.replace("built_in='KEY'", &format!("built_in='{key}'")),
        );
        self.net.run(&format!("chmod +x {}", path.display()));
    }

    fn file(&self, name: &str) -> PathBuf {
        let (family, version) = (self.family, version_of(self.family));
        self.net.path(&format!("assets/{family}/{version}/{family}_production_{name}"))
    }

    fn service(&self) -> Service<'_> {
        let service = Service::start_strict(
            &self.net,
            &format!(
                "[install]\nprofile = '{}'\ndisk = '{DISK}'\n[[node]]\nname = 'a'\nmac = '{MAC}'\n",
                self.family
            ),
        );
        support::wait_until("the system is verified", SOON, || service.try_cli(&["arm"]).status.success());
        service
    }

    /// What lpxelinux does up to the kernel: asks for an address, a menu, and what the menu names. Returns the kernel's
    /// arguments.
    fn boot(&self) -> String {
        let hook = self.net.path("bin/hook");
        self.net.run_in(
            "node",
            &format!(
                "udhcpc -f -q -n -t 5 -T 1 -i eth0 -V PXEClient:Arch:00000:UNDI:002001 -s {}",
                hook.display()
            ),
        );
        let menu = self.curl("tftp://10.10.10.1/pxelinux.cfg/01-02-00-00-00-00-01");
        for key in ["KERNEL ", "INITRD "] {
            let file = menu.lines().find_map(|line| line.trim().strip_prefix(key)).expect(&menu);
            assert!(!self.curl(file).is_empty());
        }
        menu.lines().find_map(|line| line.trim().strip_prefix("APPEND ")).expect(&menu).to_owned()
    }

    fn curl(&self, url: &str) -> String {
        self.net.run_in("node", &format!("curl -sS -f {url}"))
    }

    /// The install script that the kernel's arguments lead to.
    fn script(&self) -> String {
        let arguments = self.boot();
        let url = |key: &str| arguments.split(' ').find_map(|word| word.strip_prefix(key));
        match url("ignition.config.url=") {
            Some(url) => {
                let live: serde_json::Value = serde_json::from_str(&self.curl(url)).unwrap();
                self.curl(live["storage"]["files"][0]["contents"]["source"].as_str().unwrap())
            }
            None => self.curl(url("cloud-config-url=").expect(&arguments)),
        }
    }

    /// Runs a script as the live system does, on a machine with these disks; what it said. The disks are files.
    fn run(&self, script: &str, disks: &[&str]) -> String {
        self.net.write("script", script);
        let sysfs: String = disks
            .iter()
            .map(|disk| {
                format!(
                    "mkdir /sys/class/block/{disk}; echo 0 >/sys/class/block/{disk}/ro; touch /mnt/{disk}; \
                     ln -s /mnt/{disk} /dev/shm/{disk};"
                )
            })
            .collect();
        let dir = self.net.dir.path().display();
        let output = self.net.try_in(
            "node",
            &format!(
                "mount --bind {dir} /mnt && mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm && \
                 mount -t tmpfs none /sys/class/block && {{ {sysfs} }} && PATH=/mnt/bin:$PATH bash /mnt/script 2>&1"
            ),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn is_written(&self) -> bool {
        fs::read(self.net.path("vdtest")).unwrap() == self.image
    }
}

#[test]
fn flatcars_installer_is_handed_the_key_that_signed() {
    let rack = Rack::new("flatcar");
    let service = rack.service();
    let said = rack.run(&rack.script(), &["vdtest"]);
    assert!(said.contains("Success! Flatcar Container Linux stable 4230.2.0"), "{said}");
    assert!(rack.is_written(), "the disk has other bytes than the image");
    let known = service.node("a");
    assert_eq!((&known["stage"], &known["writes"]), (&"written".into(), &1.into()), "{known}");
}

#[test]
fn the_installer_of_2016_gets_what_it_asks_for_from_the_plain_tree_too() {
    let rack = Rack::new("coreos");
    let service = rack.service();
    let said = rack.run(&rack.script(), &["vdtest"]);
    assert!(said.contains("Success! CoreOS stable 1010.5.0") && rack.is_written(), "{said}");
    let known = service.node("a");
    assert_eq!((&known["stage"], &known["writes"]), (&"written".into(), &1.into()), "{known}");
    // As the write-up of 2016 had it: by hand, port 8080, no grant in the URL, and the version that is current.
    service.cli(&["arm", "--again", "a"]);
    rack.boot();
    let line = "cd /mnt && wget -q http://10.10.10.1:8080/cloud-configs/$(cat /sys/class/net/eth0/address).yml && \
                coreos-install -d /mnt/vdtest -V current -c *.yml -b http://10.10.10.1:8080";
    fs::write(rack.net.path("vdtest"), "").unwrap();
    let said = rack.run(line, &["vdtest"]);
    assert!(said.contains("Current version of CoreOS stable is 1010.5.0"), "{said}");
    assert!(said.contains("Success! CoreOS") && rack.is_written(), "{said}");
    assert_eq!(service.node("a")["writes"], 2);
}

/// The exits of the installers as they really are, and the reason that the node reports of each. Readiness keeps them
/// from being met (`assets.rs`); so here the profile does not say what its installer asks for.
#[test]
fn why_an_installer_refuses_is_what_the_node_reports() {
    for family in ["coreos", "flatcar"] {
        let rack = Rack::new(family);
        own_profile(rack.net.dir.path(), family, |text| unchecked(text).replace(" -k \"$keys\"", ""));
        let other = Signer::new("other", "20160401", "never");
        let service = rack.service();
        let fails = |what: &str, disks: &[&str], words: &[&str]| {
            service.cli(&["arm", "--again", "a"]);
            let said = rack.run(&rack.script(), disks);
            let known = service.node("a");
            let reason = known["failure"]["reason"].as_str().unwrap_or_default();
            assert!(words.iter().all(|words| reason.contains(words)), "{family}, {what}: {reason}\n{said}");
            assert!(!disks.contains(&"vdtest") || !rack.is_written(), "{family}, {what}");
        };
        fails(
            "no such disk",
            &["sdtest"],
            &["there is no disk /dev/shm/vdtest; this machine has: /dev/sdtest"],
        );
        rack.installer(&String::from_utf8(other.gpg("20160501", &["--armor", "--export"])).unwrap());
        let ended = format!("({family}-install ended with ");
        fails("another key", &["vdtest"], &["gpg: Can't check signature: No public key", &ended]);
        rack.installer(&String::from_utf8(rack.maker.gpg("20160501", &["--armor", "--export"])).unwrap());
        // One bit, on its way.
        rack.program(
            "wget",
            "case \"$*\" in\n  *-O\\ -\\ *bz2) /usr/bin/wget \"$@\" | sed '1s/^BZh9/BZh8/' ;;\n  *) exec /usr/bin/wget \"$@\" ;;\nesac",
        );
        fails("altered on its way", &["vdtest"], &["gpg: BAD signature from \"maker\"", &ended]);
        fs::remove_file(rack.net.path("bin/wget")).unwrap();
        let signature = PathBuf::from(format!("{}.sig", rack.file("image.bin.bz2").display()));
        let log = service.log().len();
        fs::remove_file(&signature).unwrap();
        // What else vouches for it is nothing to the installer.
        let sums = rack.file("image.bin.bz2").with_file_name("SHA256SUMS");
        rack.net.run(&format!("cd {} && sha256sum *.bz2 >SHA256SUMS", sums.parent().unwrap().display()));
        rack.maker.sign("20160501", &sums);
        service.process.wait_for("image.bin.bz2", log, SOON);
        support::wait_until("it is verified anew", SOON, || service.try_cli(&["arm"]).status.success());
        fails(
            "no signature",
            &["vdtest"],
            &["Image signature unavailable: http://10.10.10.1/g/", ".bz2.sig", &ended],
        );
    }
}
/// How the real coreos-installer fails, before it does not: the script that the node runs comes after it.
const FAILURES: &str = r#"
u=http://10.10.10.1:9000
echo '{"ignition":{"version":"3.3.0"}}' >/tmp/good.ign
echo '{' >/tmp/bad.ign
try() {
  name=$1
  shift
  coreos-installer install "$@" >/tmp/said 2>&1 </dev/null
  why /tmp/said
  echo "case $name: $cause: $reason"
}
try signature /dev/vda --image-url $u/whole --ignition-file /tmp/good.ign
try image /dev/vda --image-url $u/404 --insecure --ignition-file /tmp/good.ign
try server /dev/vda --image-url http://10.10.10.1:9001/i --insecure --ignition-file /tmp/good.ign
try config /dev/vda --image-url $u/whole --insecure --ignition-file /tmp/bad.ign
try small /dev/vdb --image-url $u/whole --insecure --ignition-file /tmp/good.ign
try cut /dev/vda --image-url $u/cut --insecure --ignition-file /tmp/good.ign
"#;

#[test]
fn the_real_coreos_installer_fails_in_known_words_and_writes_a_disk_that_starts() {
    let net = Net::new();
    let live = root().join("target/fcos-live");
    for (file, name) in [
        ("live-kernel", "live-kernel.x86_64"),
        ("live-initramfs.img", "live-initramfs.x86_64.img"),
        ("live-rootfs.img", "live-rootfs.x86_64.img"),
        ("metal.raw.xz", "metal.x86_64.raw.xz"),
    ] {
        support::copy(
            &live.join(file),
            &net.path(&format!("assets/fedora-coreos/44.1/fedora-coreos-44.1-{name}")),
        );
    }
    net.write(
        "assets/cloud-configs/default.j2.ign",
        "{\"ignition\": {\"version\": \"3.4.0\"}, \"storage\": {\"files\": [{\"path\": \"/etc/hostname\", \"contents\": {\"source\": \"data:,{{ node.name }}\"}}]}}\n",
    );
    let service = Service::start(
        &net,
        "[install]\nprofile = 'fedora-coreos'\ndisk = '/dev/vda'\nconsole = 'ttyS0,115200'\n\
         [[node]]\nname = 'bios'\nmac = '52:54:00:00:00:01'\n",
    );
    let script: serde_json::Value =
        serde_json::from_str(&service.cli(&["node", "show", "--render", "--json", "bios"])).unwrap();
    let why = rackberry_core::profiles::part("why.sh").unwrap();
    let script = script["script"].as_str().unwrap();
    net.write("assets/cloud-configs/install.sh", format!("#!/bin/sh\n{why}\n{FAILURES}\n{script}"));
    let _failing = failing::server(&net);
    service.cli(&["arm"]);
    let mut node = Node::plug(&net, BINARY, "bios", "52:54:00:00:00:01", Firmware::Bios);
    node.machine.memory = 512;
    let small = net.write("small.img", vec![0; 2 << 20]);
    let small = format!("if=none,id=small,format=raw,file={}", small.display());
    node.hardware = ["-drive", &small, "-device", "virtio-blk-pci,drive=small"].map(str::to_owned).to_vec();
    node.switch_on();
    node.wait_up(1);
    for words in [
        "case signature: no-signature: --insecure not specified and signature not found",
        "case image: no-image: fetching image URL: HTTP status client error (404",
        "case server: no-server: fetching image URL: Connection refused",
        "case config: bad-configuration: specified file is not a valid Ignition",
        "case small: disk-too-small: decoding and writing image: No space left on device",
        "case cut: transfer: decoding and writing image: ",
    ] {
        node.wait_console(words, 1, SOON);
    }
    node.wait_console("Install complete", 1, INSTALL);
    let mark = mark_of(&node.machine.disk());
    assert!(mark.starts_with("rackberry mark 1\nprofile fedora-coreos\nversion 44.1\nnode bios\n"), "{mark}");
    service.wait_for("stage=installed", SOON);
    let known = service.node("bios");
    assert_eq!((&known["writes"], &known["installed"]["version"]), (&1.into(), &"44.1".into()), "{known}");
    // What the installed system would be set up by is this node's own.
    let config = ignition_on(&net, &node.machine.disk());
    assert!(config.contains("data:,bios"), "{config}");
}

/// The Ignition config that coreos-installer left on a disk: on its second partition.
fn ignition_on(net: &Net, disk: &Path) -> String {
    let table = net.run(&format!("sfdisk --json {}", disk.display()));
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    let part = &table["partitiontable"]["partitions"][1];
    let (start, size) = (part["start"].as_u64().unwrap(), part["size"].as_u64().unwrap());
    let boot = net.path("boot");
    net.run(&format!(
        "dd if={} of={} bs=512 skip={start} count={size} status=none",
        disk.display(),
        boot.display()
    ));
    let output = Command::new("/usr/sbin/debugfs")
        .args(["-R", "cat /ignition/config.ign"])
        .arg(&boot)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}
