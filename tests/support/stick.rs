//! USB disks as people bring them: a file system, with or without a partition table, and a tree of operating systems.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Net, text_of};

/// Where the partition begins, if there is one, in MiB.
const START: u64 = 1;

/// A file system that is made, with its files, without mounting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fat,
    Ext4,
}

/// A disk of so many MiB that holds what is in `folder`, and has a partition or none.
pub fn stick(net: &Net, name: &str, kind: Kind, folder: &Path, mib: u64, partitioned: bool) -> PathBuf {
    let system = net.path(&format!("{name}.fs"));
    blank(&system, mib);
    let path = system.display().to_string();
    match kind {
        Kind::Fat => {
            run("mkfs.vfat", &["-n", "STICK", &path]);
            let entries = std::fs::read_dir(folder).expect("a folder").flatten();
            let files: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
            let mut arguments = vec!["-s", "-i", &path];
            arguments.extend(files.iter().map(String::as_str));
            arguments.push("::/");
            run("mcopy", &arguments);
        }
        Kind::Ext4 => run("mke2fs", &["-q", "-F", "-t", "ext4", "-d", &folder.display().to_string(), &path]),
    }
    if !partitioned {
        return system;
    }
    let disk = net.path(&format!("{name}.img"));
    blank(&disk, START + mib);
    let disk_path = disk.display().to_string();
    let kind = if kind == Kind::Fat { "c" } else { "83" };
    net.run(&format!("echo 'start={START}MiB, type={kind}' | /usr/sbin/sfdisk --quiet {disk_path}"));
    run(
        "dd",
        &[
            &format!("if={path}"),
            &format!("of={disk_path}"),
            "bs=1M",
            &format!("seek={START}"),
            "conv=notrunc,sparse",
            "status=none",
        ],
    );
    disk
}

/// A disk of so many MiB with nothing on it.
pub fn blank(path: &Path, mib: u64) {
    File::create(path).and_then(|file| file.set_len(mib << 20)).expect("a disk");
}

/// Runs a program of Debian's, which must succeed.
pub fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    text_of(&format!("{program} {}", arguments.join(" ")), output);
}

/// A complete operating system of a few bytes: the lines of shell that make it in the present folder. The tree of 2016
/// has the version at its top.
pub fn tree(folder: Option<&str>, flat: bool, version: &str) -> String {
    let profile = if flat { "" } else { "coreos/" };
    let place = format!("{}{profile}{version}", folder.map(|name| format!("{name}/")).unwrap_or_default());
    format!(
        "mkdir -p {place}; for file in pxe.vmlinuz pxe_image.cpio.gz image.bin.bz2 image.bin.bz2.sig; do \
         echo $file >{place}/coreos_production_$file; done"
    )
}
