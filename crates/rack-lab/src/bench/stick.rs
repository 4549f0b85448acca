//! USB disks as people bring them: a file system, with or without a partition table, and a tree of operating systems.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{Net, board::Board, text_of, wait_until};

/// What is plugged in is listed within this.
const SOON: Duration = Duration::from_secs(60);
/// Where the partition begins, if there is one, in MiB.
const START: u64 = 1;

/// A file system that is made, with its files, without mounting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// FAT32.
    Fat,
    /// ext4.
    Ext4,
}

/// What is made on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Its file system.
    pub kind: FileSystem,
    /// Size of that, in MiB.
    pub mib: u64,
    /// Whether it lies in a partition, or is all of the disk.
    pub has_table: bool,
}

/// Where an operating system lies in a disk's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As in 2016: the version is at its top.
    Flat,
    /// In the folder of its profile.
    ByProfile,
}

/// A disk that holds what is in `folder`.
pub fn stick(net: &Net, name: &str, folder: &Path, format: Format) -> PathBuf {
    let Format { kind, mib, has_table } = format;
    let system = net.path(&format!("{name}.fs"));
    blank(&system, mib);
    let path = system.display().to_string();
    match kind {
        FileSystem::Fat => {
            run("mkfs.vfat", &["-n", "STICK", &path]);
            let entries = std::fs::read_dir(folder).expect("a folder").flatten();
            let files: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
            let mut arguments = vec!["-s", "-i", &path];
            arguments.extend(files.iter().map(String::as_str));
            arguments.push("::/");
            run("mcopy", &arguments);
        }
        FileSystem::Ext4 => {
            run("mke2fs", &["-q", "-F", "-t", "ext4", "-d", &folder.display().to_string(), &path])
        }
    }
    if !has_table {
        return system;
    }
    let disk = net.path(&format!("{name}.img"));
    blank(&disk, START + mib);
    let disk_path = disk.display().to_string();
    let kind = if kind == FileSystem::Fat { "c" } else { "83" };
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

/// A complete operating system of a few bytes: the lines of shell that make it in the present folder.
pub fn tree(folder: Option<&str>, layout: Layout, version: &str) -> String {
    let profile = if layout == Layout::Flat { "" } else { "coreos/" };
    let place = format!("{}{profile}{version}", folder.map(|name| format!("{name}/")).unwrap_or_default());
    format!(
        "mkdir -p {place}; for file in pxe.vmlinuz pxe_image.cpio.gz image.bin.bz2 image.bin.bz2.sig; do \
         echo $file >{place}/coreos_production_$file; done"
    )
}

/// Each tree that the docs know, at the top and in the folder, on FAT and ext4, with a partition table and without; and
/// a disk that is somebody's own.
pub fn all_are_found(net: &Net, board: &Board) {
    let mut number = 0;
    for kind in [FileSystem::Fat, FileSystem::Ext4] {
        for (folder, layout) in trees("rackberry") {
            number += 1;
            let (name, version) = (format!("stick{number}"), format!("{number}.7.0"));
            let place = net.path(&name);
            std::fs::create_dir(&place).expect("a folder");
            net.run(&format!("cd {}; {}", place.display(), tree(folder, layout, &version)));
            let has_table = number % 2 == 0;
            let disk = stick(net, &format!("{name}-disk"), &place, Format { kind, mib: 16, has_table });
            let plugged = board.lines();
            board.plug_usb(&name, &disk);
            board.wait_for(if has_table { "sda1 is served" } else { "sda is served" }, plugged);
            is_listed(board, &version);
            board.pull_usb(&name);
            board.wait_for("is gone", plugged);
        }
    }
    let photos = net.path("photos");
    net.write("photos/DCIM/IMG_1.JPG", "a holiday");
    let disk = stick(net, "photos-disk", &photos, Format { kind: FileSystem::Fat, mib: 16, has_table: true });
    let plugged = board.lines();
    board.plug_usb("photos", &disk);
    board.wait_for("sda1: it has neither a folder rackberry nor an operating system", plugged);
    board.pull_usb("photos");
    board.wait_for("is gone", plugged);
}

/// Folders and layouts; the last one names the folder as a person may.
fn trees(last: &'static str) -> [(Option<&'static str>, Layout); 4] {
    [
        (None, Layout::Flat),
        (Some("rackberry"), Layout::Flat),
        (None, Layout::ByProfile),
        (Some(last), Layout::ByProfile),
    ]
}

fn is_listed(board: &Board, version: &str) {
    wait_until(&format!("{version} is found"), SOON, || {
        board.ssh("rackberry", "assets list").contains(version)
    });
}

/// The same on file systems that nothing here can fill: the board itself does, by its kernel's drivers. Root may log in.
pub fn other_kinds_are_found(net: &Net, board: &Board) {
    let mut number = 20;
    for (program, arguments, driver) in
        [("mkfs.exfat", &[][..], "exfat"), ("mkntfs", &["-q", "-F", "-f"], "ntfs3")]
    {
        let disk = net.path(program);
        blank(&disk, 32);
        run(program, &[arguments, &[&disk.display().to_string()]].concat());
        let mut name = driver.to_owned();
        let plugged = board.lines();
        board.plug_usb(&name, &disk);
        board.wait_for("sda: it has neither a folder rackberry nor an operating system", plugged);
        for (folder, layout) in trees("Rackberry") {
            number += 1;
            let version = format!("{number}.7.0");
            let made = tree(folder, layout, &version);
            board.ssh(
                "root",
                &format!(
                    "systemctl stop rackberry-usb@sda && mount -t {driver} /dev/sda /mnt && cd /mnt && rm -rf -- * && \
                     {{ {made}; }} && cd / && umount /mnt"
                ),
            );
            board.pull_usb(&name);
            board.ssh("root", "while [ -e /dev/sda ]; do sleep 0.2; done");
            name = format!("{driver}{number}");
            let plugged = board.lines();
            board.plug_usb(&name, &disk);
            board.wait_for("sda is served", plugged);
            is_listed(board, &version);
        }
        let plugged = board.lines();
        board.pull_usb(&name);
        board.wait_for("sda is gone", plugged);
    }
}
