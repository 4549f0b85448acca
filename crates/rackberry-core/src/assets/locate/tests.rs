use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::assets::folder::{Content, Folder, Stamp};

const STANDARD: Standard<'_> = Standard { profile: "coreos", version: "current", arch: Some("x86_64") };

fn found(name: &str) -> Found {
    let text: Option<std::sync::Arc<str>> = match name.rsplit('/').next() {
        Some("current") => Some("1010.5.0\n".into()),
        Some("default") => Some("UI menu.c32\nMENU BACKGROUND splash.png\nKERNEL keys/maker.asc\n".into()),
        _ if name.ends_with("profile.toml") => Some(
            include_str!("../../../../../profiles/flatcar/profile.toml")
                .replace("live.ign\" =", "x\" =")
                .into(),
        ),
        _ => None,
    };
    let name: Vec<String> = name.split('/').map(str::to_owned).collect();
    let content = text.map_or(Content::Unread, Content::Text);
    Found { path: name.join("/").into(), name, len: 1000, stamp: Stamp::default(), content }
}

/// A USB disk with the tree of 2016 at its top, two more operating systems, and what else lies about on such disks.
const DISK: &[(&str, Option<Access>)] = &[
    ("1010.5.0/coreos_production_pxe.vmlinuz", Some(Access::Open)),
    ("1010.5.0/coreos_production_pxe.vmlinuz.sig", Some(Access::Open)),
    ("1010.5.0/coreos_production_pxe_image.cpio.gz", Some(Access::Open)),
    ("1010.5.0/coreos_production_image.bin.bz2", Some(Access::Spends)),
    ("1010.5.0/coreos_production_image.bin.bz2.sig", Some(Access::Open)),
    ("1010.5.0/coreos_production_image.bin.bz2.DIGESTS.asc", Some(Access::Open)),
    ("1010.5.0/coreos_production_packet_image.bin.bz2", Some(Access::Spends)),
    ("1010.5.0/coreos_production_packet_image.bin.bz2.sig", Some(Access::Open)),
    ("1010.5.0/SHA256SUMS", Some(Access::Open)),
    ("1010.5.0/version.txt", Some(Access::Open)),
    ("1010.5.0/coreos_production_image.bin", None),
    ("1010.5.0/coreos_production_vmware.vmdk.bz2", None),
    ("1010.5.0/passwords.txt", None),
    ("1010.5.0/sub/coreos_production_image.bin.bz2", None),
    ("1010.5.0/arm64-usr/coreos_production_image.bin.bz2", Some(Access::Spends)),
    ("1010.5.0/arm64-usr/coreos_production_pxe.vmlinuz", Some(Access::Open)),
    ("coreos/current", None),
    ("Flatcar/4230.2.0/flatcar_production_pxe.vmlinuz", Some(Access::Open)),
    ("Flatcar/4230.2.0/flatcar_production_image.bin.bz2", Some(Access::Spends)),
    ("Flatcar/4230.2.0/flatcar_production_qemu_image.bin.bz2", Some(Access::Spends)),
    ("raw/1/disk.IMG", Some(Access::Spends)),
    ("raw/1/disk.qcow2", None),
    ("cloud-configs/default.yml", None),
    ("cloud-configs/00-25-90-c0-f7-86.yml", None),
    ("Cloud-Configs./secret.yml", None),
    ("cloud-config/install.sh", None),
    ("cloudconfigs/node1.yml", None),
    ("KEYS/private.asc", None),
    ("keys/maker.asc", None),
    ("profiles/mine/profile.toml", None),
    ("profiles/mine/preseed.cfg", None),
    ("pxelinux.cfg/default", Some(Access::Granted)),
    ("PXELinux.cfg/rack.cfg", Some(Access::Granted)),
    ("menu.c32", Some(Access::Granted)),
    ("splash.png", Some(Access::Granted)),
    ("other.png", None),
    ("images/menu.c32", None),
    ("files/docker.raw", Some(Access::Open)),
    ("Files/Scripts/setup.sh", Some(Access::Open)),
    ("files/.hidden", None),
    ("files/...", None),
    ("files/keys/a", Some(Access::Open)),
    ("loaders/pxelinux.0", None),
    (".ssh/id_rsa", None),
    ("photos/2016/a.jpg", None),
    ("System Volume Information/IndexerVolumeGuid", None),
    ("rackberry.toml", None),
    ("state.redb", None),
    ("state.log", None),
];

/// Made once: it reads every signing key.
static EMPTY: LazyLock<Catalog> = LazyLock::new(|| Catalog::new(vec![], Folder::default(), None));

fn disk() -> Catalog {
    let loaders = ["pxelinux.0", "installer/vmlinuz", "installer/initrd.xz"].map(found);
    let files = DISK.iter().map(|(name, _)| found(name));
    Catalog::new(vec![Folder::new("usb".into(), files)], Folder::new("loaders".into(), loaders), Some(&EMPTY))
}

fn access(catalog: &Catalog, path: &str) -> Option<Access> {
    let path: Vec<String> = path.split('/').map(str::to_owned).collect();
    catalog.locate(&path, STANDARD).map(|located| located.access)
}

#[test]
fn a_disk_with_the_tree_of_2016_serves_what_is_on_the_list_and_nothing_else() {
    let catalog = disk();
    for (path, wanted) in DISK {
        assert_eq!(access(&catalog, path), *wanted, "{path}");
        assert_eq!(access(&catalog, &path.to_uppercase()), *wanted, "{path} in capitals");
        assert_eq!(access(&catalog, &path.replace('/', "./")), *wanted, "{path} with dots");
    }
    for (path, wanted) in [
        // By the names that clients use.
        ("pxelinux.0", Some(Access::Open)),
        ("installer/vmlinuz", Some(Access::Open)),
        ("coreos/1010.5.0/coreos_production_image.bin.bz2", Some(Access::Spends)),
        ("coreos/current/coreos_production_image.bin.bz2", Some(Access::Spends)),
        ("current/coreos_production_packet_image.bin.bz2", Some(Access::Spends)),
        ("coreos_production_image.bin.bz2", Some(Access::Spends)),
        ("coreos_production_pxe.vmlinuz", Some(Access::Open)),
        ("coreos/1010.5.0/arm64-usr/coreos_production_image.bin.bz2", Some(Access::Spends)),
        // And by those that lead nowhere.
        ("coreos/1010.5.0/passwords.txt", None),
        ("passwords.txt", None),
        ("coreos/1068.0.0/coreos_production_image.bin.bz2", None),
        ("files", None),
        ("", None),
    ] {
        assert_eq!(access(&catalog, path), wanted, "{path}");
    }
}

#[test]
fn a_signature_is_found_by_the_name_that_installers_ask_for() {
    let names = ["linux", "image.bin.bz2", "image.bin.bz2.asc"];
    let profile = "title='T'\nconfigs=[]\n[trust]\nfingerprints=[]\n[[arch]]\nname='x86_64'\n[[file]]\nrole='kernel'\n\
        name='linux'\n[[file]]\nrole='image'\nname='image.bin.bz2'\n[start]\ninstall=''\nlive=''\n";
    let mut files: Vec<Found> = names.iter().map(|name| found(&format!("own/1/{name}"))).collect();
    files.push(Found { content: Content::Text(profile.into()), ..found("profiles/own/profile.toml") });
    let catalog = Catalog::new(vec![Folder::new("a".into(), files)], Folder::default(), Some(&EMPTY));
    let path = ["own", "1", "image.bin.bz2.sig"].map(str::to_owned);
    let located = catalog.locate(&path, STANDARD).unwrap();
    assert_eq!((located.found.own_name(), located.access), ("image.bin.bz2.asc", Access::Open));
    assert!(catalog.locate(&["own", "1", "linux.sig"].map(str::to_owned), STANDARD).is_none());
}

/// The same names mean nothing where nobody has a menu of their own.
#[test]
fn modules_and_pictures_are_served_for_menus_only() {
    let files = DISK.iter().filter(|(name, _)| !name.to_lowercase().starts_with("pxelinux.cfg"));
    let folder = Folder::new("usb".into(), files.map(|(name, _)| found(name)));
    let catalog = Catalog::new(vec![folder], Folder::default(), Some(&EMPTY));
    for path in ["menu.c32", "splash.png", "pxelinux.cfg/rack.cfg"] {
        assert_eq!(access(&catalog, path), None, "{path}");
    }
}

/// `-V current` asks for it, and the trees of 2016 had none for what they called current.
#[test]
fn what_is_current_is_said_as_installers_ask_for_it() {
    let text = |names: &[&str], path: &str| {
        let folder = Folder::new("a".into(), names.iter().map(|name| found(name)));
        let catalog = Catalog::new(vec![folder], Folder::default(), Some(&EMPTY));
        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
        assert!(catalog.locate(&path, STANDARD).is_none());
        catalog.version_text(&path, STANDARD)
    };
    let said = Some("COREOS_VERSION=1010.5.0\n".to_owned());
    let [one, other] =
        ["1010.5.0", "1068.6.0"].map(|version| format!("{version}/coreos_production_pxe.vmlinuz"));
    for path in
        ["current/version.txt", "coreos/current/version.txt", "1010.5.0/version.txt", "Current/VERSION.TXT"]
    {
        assert_eq!(text(&[&one], path), said, "the only one: {path}");
        assert_eq!(text(&[&one, &other, "current"], path), said, "a flat tree's own word: {path}");
    }
    assert_eq!(text(&[&one, &other], "current/version.txt"), None, "nobody says which");
    assert_eq!(text(&[&one], "version.txt"), None);
    assert_eq!(text(&[&one], "current/other.txt"), None);
    assert_eq!(text(&["raw/1/disk.img"], "raw/current/version.txt"), None, "nobody asks so for it");
}

/// A profile whose folder is one with a meaning of its own would open that.
#[test]
fn no_profile_and_no_version_is_called_as_a_folder_with_a_meaning() {
    let files =
        ["profiles/keys/profile.toml", "keys/1/flatcar_production_pxe.vmlinuz", "files/x/y"].map(found);
    let flat = ["keys/coreos_production_pxe.vmlinuz", "Profiles/coreos_production_image.bin.bz2"].map(found);
    let folder = Folder::new("a".into(), files.into_iter().chain(flat));
    let catalog = Catalog::new(vec![folder], Folder::default(), Some(&EMPTY));
    assert!(catalog.faults().any(|fault| fault.contains("keys can't be a profile's name")));
    for path in ["keys/1/flatcar_production_pxe.vmlinuz", "keys/coreos_production_pxe.vmlinuz"] {
        assert_eq!(access(&catalog, path), None, "{path}");
    }
    assert_eq!(access(&catalog, "Profiles/coreos_production_image.bin.bz2"), None);
}

proptest! {
    /// Whatever else lies on a disk, under whichever name: it is not served, and nobody else's name leads to it.
    #[test]
    fn what_is_not_on_the_list_is_not_there(
        folder in prop::sample::select(vec![
            "", "1010.5.0/", "coreos/1010.5.0/", "coreos/", "keys/", "Keys /", "cloud-configs/", "CLOUD-CONFIGS/",
            "profiles/own/", "photos/", "Flatcar/4230.2.0/", "raw/1/", "a/b/c/", ".git/",
        ]),
        name in "[a-zA-Z0-9 ._~-]{1,16}",
    ) {
        let stray = format!("{folder}{name}");
        let listed = DISK.iter().any(|(known, _)| known.eq_ignore_ascii_case(&stray));
        // Names that a version gives a meaning to.
        let lower = name.trim_end_matches(['.', ' ']).to_lowercase();
        let meant = ["img", "raw", "xz", "bz2", "gz", "zst", "sums", "checksum", "sig", "asc", "gpg", "digests", "txt"];
        prop_assume!(!listed && !meant.iter().any(|end| lower.ends_with(end)) && !lower.is_empty());
        let loaders = Folder::new("loaders".into(), [found("pxelinux.0")]);
        let files = DISK.iter().map(|(name, _)| *name).chain([stray.as_str()]).map(found);
        let catalog = Catalog::new(vec![Folder::new("usb".into(), files)], loaders, Some(&EMPTY));
        for path in [stray.clone(), name.clone(), format!("coreos/current/{name}"), format!("current/{name}")] {
            prop_assert_eq!(access(&catalog, &path), None, "{}", path);
        }
    }

    /// Who may have an image does not depend on how its name is spelled.
    #[test]
    fn no_spelling_of_an_image_is_open(capitals in prop::collection::vec(any::<bool>(), 64), ends in "[. ]{0,3}") {
        let catalog = disk();
        for (path, wanted) in DISK.iter().filter(|(_, wanted)| *wanted == Some(Access::Spends)) {
            let spelled: String = path
                .chars()
                .zip(capitals.iter().cycle())
                .map(|(c, capital)| if *capital { c.to_ascii_uppercase() } else { c })
                .collect();
            prop_assert_eq!(access(&catalog, &format!("{spelled}{ends}")), *wanted);
        }
    }
}
