//! Parts of the SD image's first process, by themselves.

use std::fs;

use crate::{
    rig::{Machine, Tools},
    support::root,
};

/// The text of a function of the initramfs.
fn function(name: &str) -> String {
    let text = fs::read_to_string(root().join("image/card/initramfs/init")).unwrap();
    let start = text.find(&format!("\n{name}() {{\n")).unwrap_or_else(|| panic!("there is no {name}"));
    let end = text[start..].find("\n}\n").unwrap();
    text[start..start + end + 3].to_owned()
}

#[test]
fn what_is_said_of_the_data_partition_is_what_was_done() {
    for (first, second, mounts, said) in [
        (0, 0, true, ""),
        (1, 0, true, ""),
        (2, 0, true, ""),
        (4, 1, true, "the data partition was damaged and has been mended"),
        (8, 2, true, "the data partition was damaged and has been mended"),
        (4, 4, true, "the data partition is damaged and could not be mended (e2fsck ended with 4)"),
        (4, 12, true, "the data partition is damaged and could not be mended (e2fsck ended with 12)"),
        // It cannot even be run.
        (127, 127, true, "the data partition is damaged and could not be mended (e2fsck ended with 127)"),
        (8, 8, false, "the data partition is damaged and could not be mended (e2fsck ended with 8)"),
        (0, 0, false, "the data partition can not be mounted"),
    ] {
        let machine = Machine::new(Tools::Busybox);
        let dir = machine.dir.path().display();
        machine.program("e2fsck.static", &format!("[ \"$1\" = -p ] && exit {first}; exit {second}"));
        let ends = if mounts { 0 } else { 32 };
        let run = machine.run(&format!(
            "mkdir /run/rackberry-boot
             fault() {{ echo \"fault: $*\"; }}
             mount() {{ case $* in *tmpfs*) echo in memory ;; *) return {ends} ;; esac; }}
             {}
             mount_data {dir}/device",
            function("mount_data")
        ));
        let faults: Vec<&str> = run.said.lines().filter_map(|line| line.strip_prefix("fault: ")).collect();
        assert!(
            faults.first().map_or(said.is_empty(), |fault| fault.starts_with(said) && !said.is_empty()),
            "{said}: {}",
            run.said
        );
        assert_eq!(run.said.contains("in memory"), !mounts, "{}", run.said);
    }
}

#[test]
fn the_data_partition_grows_to_the_cards_end_or_stays() {
    let machine = Machine::new(Tools::Busybox);
    let card = machine.disk("mmcblk0", (64 << 20) / 512);
    let mut bytes = vec![0; 64 << 20];
    let entry = 446 + 3 * 16;
    bytes[entry + 8..entry + 12].copy_from_slice(&16384u32.to_le_bytes());
    bytes[entry + 12..entry + 16].copy_from_slice(&8192u32.to_le_bytes());
    let grow = format!(
        "card=mmcblk0\nsay() {{ echo \"$*\"; }}\nfault() {{ echo \"fault: $*\"; }}\n{}\ngrow_data 4\necho done",
        function("grow_data")
    );
    // A card that can't be read, as far as this goes: too short for a table.
    fs::write(&card, [0; 100]).unwrap();
    assert_eq!(machine.run(&grow).said, "done\n");
    fs::write(&card, &bytes).unwrap();
    assert_eq!(machine.run(&grow).said, "the data partition grew from 4 to 56 MiB\ndone\n");
    let after = fs::read(&card).unwrap();
    assert_eq!(after[entry + 12..entry + 16], (131_072u32 - 16384).to_le_bytes());
    bytes[entry + 12..entry + 16].copy_from_slice(&(131_072u32 - 16384).to_le_bytes());
    assert!(after == bytes, "nothing else changed");
    assert_eq!(machine.run(&grow).said, "done\n", "it is as long as it can be");
}
