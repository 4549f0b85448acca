//! `rackberry image tree`: which folder of a USB disk is served, if any. The service's own reading of asset folders says
//! so, and not a list of names beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::storage::scan;

/// The folder that people are told to make.
const OWN: &str = "rackberry";
/// Folders at a disk's top that say, without an operating system, that it is meant for this.
const TELLING: [&str; 3] = ["cloud-configs", "profiles", "pxelinux.cfg"];

/// Prints the folder to serve.
///
/// # Errors
/// When there is none.
pub fn tree(volume: &Path, loaders: &Path) -> anyhow::Result<()> {
    let found = choose(volume, loaders).map_err(|why| anyhow::anyhow!(why))?;
    println!("{}", found.display());
    Ok(())
}

/// The folder `rackberry` at a volume's top, or the top itself: the first of them that holds an operating system or
/// configurations. An empty folder of that name is still better than nothing.
fn choose(volume: &Path, loaders: &Path) -> Result<PathBuf, String> {
    let own = folder(volume, OWN);
    let candidates = own.iter().cloned().chain([volume.to_owned()]);
    let found = candidates.into_iter().find(|candidate| holds_something(candidate, loaders));
    found.or(own).ok_or_else(|| {
        format!(
            "it has neither a folder {OWN} nor an operating system or configurations at its top, in the folders that \
             docs/operating-systems.md names"
        )
    })
}

fn holds_something(folder_: &Path, loaders: &Path) -> bool {
    let catalog = scan::scan(&[folder_.to_owned()], loaders, None);
    !catalog.versions().is_empty() || TELLING.iter().any(|name| folder(folder_, name).is_some())
}

/// The folder of this name, in whatever letters: FAT and exFAT make no difference.
fn folder(parent: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(parent).ok()?.flatten();
    let mut named = entries.filter(|entry| entry.file_name().eq_ignore_ascii_case(name));
    named.find(|entry| entry.path().is_dir()).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is served of a disk with these files; the path below its top.
    fn served(files: &[&str]) -> Option<String> {
        let disk = tempfile::tempdir().unwrap();
        for file in files {
            let path = disk.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found = choose(disk.path(), Path::new("/nowhere")).ok()?;
        Some(found.strip_prefix(disk.path()).unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn both_trees_count_at_the_top_and_in_the_folder() {
        for tree in [
            &["1010.5.0/coreos_production_image.bin.bz2"][..],
            &["1010.5.0/coreos_production_pxe.vmlinuz", "cloud-configs/a.yml"],
            &["coreos/1010.5.0/coreos_production_image.bin.bz2"],
            &["flatcar/4230.2.0/flatcar_production_image.bin.bz2"],
            &["fedora-coreos/44.1/fedora-coreos-44.1-live-kernel.x86_64"],
            &["debian/12/linux", "debian/12/initrd.gz"],
            &["raw/7/my.img.xz"],
            &["cloud-configs/default.yml"],
            &["profiles/mine/profile.toml"],
        ] {
            assert_eq!(served(tree).as_deref(), Some(""), "{tree:?}");
            for folder in ["rackberry", "Rackberry", "RACKBERRY"] {
                let inside: Vec<String> = tree.iter().map(|file| format!("{folder}/{file}")).collect();
                let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
                assert_eq!(served(&inside).as_deref(), Some(folder), "{inside:?}");
            }
        }
    }

    #[test]
    fn a_disk_that_is_not_meant_is_left_alone() {
        for files in [
            &[][..],
            &["DCIM/100/IMG_1.JPG", "files/letter.odt", "keys/house.txt"],
            &["rackberry", "coreos"],
            &["coreos/README.txt", "1010.5.0/other.bin"],
        ] {
            assert_eq!(served(files), None, "{files:?}");
        }
    }

    #[test]
    fn the_folder_comes_first_unless_it_is_empty() {
        let top = "1010.5.0/coreos_production_image.bin.bz2";
        assert_eq!(served(&[top, "rackberry/raw/7/my.img"]).as_deref(), Some("rackberry"));
        assert_eq!(served(&[top, "rackberry/notes.txt"]).as_deref(), Some(""));
        assert_eq!(served(&["rackberry/notes.txt"]).as_deref(), Some("rackberry"));
    }
}
