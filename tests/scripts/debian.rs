//! What Debian's installer is given to run, by itself.

use std::fs;

use serde_json::json;

use crate::{
    install::{failure, rendered, willing},
    rig::{Appliance, Machine, Reply, Run, Tools},
    support::{machine::mark_of, root},
};

/// Runs the script, and then one of those that it leaves; or another line.
fn run(machine: &Machine, appliance: &Appliance, overwrite_marked: &'static str, then: &str) -> Run {
    let text = fs::read_to_string(root().join("profiles/debian/run.sh")).unwrap();
    let text = rendered(&text, &appliance.url(), |context| {
        context.profile = "debian".into();
        context.version = "12".into();
        context.overwrite_marked = overwrite_marked;
    });
    // Its own tree is that of a machine in memory. What it leaves is read here, so that a restart is only noted.
    let text = text
        .replace("/lib/", "/run/lib/")
        .replace("/usr/run/lib/", "/run/usr/lib/")
        .replace(">/dev/console", "");
    machine.run(&format!("mkdir -p /run/lib\n{text}\nset -u\n{then}"))
}

fn machine() -> Machine {
    let machine = Machine::new(Tools::Busybox);
    for disk in ["sda", "sdb"] {
        machine.disk(disk, 8192);
        machine.partition(disk, 1, 2048, 2048);
        machine.partition(disk, 2, 4096, 2048);
    }
    machine.program("list-devices", "echo /dev/sda; echo /dev/sdb");
    machine
}

const BEGIN: &str = ". /run/lib/partman/init.d/01rackberry";
const END: &str = ". /run/usr/lib/finish-install.d/94rackberry";

#[test]
fn the_installer_asks_for_leave_and_says_which_machine_it_is() {
    let (machine, appliance) = (machine(), willing());
    machine.write("sys/class/dmi/id/product_serial", "S1\n");
    let run = run(&machine, &appliance, "yes", BEGIN);
    let reports = appliance.reports();
    assert_eq!(reports.len(), 1, "{}", run.said);
    assert_eq!((&reports[0]["stage"], &reports[0]["ok"]), (&json!("installing"), &json!(true)));
    assert_eq!(reports[0]["machine"], json!({ "serial": "S1", "macs": [] }));
    serde_json::from_value::<rackberry_core::appliance::Report>(reports[0].clone()).unwrap();
    assert_eq!(run.steps, [""; 0], "it goes on");
}

#[test]
fn without_leave_the_machine_starts_again() {
    let machine = machine();
    let appliance = Appliance::start(|_, _| Reply::Status(403, b"{}".to_vec()));
    let run = run(&machine, &appliance, "yes", BEGIN);
    assert_eq!(run.steps, ["sleep 10", "reboot -f"], "{}", run.said);
}

#[test]
fn a_marked_disk_among_all_disks_stops_a_permission_for_everybody() {
    let (machine, appliance) = (machine(), willing());
    let mark =
        b"rackberry mark 1\nprofile coreos\nversion 1010.5.0\nnode old7\nmac 00:25:90:c0:f7:86\nend of mark";
    let mut disk = fs::read(machine.path("dev/sdb")).unwrap();
    disk[2047 * 512..2047 * 512 + mark.len()].copy_from_slice(mark);
    fs::write(machine.path("dev/sdb"), disk).unwrap();
    let stopped = run(&machine, &appliance, "", BEGIN);
    assert_eq!(stopped.steps, ["sleep 10", "reboot -f"], "{}", stopped.said);
    let (stage, cause, message) = failure(&appliance, &stopped);
    assert_eq!((stage.as_str(), cause), ("configuring", json!("marked-disk")));
    assert!(
        message.starts_with("/dev/sdb has coreos 1010.5.0, which rackberry installed for old7"),
        "{message}"
    );
    // Named, it passes.
    machine.write("steps", "");
    let appliance = willing();
    let passed = run(&machine, &appliance, "yes", BEGIN);
    assert_eq!((appliance.reports().len(), passed.steps.len()), (1, 0), "{}", passed.said);
}

/// The new system on a partition, on LVM, on LVM on RAID on two disks, and nowhere.
#[test]
fn the_disks_that_hold_the_new_system_get_the_mark() {
    for (mounted, slaves, marked) in [
        ("sda2", &[][..], &["sda"][..]),
        ("dm-0", &[("dm-0", "sdb2")], &["sdb"]),
        ("dm-0", &[("dm-0", "md0"), ("md0", "sda2"), ("md0", "sdb2")], &["sda", "sdb"]),
        ("md0", &[("md0", "sda1"), ("md0", "sda2")], &["sda"]),
        ("", &[], &[]),
    ] {
        let (machine, appliance) = (machine(), willing());
        for (upper, lower) in slaves {
            machine.write(&format!("sys/class/block/{upper}/slaves/{lower}/size"), "1");
        }
        if !mounted.is_empty() {
            machine.write(&format!("dev/{mounted}"), "");
            machine.write("mounts-of-it", format!("none /proc proc rw 0 0\n/dev/{mounted} /target ext4 rw 0 0\n/dev/sdb1 /target/home ext4 rw 0 0\n"));
        } else {
            machine.write("mounts-of-it", "none /proc proc rw 0 0\n");
        }
        let mounts = machine.path("mounts-of-it").display().to_string();
        let then = format!("sed -i 's|/proc/mounts|{mounts}|' /run/lib/rackberry.sh; {END}");
        let run = run(&machine, &appliance, "yes", &then);
        let report = appliance.reports().pop().unwrap_or_else(|| panic!("{}", run.said));
        assert_eq!((&report["stage"], &report["ok"]), (&json!("written"), &json!(true)), "{}", run.said);
        for disk in ["sda", "sdb"] {
            let mark = mark_of(&machine.path(&format!("dev/{disk}")));
            assert_eq!(
                mark.contains("profile debian\nversion 12\nnode node1"),
                marked.contains(&disk),
                "{mounted} {disk}: {mark}\n{}",
                run.said
            );
        }
        let log = report["log"].as_str().unwrap();
        assert_eq!(
            log,
            if marked.is_empty() { "no disk has a mark: none is mounted at /target" } else { "" }
        );
    }
}
