//! The built image, taken apart: files of the FAT partition and of the system, as plain folders.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{board, stick::run};

/// Where the FAT partition begins, as mtools wants it.
const FAT: &str = "@@4M";
/// Where slot A begins, and its size, in MiB.
const SYSTEM: (u32, u32) = (152, 112);

/// A card, and what the firmware and the kernel find on it.
pub struct Card {
    dir: TempDir,
}

impl Card {
    /// Takes the image apart.
    pub fn open() -> Card {
        let dir = tempfile::tempdir().expect("a folder");
        let card = Card { dir };
        let image = board::image();
        fs::create_dir(card.fat("")).expect("a folder");
        run("mcopy", &["-s", "-n", "-i", &format!("{}{FAT}", image.display()), "::/*", &text(&card.fat(""))]);
        let system = card.dir.path().join("system");
        let (start, size) = SYSTEM;
        let (input, output) = (format!("if={}", image.display()), format!("of={}", system.display()));
        run(
            "dd",
            &[&input, &output, "bs=1M", &format!("skip={start}"), &format!("count={size}"), "status=none"],
        );
        run("fsck.erofs", &[&format!("--extract={}", card.root("").display()), &text(&system)]);
        card
    }

    /// A file of the FAT partition.
    pub fn fat(&self, name: &str) -> PathBuf {
        self.dir.path().join("fat").join(name)
    }

    /// A file of the system.
    pub fn root(&self, name: &str) -> PathBuf {
        self.dir.path().join("root").join(name)
    }

    /// A kernel, unpacked as the firmware does.
    pub fn kernel(&self, name: &str) -> Vec<u8> {
        let packed = File::open(self.fat(name)).expect("a kernel");
        let unpacked = Command::new("gzip").arg("-dc").stdin(packed).output().expect("gzip");
        assert!(unpacked.status.success(), "{name} is packed by gzip");
        unpacked.stdout
    }

    /// The folder with an initramfs's files.
    pub fn initramfs(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name.replace('/', "-"));
        if !folder.exists() {
            fs::create_dir(&folder).expect("a folder");
            let mut zstd = Command::new("zstd")
                .args(["-q", "-d", "-c"])
                .arg(self.fat(name))
                .stdout(Stdio::piped())
                .spawn()
                .expect("zstd");
            let packed = zstd.stdout.take().expect("a pipe");
            let mut cpio = Command::new("cpio");
            cpio.args(["--extract", "--quiet", "--no-preserve-owner"]).current_dir(&folder).stdin(packed);
            assert!(cpio.status().expect("cpio").success() && zstd.wait().expect("zstd").success(), "{name}");
        }
        folder
    }

    /// A device tree, with an overlay laid over it.
    pub fn tree(&self, name: &str, overlay: Option<&str>) -> Vec<u8> {
        let Some(overlay) = overlay else { return fs::read(self.fat(name)).expect("a device tree") };
        let both = self.dir.path().join("both.dtb");
        run("fdtoverlay", &["-i", &text(&self.fat(name)), "-o", &text(&both), &text(&self.fat(overlay))]);
        fs::read(both).expect("a device tree")
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
