//! Operating systems: what each profile gives a node, and its own installer against this server.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that measures, and ends where something is not as it should be"
)]

mod support;

use std::{fs, path::Path, process::Command, time::Duration};

use rack_lab::machine::Firmware;
use serde_json::Value;
use support::{
    Net, failing,
    machine::{INSTALL, Node, mark_of},
    root,
    service::{BINARY, Service, own_profile, small_system, unchecked},
    wait_until,
};

const SOON: Duration = Duration::from_secs(30);

/// A complete set of every profile, of a few bytes each, and a configuration for each kind.
fn small_systems(net: &Net) {
    small_system(net);
    own_profile(net.dir.path(), "flatcar", unchecked);
    for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
        net.write(&format!("assets/flatcar/4230.2.0/flatcar_production_{file}"), file);
    }
    for file in
        ["live-kernel.x86_64", "live-initramfs.x86_64.img", "live-rootfs.x86_64.img", "metal.x86_64.raw.xz"]
    {
        net.write(&format!("assets/fedora-coreos/44.1/fedora-coreos-44.1-{file}"), file);
    }
    for file in ["linux", "initrd.gz"] {
        net.write(&format!("assets/debian/12/{file}"), file);
    }
    net.write("assets/raw/1/it's a disk.img.xz", "image");
    net.write("assets/cloud-configs/default.yml.j2", "#cloud-config\nhostname: {{ node.name }}\n");
    net.write(
        "assets/cloud-configs/default.ign.j2",
        "{\"ignition\": {\"version\": \"3.4.0\"}, \"passwd\": {\"users\": [{\"name\": \"core\", \"sshAuthorizedKeys\": {{ ssh_keys | tojson }}}]}}\n",
    );
    net.write(
        "assets/cloud-configs/default.preseed.j2",
        "d-i mirror/http/hostname string {{ vars.mirror }}\n",
    );
}

const NODES: &str = "[install]\nvars = { mirror = 'deb.rack.lan' }\nssh_keys = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me']\n\
    [[node]]\nname = 'a'\nmac = '52:54:00:00:00:01'\nprofile = 'coreos'\n\
    [[node]]\nname = 'b'\nmac = '52:54:00:00:00:02'\nprofile = 'flatcar'\n\
    [[node]]\nname = 'c'\nmac = '52:54:00:00:00:03'\nprofile = 'fedora-coreos'\n\
    [[node]]\nname = 'd'\nmac = '52:54:00:00:00:04'\nprofile = 'debian'\ndisk = '/dev/vda'\n\
    [[node]]\nname = 'e'\nmac = '52:54:00:00:00:05'\nprofile = 'raw'\ndisk = 'smallest'\n";

/// What a node would be given, as JSON.
fn render(service: &Service, node: &str) -> Value {
    serde_json::from_str(&service.cli(&["node", "show", "--render", "--json", node])).unwrap()
}

/// Runs shellcheck on a script, and returns its text.
fn checked(net: &Net, name: &str, script: &str) -> String {
    let file = net.write(name, script);
    let output = Command::new("shellcheck").args(["-S", "warning"]).arg(&file).output().expect("shellcheck");
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stdout));
    script.to_owned()
}

#[test]
fn each_profile_makes_what_its_installer_takes() {
    let net = Net::new();
    small_systems(&net);
    let service = Service::start(&net, NODES);
    let given = ["a", "b", "c", "d", "e"].map(|node| render(&service, node));
    let [coreos, flatcar, fedora, debian, raw] = &given;
    for (view, words) in [
        (coreos, "coreos.autologin cloud-config-url=http://10.10.10.1/cloud-configs/install.sh"),
        (flatcar, "flatcar.first_boot=1 ignition.config.url=http://10.10.10.1/profile/live.ign"),
        (
            fedora,
            "coreos.live.rootfs_url=http://10.10.10.1/fedora-coreos/44.1/fedora-coreos-44.1-live-rootfs.x86_64.img \
             ignition.config.url=http://10.10.10.1/profile/live.ign",
        ),
        (debian, "auto=true priority=critical url=http://10.10.10.1/profile/preseed.cfg"),
        (raw, "rackberry.script=http://10.10.10.1/profile/install.sh"),
    ] {
        assert!(view["arguments"].as_str().unwrap().contains(words), "{view:#}");
    }
    for (view, command) in [
        (coreos, r#"coreos-install -d "$disk" -V "$version" -c "$config" -b "$server""#),
        (flatcar, r#"flatcar-install -d "$disk" -V "$version" -i "$config" -b "$server" -k "$keys""#),
        (
            fedora,
            r#"coreos-installer install "$disk" --image-url http://10.10.10.1/fedora-coreos/44.1/fedora-coreos-44.1-metal.x86_64.raw.xz"#,
        ),
        (raw, r"write-image"),
    ] {
        let script = checked(&net, "install.sh", view["script"].as_str().unwrap());
        assert!(script.contains(command), "{script}");
    }
    assert!(raw["script"].as_str().unwrap().contains("http://10.10.10.1/raw/1/it%27s%20a%20disk.img.xz"));
    for view in [flatcar, fedora] {
        let live: Value =
            serde_json::from_str(view["texts"][0][1].as_str().unwrap()).expect("Ignition is JSON");
        assert_eq!(live["storage"]["files"][0]["contents"]["source"], "http://10.10.10.1/profile/install.sh");
        let config: Value = serde_json::from_str(view["config"][1].as_str().unwrap()).unwrap();
        assert_eq!(
            config["passwd"]["users"][0]["sshAuthorizedKeys"][0],
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me"
        );
    }
    let texts = debian["texts"].as_array().unwrap();
    let text = |name: &str| {
        texts.iter().find(|text| text[0] == name).and_then(|text| text[1].as_str()).unwrap().to_owned()
    };
    let preseed = text("preseed.cfg");
    for line in [
        "d-i mirror/http/hostname string deb.rack.lan",
        "d-i preseed/run string http://10.10.10.1/profile/run.sh",
        "d-i partman-auto/disk string /dev/vda",
    ] {
        assert!(preseed.lines().any(|own| own == line), "no {line} in:\n{preseed}");
    }
    checked(&net, "run.sh", &text("run.sh"));
    assert_eq!(coreos["config"][1], "#cloud-config\nhostname: a\n");
    assert_eq!(raw["config"], Value::Null);
}

#[test]
fn a_faulty_configuration_is_named_with_its_line_and_nobody_is_armed() {
    let net = Net::new();
    small_systems(&net);
    net.write(
        "assets/cloud-configs/b.ign.j2",
        "{\n  \"ignition\": { \"version\": \"3.4.0\" },\n  \"x\": {{ node.vars.role }}\n}\n",
    );
    let service = Service::start(&net, NODES);
    let refused = service.try_cli(&["arm"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("b: cloud-configs/b.ign.j2:3: \"node.vars.role\" is not defined"), "{said}");
    assert!(service.status()["warnings"].to_string().contains("cloud-configs/b.ign.j2:3"));
    service.cli(&["arm", "a"]);
    service.cli(&["disarm"]);
    // What people know from the cloud: the header is missing, or it is Butane.
    fs::remove_file(net.path("assets/cloud-configs/b.ign.j2")).unwrap();
    net.write("assets/cloud-configs/b.ign", "variant: flatcar\nversion: 1.0.0\n");
    net.write("assets/cloud-configs/a.yml", "hostname: a\n");
    support::wait_until("the folder is looked at again", SOON, || {
        let said = String::from_utf8_lossy(&service.try_cli(&["arm"]).stderr).into_owned();
        said.contains("a: cloud-configs/a.yml: its first line must be `#cloud-config`")
            && said.contains("b: cloud-configs/b.ign: it is Butane, not Ignition")
    });
    // Over the network nobody sees what a node would be given.
    let status = net.run("curl -s -o /dev/null -w '%{http_code}' http://10.10.10.1/api/v1/nodes/a/render");
    assert_eq!(status, "403");
}

/// What is given to Debian's installer beside a configuration's own answers.
fn added(net: &Net, service: &Service, answers: &str) -> (String, String) {
    net.write("assets/cloud-configs/d.preseed", answers);
    wait_until("the answers are read", SOON, || render(service, "d")["config"][1] == answers);
    let view = render(service, "d");
    let texts = view["texts"].as_array().unwrap();
    let preseed = texts.iter().find(|text| text[0] == "preseed.cfg").unwrap()[1].as_str().unwrap();
    let own = preseed.strip_prefix(answers).unwrap().lines();
    let own: Vec<&str> = own.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    (own.join("\n"), view["arguments"].as_str().unwrap().to_owned())
}

#[test]
fn ones_own_answers_to_debians_installer_count() {
    let net = Net::new();
    small_systems(&net);
    fs::remove_file(net.path("assets/cloud-configs/default.preseed.j2")).unwrap();
    let service = Service::start(&net, NODES);
    let ours = "d-i preseed/run string http://10.10.10.1/profile/run.sh";
    let (own, arguments) = added(&net, &service, "d-i a/b string c\n");
    assert_eq!(own, format!("{ours}\nd-i partman-auto/disk string /dev/vda"));
    assert!(arguments.contains(" interface=auto ") && arguments.contains(" hostname=d"), "{arguments}");
    let (own, arguments) = added(
        &net,
        &service,
        "d-i partman-auto/disk string /dev/sda /dev/sdb\nd-i preseed/run string own.sh http://e/x\n\
         d-i netcfg/get_hostname string db1\nd-i netcfg/choose_interface select eno2\n",
    );
    assert_eq!(own, format!("{ours} own.sh http://e/x"));
    assert!(arguments.contains(" interface=eno2 ") && arguments.contains(" hostname=db1"), "{arguments}");
    net.write(
        "assets/cloud-configs/d.preseed",
        "d-i preseed/run string x\nd-i preseed/run/checksum string y\n",
    );
    wait_until("that can't be", SOON, || {
        let said = service.try_cli(&["arm", "d"]);
        String::from_utf8_lossy(&said.stderr)
            .contains("preseed/run/checksum would be taken for rackberry's own script")
    });
}

/// The demo's disk image, which says on the console that it is up from its disk.
fn demo_image() -> std::path::PathBuf {
    root().join("target/demo/assets/coreos/1010.5.0/coreos_production_image.bin.bz2")
}

/// What the machine does before its second install: each way in which an image may fail, on a real disk.
const FAILURES: &str = r#"
u=http://10.10.10.1:9000
start() { dd if=/dev/vda bs=1M count=1 2>/dev/null; }
before=$(start | md5sum)
untouched() { [ "$(start | md5sum)" = "$before" ] && echo "case $1: untouched"; }
for name in 403 404 503 empty html hangup; do
  write-image /dev/vda $u/$name i.raw.xz -
  untouched $name
done
write-image /dev/vda http://10.10.10.1:9001/ i.raw -
untouched nobody
blockdev --setro /dev/vda; write-image /dev/vda $u/whole i.raw -; blockdev --setrw /dev/vda
untouched read-only
write-image /dev/vda $u/stall i.raw - & sleep 3; kill -TERM $!; wait $!
untouched stopped
wiped() { [ "$(start | tr -d '\000' | wc -c)" = 0 ] && echo "case $1: wiped"; }
write-image /dev/vda $u/cut i.raw - && echo not so
wiped cut
write-image /dev/vda $u/whole i.raw 0000
wiped digest
write-image /dev/vdb $u/whole i.raw -
[ "$(dd if=/dev/vdb bs=1M count=1 2>/dev/null | tr -d '\000' | wc -c)" = 0 ] && echo 'case small: wiped'
echo 'a mark' | dd of=/dev/vdb bs=512 seek=2047 conv=notrunc 2>/dev/null
[ "$(cat /sys/block/vdb/queue/logical_block_size)" = 4096 ] &&
  [ "$(dd if=/dev/vdb bs=512 skip=2047 count=1 2>/dev/null | head -n 1)" = 'a mark' ] && echo 'case 4096: has a mark'
"#;

/// The second install of a machine, in one start of it: refused by the mark of the first one, then the failures above,
/// then let through.
fn second_install(script: &str) -> String {
    let refused = script
        .replace("overwrite_marked='yes'", "overwrite_marked=''")
        .replace("server='http://10.10.10.1'", "server='http://10.10.10.1:9001'")
        .replace("\nrestart() {", "\nrestart() {\n  exit 0");
    assert!(refused.contains("overwrite_marked=''") && refused.contains("10.10.10.1:9001"));
    format!(
        "#!/bin/sh\ncat >/run/refused <<'REFUSED'\n{refused}\nREFUSED\nsh /run/refused\n{FAILURES}\n{script}"
    )
}

#[test]
fn the_projects_own_installer_writes_a_disk_image_marks_the_disk_and_respects_the_mark() {
    let net = Net::new();
    support::copy(&demo_image(), &net.path("assets/raw/7/demo.img.bz2"));
    let service = Service::start(
        &net,
        "[install]\nprofile = 'raw'\ndisk = 'smallest'\nconsole = 'ttyS0,115200'\n\
         [[node]]\nname = 'bios'\nmac = '52:54:00:00:00:01'\n",
    );
    service.cli(&["arm"]);
    let mut node = Node::plug(&net, BINARY, "bios", "52:54:00:00:00:01", Firmware::Bios);
    // It holds the drivers of every card there is.
    node.machine.memory = 512;
    // Smaller than anything that can be a target, in sectors of 4096 bytes.
    let small = net.write("small.img", vec![7; 2 << 20]);
    node.hardware = [
        "-drive",
        &format!("if=none,id=small,format=raw,file={}", small.display()),
        "-device",
        "virtio-blk-pci,drive=small,logical_block_size=4096,physical_block_size=4096",
    ]
    .map(str::to_owned)
    .to_vec();
    node.switch_on();
    node.wait_up(1);
    service.wait_for("stage=installed", SOON);
    let known = service.node("bios");
    assert_eq!((&known["writes"], &known["installed"]["version"]), (&1.into(), &"7".into()), "{known}");
    node.wait_console("write-image: demo.img.bz2 is on /dev/vda", 1, INSTALL);
    // The system has run from its disk meanwhile.
    let mark = mark_of(&node.machine.disk());
    assert!(
        mark.starts_with("rackberry mark 1\nprofile raw\nversion 7\nnode bios\nmac 52:54:00:00:00:01\n"),
        "{mark}"
    );

    let _failing = failing::server(&net);
    let script = render(&service, "bios")["script"].as_str().unwrap().to_owned();
    net.write("assets/cloud-configs/install.sh", second_install(&script));
    service.cli(&["arm", "--again", "bios"]);
    node.machine.reset().unwrap();
    node.wait_console(
        "failed while configuring: /dev/vda has raw 7, which rackberry installed for bios",
        1,
        INSTALL,
    );
    for case in ["403", "404", "503", "empty", "html", "hangup", "nobody", "read-only", "stopped"] {
        node.wait_console(&format!("case {case}: untouched"), 1, INSTALL);
    }
    for case in ["cut", "digest", "small"] {
        node.wait_console(&format!("case {case}: wiped"), 1, INSTALL);
    }
    // A sector of 512 bytes has its place on disks that have none.
    node.wait_console("case 4096: has a mark", 1, INSTALL);
    node.wait_up(2);
    assert_eq!(service.node("bios")["writes"], 2);
    assert_eq!(mark_of(&node.machine.disk()).lines().next(), mark.lines().next());
}

/// There is no mirror in this network: what the installer's later steps would run is run at its first one, with a disk
/// that has a driver there. At last as if the state that knows of this machine had been lost.
const EARLY: &str = "modprobe -a xhci-pci usb-storage sd_mod vfat nls_ascii nls_cp437; \
     while [ ! -e /dev/sda1 ]; do sleep 1; done; \
     /lib/partman/init.d/01rackberry; \
     mkdir -p /target; mount /dev/sda1 /target; /usr/lib/finish-install.d/94rackberry; umount /target; \
     sed -i \"s/^overwrite_marked=.*/overwrite_marked=''/; s/reboot -f/exit/\" /lib/rackberry.sh; \
     /lib/partman/init.d/01rackberry; true";

#[test]
fn debians_own_installer_takes_its_answers_asks_for_leave_marks_its_disk_and_reports() {
    let net = Net::new();
    let images = Path::new("/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64");
    for file in ["linux", "initrd.gz"] {
        support::copy(&images.join(file), &net.path("assets/debian/12").join(file));
    }
    // There is no mirror in this network: what the installer's later steps would run is run at the first one. The answers
    // name others beside themselves, a script of their own among them, and keep what they say of the disks.
    net.write(
        "assets/cloud-configs/default.preseed.j2",
        format!(
            "d-i debian-installer/locale string C\nd-i keyboard-configuration/xkb-keymap select us\n\
             d-i netcfg/get_hostname string {{{{ node.name }}}}\nd-i preseed/include string parts/more.cfg\n\
             d-i preseed/run string parts/own.sh\nd-i partman-auto/disk string /dev/vda /dev/vdb\n\
             d-i preseed/early_command string {EARLY}\n"
        ),
    );
    net.write("assets/cloud-configs/parts/more.cfg", "d-i mirror/country string manual\n");
    net.write(
        "assets/cloud-configs/parts/own.sh",
        "#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_get partman-auto/disk\ndb_get mirror/country && disks=$RET\n\
         db_get partman-auto/disk && echo \"own script: $disks, $RET\" >/dev/console\n",
    );
    let usb = net.path("usb.img");
    net.run(&format!(
        "truncate -s 16M {0}; echo 'start=2048, type=c' | /usr/sbin/sfdisk --quiet {0}; /usr/sbin/mkfs.vfat --offset 2048 {0} 15360 >/dev/null",
        usb.display()
    ));
    let service = Service::start(
        &net,
        "[install]\nprofile = 'debian'\ndisk = '/dev/vda'\nconsole = 'ttyS0,115200'\n\
         [[node]]\nname = 'bios'\nmac = '52:54:00:00:00:01'\n",
    );
    service.cli(&["arm"]);
    let mut node = Node::plug(&net, BINARY, "bios", "52:54:00:00:00:01", Firmware::Bios);
    // With less, the installer stops and says so.
    node.machine.memory = 1024;
    node.hardware = [
        "-device",
        "qemu-xhci",
        "-drive",
        &format!("if=none,id=usb,format=raw,file={}", usb.display()),
        "-device",
        "usb-storage,drive=usb",
    ]
    .map(str::to_owned)
    .to_vec();
    node.mark_disk();
    node.switch_on();
    service.wait_for("node=\"bios\" stage=installing", INSTALL);
    service.wait_for("node=\"bios\" stage=written", INSTALL);
    node.wait_console("own script: manual, /dev/vda /dev/vdb", 1, SOON);
    let known = service.node("bios");
    assert_eq!((&known["writes"], &known["granted"]), (&1.into(), &false.into()), "{known}");
    assert!(node.is_disk_untouched(), "the installer has not come that far");
    node.wait_console("rackberry: /dev/sda has debian 12, which rackberry installed for bios", 1, INSTALL);
    let mark = mark_of(&usb);
    assert!(mark.starts_with("rackberry mark 1\nprofile debian\nversion 12\nnode bios\n"), "{mark}");
}
