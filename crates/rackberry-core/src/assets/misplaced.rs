//! What is there, and not where or what it is looked for: it must be named, because "no version of coreos" is no help to
//! somebody who has just copied one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    assets::{
        folder::{Folder, Found, Name, is_reserved, key},
        version::Version,
    },
    ids::folded,
    profiles::{Profile, Role, matches},
};

/// More folders are not named.
const MOST: usize = 20;
/// Disk images of other formats than the plain one.
const OTHER_IMAGES: [&str; 6] = ["qcow2", "qcow", "vmdk", "vdi", "vhd", "vhdx"];
/// What must be unpacked first.
const ARCHIVES: [&str; 7] = ["zip", "7z", "rar", "tar", "tgz", "txz", "ova"];

/// What is wrong with the places of files in an asset folder, a sentence each.
pub(super) fn faults<'p>(
    folder: &Folder,
    profiles: impl Iterator<Item = &'p Profile>,
    versions: &[Version],
) -> Vec<String> {
    let known: BTreeSet<Name> = versions
        .iter()
        .flat_map(|version| &version.sets)
        .filter(|set| set.folder == folder.path)
        .filter_map(|set| key(&set.base))
        .collect();
    let mut faults = Vec::new();
    for profile in profiles {
        faults.extend(elsewhere(folder, profile, &known));
        faults.extend(unsuited(folder, profile, &known));
    }
    faults.truncate(MOST);
    faults
}

/// Folders that hold a profile's files and are none of its versions.
fn elsewhere(folder: &Folder, profile: &Profile, known: &BTreeSet<Name>) -> Vec<String> {
    let needed = patterns(profile);
    if needed.len() < 2 {
        return Vec::new();
    }
    let mut places: BTreeMap<Name, (BTreeSet<usize>, &Found)> = BTreeMap::new();
    for (key, found) in folder.entries() {
        let Some((last, place)) = key.split_last() else { continue };
        let Some(number) = needed.iter().position(|pattern| matches(pattern, last)) else { continue };
        let is_ours = place.first().is_some_and(|top| is_reserved(top));
        if !is_ours && !known.contains(place) {
            places.entry(place.to_vec()).or_insert_with(|| (BTreeSet::new(), found)).0.insert(number);
        }
    }
    // One file alone may be anything.
    let places = places.into_values().filter(|(numbers, _)| numbers.len() > 1);
    let say = |(_, found): (BTreeSet<usize>, &Found)| {
        let above = &found.name[..found.name.len() - 1];
        let place = found.path.parent().unwrap_or(&folder.path).display();
        let version = above.iter().rev().find(|name| is_version(name)).map_or("VERSION", String::as_str);
        format!(
            "{place}: holds {}, and is not looked at there: versions lie in {}/VERSION/; move the files to {}",
            profile.title,
            profile.name,
            folder.path.join(&profile.name).join(version).display()
        )
    };
    places.map(say).collect()
}

/// How the files that a version needs are called, as names compare.
fn patterns(profile: &Profile) -> Vec<String> {
    let needed = profile.files.iter().filter(|spec| !spec.with_loaders);
    let names = needed.filter_map(|spec| spec.names("*", "*").next());
    names.map(|name| folded(&name)).filter(|name| !name.starts_with('*')).collect()
}

fn is_version(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit()) && name.contains('.')
}

/// Disk images that can't be written as they are, in a version's folder of a profile that takes any, without one that can.
fn unsuited(folder: &Folder, profile: &Profile, known: &BTreeSet<Name>) -> Vec<String> {
    let takes_any = profile
        .files
        .iter()
        .any(|spec| spec.role == Role::Image && spec.names("", "").any(|name| name.starts_with('*')));
    let inside = folder.below(&[&profile.name]).filter(|found| found.name.len() == 3 && takes_any);
    let lonely = inside.filter(|found| !key(&found.name[..2]).is_some_and(|place| known.contains(&place)));
    let say = |found: &Found| {
        let (path, name) = (found.path.display(), found.own_name());
        let extension = folded(name.rsplit_once('.')?.1);
        if OTHER_IMAGES.contains(&extension.as_str()) {
            let plain = format!("{}.img", name.rsplit_once('.')?.0);
            return Some(format!(
                "{path}: can't be written as it is; convert it: qemu-img convert -O raw {name} {plain}"
            ));
        }
        if ARCHIVES.contains(&extension.as_str()) {
            return Some(format!("{path}: is an archive; unpack it, and put the disk image here"));
        }
        (extension == "iso").then(|| {
            format!("{path}: is an installation disk; if it is one that can be written to a disk as it is, call it .img")
        })
    };
    lonely.filter_map(say).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use crate::assets::{
        catalog::Catalog,
        folder::{Folder, Found},
    };

    static EMPTY: LazyLock<Catalog> = LazyLock::new(|| Catalog::new(vec![], Folder::default(), None));

    fn faults(names: &[&str]) -> Vec<String> {
        let found = |name: &&str| {
            let name: Vec<String> = name.split('/').map(str::to_owned).collect();
            let path = format!("/usb/{}", name.join("/")).into();
            Found { name, path, len: 1, ..Found::default() }
        };
        let folder = Folder::new("/usb".into(), names.iter().map(found));
        let catalog = Catalog::new(vec![folder], Folder::default(), Some(&EMPTY));
        catalog.faults().cloned().collect()
    }

    /// As `unzip`, mirrors and other servers leave them.
    #[test]
    fn a_version_in_another_place_is_named_with_where_it_belongs() {
        for (place, profile, to) in [
            ("coreos/1010.5.0/1010.5.0/", "coreos", "coreos/1010.5.0"),
            ("coreos/1010.5.0/amd64-usr/", "coreos", "coreos/1010.5.0"),
            ("static/1010.5.0/", "coreos", "coreos/1010.5.0"),
            ("rackberry/coreos/1010.5.0/", "coreos", "coreos/1010.5.0"),
            ("CoreOS-stable/1010.5.0/", "coreos", "coreos/1010.5.0"),
            ("coreos/current/", "coreos", "coreos/VERSION"),
            ("tftpboot/", "flatcar", "flatcar/VERSION"),
            ("amd64-usr/4230.2.0/", "flatcar", "flatcar/4230.2.0"),
            ("", "flatcar", "flatcar/VERSION"),
        ] {
            let names = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"]
                .map(|name| format!("{place}{profile}_production_{name}"));
            let said = faults(&names.each_ref().map(String::as_str));
            assert_eq!(said.len(), 1, "{place}: {said:?}");
            assert!(said[0].contains(&format!("move the files to /usb/{to}")), "{place}: {said:?}");
        }
        let fedora = "fedora-coreos/stable/44.1.2.0/fedora-coreos-44.1.2.0-live-";
        let said = faults(&[&format!("{fedora}kernel.x86_64"), &format!("{fedora}rootfs.x86_64.img")]);
        assert!(said[0].contains("move the files to /usb/fedora-coreos/44.1.2.0"), "{said:?}");
    }

    #[test]
    fn what_is_in_its_place_or_nobodys_is_not_named() {
        for names in [
            &[
                "CoreOS/1010.5.0/coreos_production_pxe.vmlinuz",
                "CoreOS/1010.5.0/coreos_production_image.bin.bz2",
            ][..],
            &["1010.5.0/coreos_production_pxe.vmlinuz", "1010.5.0/coreos_production_image.bin.bz2"],
            &["files/a/flatcar_production_pxe.vmlinuz", "files/a/flatcar_production_image.bin.bz2"],
            &["backup/linux", "photos/cat.jpg", "notes/flatcar_production_image.bin.bz2"],
            &["raw/1/disk.img", "raw/1/disk.qcow2", "raw/2/DISK.IMG.XZ"],
        ] {
            assert_eq!(faults(names), [""; 0], "{names:?}");
        }
    }

    #[test]
    fn images_of_other_kinds_are_named_with_what_to_do() {
        for (name, words) in [
            ("disk.qcow2", "qemu-img convert -O raw disk.qcow2 disk.img"),
            ("Disk.VMDK", "qemu-img convert -O raw Disk.VMDK Disk.img"),
            ("disk.zip", "unpack it"),
            ("debian.iso", "call it .img"),
        ] {
            let said = faults(&[&format!("raw/1/{name}")]);
            assert!(said.len() == 1 && said[0].contains(words), "{name}: {said:?}");
        }
    }
}
