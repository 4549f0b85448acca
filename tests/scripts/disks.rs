//! The install script and the machine's disks: which one is meant, and the mark of those that were installed.

use std::fs;

use serde_json::json;

use crate::{
    install::{failure, install, machine, script, told, willing},
    rig::{Machine, Tools},
    support::machine::mark_of,
};

const MARK: &str = "rackberry mark 1\nprofile coreos\nversion 1010.5.0\nnode old7\nmac 00:25:90:c0:f7:86\ndate 2026-11-28\nend of mark";

#[test]
fn a_disk_that_is_not_meant_is_named_with_those_that_are_there() {
    type Prepare = fn(&Machine);
    let cases: [(&str, Prepare, &str, &str); 7] = [
        ("/dev/sdz", |_| {}, "no-disk", "there is no disk /dev/sdz; this machine has: /dev/nvme0n1 /dev/sda"),
        (
            "/dev/sdz",
            |machine| remove_disks(machine),
            "no-disk",
            "there is no disk /dev/sdz; this machine has: no disk",
        ),
        (
            "/dev/sda1",
            |machine| drop(machine.write("dev/sda1", "")),
            "wrong-disk",
            "/dev/sda1 is a partition; only whole disks can be installed on, and this machine has: /dev/nvme0n1 /dev/sda",
        ),
        (
            "/dev/sda",
            |machine| drop(machine.write("sys/class/block/sda/ro", "1\n")),
            "wrong-disk",
            "/dev/sda is read-only; only whole disks can be installed on, and this machine has: /dev/nvme0n1",
        ),
        (
            "/dev/mapper",
            |machine| drop(machine.write("dev/mapper", "")),
            "wrong-disk",
            "/dev/mapper is not a block device; only whole disks can be installed on, and this machine has: /dev/nvme0n1 /dev/sda",
        ),
        ("smallest", |machine| remove_disks(machine), "no-disk", "this machine has no disk to install on"),
        (
            "smallest",
            |machine| {
                ["sda", "nvme0n1"]
                    .iter()
                    .for_each(|disk| drop(machine.write(&format!("sys/class/block/{disk}/removable"), "1\n")))
            },
            "no-disk",
            "this machine has no disk to install on",
        ),
    ];
    for (at, (target, prepare, cause, words)) in cases.into_iter().enumerate() {
        for tools in Tools::ALL {
            let (machine, appliance) = (machine(tools), willing());
            machine.disk("nvme0n1", 70_000);
            prepare(&machine);
            let run = machine.run(&script(&appliance.url(), |context| context.disk = target.into()));
            let (stage, known, message) = failure(&appliance, &run);
            assert_eq!(
                (stage.as_str(), &known, message.as_str()),
                ("configuring", &json!(cause), words),
                "{at} {tools:?}\n{}",
                run.said
            );
            assert!(
                !run.said.contains("written"),
                "{at} {tools:?}: the installer was not to be run:\n{}",
                run.said
            );
        }
    }
}

fn remove_disks(machine: &Machine) {
    fs::remove_dir_all(machine.path("sys/class/block")).unwrap();
    fs::create_dir(machine.path("sys/class/block")).unwrap();
}

#[test]
fn the_smallest_disk_is_the_smallest_fixed_one_of_a_useful_size() {
    for tools in Tools::ALL {
        let (machine, appliance) = (machine(tools), willing());
        for (name, sectors) in
            [("sdb", 100_000), ("nvme0n1", 70_000), ("sdc", 66_000), ("mmcblk0boot0", 66_000)]
        {
            machine.disk(name, sectors);
        }
        machine.write("sys/class/block/sdc/removable", "1\n");
        machine.write("sys/class/block/sdd/size", "not read\n");
        machine.partition("nvme0n1", 1, 2048, 4096);
        let run = machine.run(&script(&appliance.url(), |context| context.disk = "smallest".into()));
        assert_eq!(appliance.reports()[0]["message"], "target /dev/nvme0n1", "{tools:?}\n{}", run.said);
        assert!(mark_of(&machine.path("dev/nvme0n1")).contains("profile"), "{tools:?}\n{}", run.said);
    }
}

/// A disk with a mark on it, as another install left it.
fn marked(tools: Tools, mark: &str) -> Machine {
    let machine = machine(tools);
    let mut disk = fs::read(machine.path("dev/sda")).unwrap();
    disk[2047 * 512..2047 * 512 + mark.len()].copy_from_slice(mark.as_bytes());
    fs::write(machine.path("dev/sda"), disk).unwrap();
    machine
}

#[test]
fn a_permission_for_everybody_does_not_overwrite_what_was_installed_before() {
    let later = "rackberry mark 12\nprofile coreos\nversion 1010.5.0\nsomething new\nnode old7\nmac 00:25:90:c0:f7:86\nend of mark";
    for (tools, mark, date) in [
        (Tools::Bash, MARK, " on 2026-11-28"),
        (Tools::Dash, MARK, " on 2026-11-28"),
        (Tools::Busybox, MARK, " on 2026-11-28"),
        (Tools::Busybox, later, ""),
    ] {
        let (machine, appliance) = (marked(tools, mark), willing());
        let before = fs::read(machine.path("dev/sda")).unwrap();
        let run = machine.run(&script(&appliance.url(), |context| context.overwrite_marked = ""));
        assert_eq!(
            failure(&appliance, &run),
            (
                "configuring".into(),
                json!("marked-disk"),
                format!(
                    "/dev/sda has coreos 1010.5.0, which rackberry installed for old7 (00:25:90:c0:f7:86){date}, and a permission for \
                     everybody does not overwrite that; name the node: rackberry arm node1"
                )
            ),
            "{tools:?}\n{}",
            run.said
        );
        assert!(
            before == fs::read(machine.path("dev/sda")).unwrap() && !run.said.contains("written"),
            "{tools:?}"
        );
        // Named, it is let through, and has a mark of its own then.
        let appliance = willing();
        let run = install(&machine, &appliance);
        assert_eq!(
            told(&appliance),
            [("configuring".into(), true), ("written".into(), true)],
            "{tools:?}\n{}",
            run.said
        );
        assert!(mark_of(&machine.path("dev/sda")).contains("\nnode node1\n"), "{tools:?}");
    }
}

#[test]
fn only_a_whole_mark_is_one() {
    let cases = [
        "",
        "rackberry mark 1\nprofile coreos\n",
        "rackberry marks 1\nend of mark",
        "x rackberry mark 1\nend of mark",
        "rackberry mark 1\nend of marks",
    ];
    for mark in cases {
        for tools in Tools::ALL {
            let (machine, appliance) = (marked(tools, mark), willing());
            let run = machine.run(&script(&appliance.url(), |context| context.overwrite_marked = ""));
            assert_eq!(
                told(&appliance).last().unwrap(),
                &("written".into(), true),
                "{mark:?} {tools:?}\n{}",
                run.said
            );
            // What is no mark is somebody else's, and stays.
            let left = mark_of(&machine.path("dev/sda"));
            assert!(
                if mark.is_empty() { left.contains("node1") } else { left == mark },
                "{mark:?} {tools:?}: {left}"
            );
        }
    }
}

/// Writes a real GPT, by sfdisk's own hand.
fn table(machine: &Machine, lines: &str) {
    let text = format!("label: gpt\nfirst-lba: 2048\n{lines}");
    let mut child = std::process::Command::new("/usr/sbin/sfdisk")
        .args(["--quiet", "--no-reread"])
        .arg(machine.path("dev/sda"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn put(machine: &Machine, at: usize, bytes: &[u8]) {
    let mut disk = fs::read(machine.path("dev/sda")).unwrap();
    disk[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(machine.path("dev/sda"), disk).unwrap();
}

/// A disk after an install, what is done to it, and why it gets no mark, if so.
type Place = (&'static str, fn(&Machine), Option<&'static str>);

/// Where partitions are.
const PARTITIONS: [Place; 6] = [
    ("a GPT as every tool makes it", |machine| table(machine, "start=2048, size=2048\n"), None),
    ("a partition from the first MiB on", |machine| machine.partition("sda", 2, 2048, 100), None),
    ("one that ends just before", |machine| machine.partition("sda", 2, 64, 1983), None),
    (
        "one that ends there",
        |machine| machine.partition("sda", 2, 64, 1984),
        Some("its partition sda2 covers the place"),
    ),
    (
        "one that begins there",
        |machine| machine.partition("sda", 2, 2047, 1),
        Some("its partition sda2 covers the place"),
    ),
    (
        "a file system on the bare disk",
        |machine| fs::remove_dir_all(machine.path("sys/class/block/sda/sda1")).unwrap(),
        Some("it has no partitions, so what it holds may cover the place"),
    ),
];
/// What else may be in the sector.
const OTHERS: [Place; 6] = [
    (
        "a hybrid ISO",
        |machine| put(machine, 32769, b"CD001"),
        Some("it holds an ISO 9660 image, which covers the place"),
    ),
    (
        "a boot loader in the gap",
        |machine| put(machine, 2047 * 512 + 300, b"\x90"),
        Some("the place is in use, by a boot loader perhaps"),
    ),
    (
        "a GPT whose entries make room for a boot loader",
        |machine| {
            table(machine, "start=2048, size=2048\n");
            put(machine, 512 + 72, &2016u64.to_le_bytes());
        },
        Some("its partition table may cover the place"),
    ),
    (
        "a GPT of very many entries",
        |machine| {
            table(machine, "start=2048, size=2048\n");
            put(machine, 512 + 80, &8192u32.to_le_bytes());
        },
        Some("its partition table may cover the place"),
    ),
    (
        "sectors of 4096 bytes",
        |machine| {
            drop(machine.write("sys/class/block/sda/queue/logical_block_size", "4096\n"));
            table(machine, "start=2048, size=2048\n");
            let header = fs::read(machine.path("dev/sda")).unwrap()[512..1024].to_vec();
            put(machine, 512, &[0; 512]);
            put(machine, 4096, &header);
        },
        None,
    ),
    (
        "partitions that cannot be read again",
        |machine| drop(machine.write("busy", "")),
        Some("its partitions cannot be read again"),
    ),
];

#[test]
fn the_mark_goes_only_where_nothing_else_can_be() {
    for (at, (what, prepare, refused)) in PARTITIONS.into_iter().chain(OTHERS).enumerate() {
        let tools = Tools::ALL[at % 3];
        let (machine, appliance) = (machine(tools), willing());
        prepare(&machine);
        let before = fs::read(machine.path("dev/sda")).unwrap()[..1 << 20].to_vec();
        let run = install(&machine, &appliance);
        let after = fs::read(machine.path("dev/sda")).unwrap()[..1 << 20].to_vec();
        let message = appliance.reports().last().unwrap()["message"].as_str().unwrap().to_owned();
        match refused {
            None => {
                assert!(
                    mark_of(&machine.path("dev/sda")).contains("node1"),
                    "{what} {tools:?}\n{}",
                    run.said
                );
                assert!(before[..2047 * 512] == after[..2047 * 512], "{what}");
                assert_eq!(message, "4230.2.0 is on /dev/sda", "{what}");
            }
            Some(words) => {
                let log = appliance.reports().last().unwrap()["log"].as_str().unwrap().to_owned();
                assert!(
                    log.contains("/dev/sda gets no mark that rackberry installed it: "),
                    "kept with the node: {log}"
                );
                assert!(before == after, "{what} {tools:?}\n{}", run.said);
                assert_eq!(
                    message,
                    format!("4230.2.0 is on /dev/sda, which has no mark: {words}"),
                    "{tools:?}\n{}",
                    run.said
                );
            }
        }
    }
}
