//! The real installers of operating systems against the real service: what they ask for, in their order.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that ends where something is not as it should be"
)]

mod support;

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use rackberry::demo::machine::Firmware;
use support::{
    Net, failing,
    machine::{INSTALL, Node, mark_of},
    root,
    service::Service,
    signer::Signer,
};

const SOON: Duration = Duration::from_secs(30);
const MAC: &str = "02:00:00:00:00:01";
/// Of the disk image that is installed.
const IMAGE: usize = 8 << 20;

/// A network with a machine in its own namespace, its disk a file, and a signed system for it.
struct Rack {
    net: Net,
    image: Vec<u8>,
}

impl Rack {
    fn new(family: &str) -> Rack {
        let net = Net::new();
        // Nothing in it repeats, so that a piece in the wrong place is noticed.
        let image: Vec<u8> =
            (0..IMAGE / 4).flat_map(|at| (at as u32).wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        let maker = Signer::new("maker", "20160401", "never");
        maker.publish(&net.path("assets/keys/maker.asc"));
        let disk = net.write("image.bin", &image);
        let folder = net.path(&format!("assets/{family}/1010.5.0"));
        for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
            let to = net.write(&format!("assets/{family}/1010.5.0/{family}_production_{file}"), file);
            if file.starts_with("image") {
                net.run(&format!("bzip2 -c {} >{}", disk.display(), to.display()));
            }
            maker.sign("20160501", &to);
        }
        let marker = format!("{}_VERSION", family.to_uppercase());
        fs::write(folder.join("version.txt"), format!("{marker}=1010.5.0\n")).unwrap();
        fs::write(folder.with_file_name("current"), "1010.5.0\n").unwrap();
        net.write("assets/cloud-configs/default.yml", "#cloud-config\nhostname: {{ node.name }}\n");
        net.write("assets/cloud-configs/default.ign", "{\"ignition\": {\"version\": \"3.4.0\"}}\n");
        net.client("node", MAC);
        let hook =
            net.write("hook", "#!/bin/sh\n[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0\n");
        net.run(&format!("chmod +x {}", hook.display()));
        let programs = net.path("bin");
        fs::create_dir(&programs).unwrap();
        symlink(root().join("tests/data/installer"), programs.join("coreos-install")).unwrap();
        // Flatcar's takes another key than its own by -k.
        let own = root().join("tests/data/installer");
        let wrapper = format!(
            "#!/bin/sh\nexec bash -c '. {}' flatcar-install -k {} \"$@\"\n",
            own.display(),
            net.path("assets/keys/maker.asc").display()
        );
        fs::write(programs.join("flatcar-install"), wrapper).unwrap();
        net.run(&format!("chmod +x {}/flatcar-install", programs.display()));
        Rack { net, image }
    }

    /// What lpxelinux does up to the kernel: asks for an address, a menu, and what the menu names. Returns the kernel's
    /// arguments.
    fn boot(&self) -> String {
        let hook = self.net.path("hook");
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

    /// Runs the command that the node's script has for its installer.
    fn install(&self, script: &str) {
        let value = |name: &str| {
            let line = script.lines().find_map(|line| line.strip_prefix(&format!("{name}='")));
            line.and_then(|line| line.strip_suffix('\'')).expect(script).to_owned()
        };
        let disk = self.net.path("disk");
        let config = self.net.write("config", self.curl(&format!("{}/cloud-config/{MAC}", value("server"))));
        let said = self.net.run_in(
            "node",
            &format!(
                "export PATH={bin}:$PATH COREOS_KEY={key}\ndisk={disk} version={version} server={server} config={config}\n{command} 2>&1",
                bin = self.net.path("bin").display(),
                key = self.net.path("assets/keys/maker.asc").display(),
                disk = disk.display(),
                version = value("version"),
                server = value("server"),
                config = config.display(),
                command = value("command"),
            ),
        );
        assert!(said.contains("Success! "), "{said}");
        assert!(fs::read(disk).unwrap() == self.image, "the disk has other bytes than the image");
    }
}

#[test]
fn flatcars_installer_gets_what_it_asks_for() {
    let rack = Rack::new("flatcar");
    let service = Service::start_strict(
        &rack.net,
        &format!("[install]\nprofile = 'flatcar'\n[[node]]\nname = 'a'\nmac = '{MAC}'\n"),
    );
    support::wait_until("the system is verified", SOON, || service.try_cli(&["arm"]).status.success());
    let arguments = rack.boot();
    let url = arguments.split(' ').find_map(|word| word.strip_prefix("ignition.config.url=")).unwrap();
    let live: serde_json::Value = serde_json::from_str(&rack.curl(url)).unwrap();
    let script = rack.curl(live["storage"]["files"][0]["contents"]["source"].as_str().unwrap());
    rack.install(&script);
    let known = service.node("a");
    assert_eq!((&known["stage"], &known["writes"]), (&"written".into(), &1.into()), "{known}");
}

#[test]
fn the_installer_of_2016_gets_what_it_asks_for_from_the_plain_tree_too() {
    let rack = Rack::new("coreos");
    let service = Service::start_strict(&rack.net, &format!("[[node]]\nname = 'a'\nmac = '{MAC}'\n"));
    support::wait_until("the system is verified", SOON, || service.try_cli(&["arm"]).status.success());
    let arguments = rack.boot();
    let url = arguments.split(' ').find_map(|word| word.strip_prefix("cloud-config-url=")).unwrap();
    let script = rack.curl(url);
    rack.install(&script);
    let known = service.node("a");
    assert_eq!((&known["stage"], &known["writes"]), (&"written".into(), &1.into()), "{known}");
    // As the write-up of 2016 had it: by hand, port 8080, no grant in the URL.
    service.cli(&["node", "reinstall", "a"]);
    service.cli(&["arm", "a"]);
    rack.boot();
    let line = "server='http://10.10.10.1:8080'\nversion='current'\ncommand='coreos-install -d \"$disk\" -V \"$version\" -c \"$config\" -b \"$server\"'\n";
    rack.install(line);
    assert_eq!(service.node("a")["writes"], 2);
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
        "assets/cloud-configs/default.ign",
        "{\"ignition\": {\"version\": \"3.4.0\"}, \"storage\": {\"files\": [{\"path\": \"/etc/hostname\", \"contents\": {\"source\": \"data:,{{ node.name }}\"}}]}}\n",
    );
    let service = Service::start(
        &net,
        "[install]\nprofile = 'fedora-coreos'\ndisk = '/dev/vda'\nconsole = 'ttyS0,115200'\n\
         [[node]]\nname = 'bios'\nmac = '52:54:00:00:00:01'\n",
    );
    let script: serde_json::Value =
        serde_json::from_str(&service.cli(&["node", "show", "--render", "--json", "bios"])).unwrap();
    let why = rackberry::profiles::part("why.sh").unwrap();
    let script = script["script"].as_str().unwrap();
    net.write("assets/cloud-configs/install.sh", format!("#!/bin/sh\n{why}\n{FAILURES}\n{script}"));
    let _failing = failing::server(&net);
    service.cli(&["arm"]);
    let mut node = Node::plug(&net, "bios", "52:54:00:00:00:01", Firmware::Bios);
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
