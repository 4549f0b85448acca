//! `rackberry assets import` and `fetch`: bringing operating systems, verified on the way.

#![allow(clippy::unwrap_used, reason = "a test that ends where something is not as it should be")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use support::{Net, Watched, service::BINARY, signer::Signer, wait_until};

const SOON: Duration = Duration::from_secs(60);
const FILES: [&str; 3] = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"];

/// A disk with a signed system on it, and an asset folder that knows the key.
struct Desk {
    dir: tempfile::TempDir,
    maker: Signer,
}

impl Desk {
    fn new() -> Desk {
        let desk =
            Desk { dir: tempfile::tempdir().unwrap(), maker: Signer::new("maker", "20160401", "never") };
        desk.maker.publish(&desk.path("assets/keys/maker.asc"));
        desk.write("config.toml", format!("[assets]\ndirs = ['{}']\n", desk.path("assets").display()));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A signed version in a folder, with an image of `size` bytes.
    fn system(&self, folder: &str, family: &str, size: usize) {
        for name in FILES {
            let size = if name.starts_with("image") { size } else { 1000 };
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let file = self.write(&format!("{folder}/{family}_production_{name}"), content);
            self.maker.sign("20160501", &file);
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["--socket", "/nonexistent", "assets"]).args(arguments).arg("--config");
        command.arg(self.path("config.toml"));
        command
    }

    fn import(&self, from: &str) -> Output {
        self.command(&["import", self.path(from).to_str().unwrap()]).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn same(one: &Path, other: &Path) -> bool {
    fs::read(one).unwrap() == fs::read(other).unwrap()
}

#[test]
fn the_tree_of_2016_is_imported_once_and_becomes_current() {
    let desk = Desk::new();
    desk.system("usb/1010.5.0", "coreos", 3 << 20);
    desk.write("usb/cloud-configs/default.yml", "#cloud-config\nhostname: a\n");
    desk.write("usb/cloud-configs/mine.yml", "#cloud-config\nhostname: theirs\n");
    desk.write("assets/cloud-configs/mine.yml", "#cloud-config\nhostname: mine\n");
    let output = desk.import("usb");
    assert!(output.status.success(), "{}", said(&output));
    let image = "1010.5.0/coreos_production_image.bin.bz2";
    assert!(same(&desk.path(&format!("usb/{image}")), &desk.path(&format!("assets/coreos/{image}"))));
    assert!(desk.path(&format!("assets/coreos/{image}.sig")).exists());
    assert_eq!(fs::read_to_string(desk.path("assets/coreos/current")).unwrap(), "1010.5.0\n");
    assert!(desk.path("assets/cloud-configs/default.yml").exists());
    assert!(said(&output).contains("cloud-configs/mine.yml: is there and differs; it was left as it is"));
    assert!(fs::read_to_string(desk.path("assets/cloud-configs/mine.yml")).unwrap().contains("mine"));
    let again = desk.import("usb");
    assert!(again.status.success() && said(&again).contains("coreos 1010.5.0: was in"), "{}", said(&again));
    let verify = desk.command(&["verify"]).output().unwrap();
    assert!(verify.status.success(), "{}", said(&verify));
}

#[test]
fn the_disk_says_which_of_its_versions_is_current_and_a_bare_image_needs_no_company() {
    let desk = Desk::new();
    for version in ["1010.5.0", "1068.6.0", "1122.2.0"] {
        desk.system(&format!("usb/coreos/{version}"), "coreos", 1000);
    }
    desk.write("usb/coreos/current", "1068.6.0\n");
    let image = desk.write("usb/raw/7/disk.img.xz", "an image");
    desk.maker.sign("20160501", &image);
    // The project's own installer comes with the boot loaders.
    for name in ["vmlinuz", "initrd.xz"] {
        desk.write(&format!("loaders/installer/{name}"), name);
    }
    let (assets, loaders) = (desk.path("assets"), desk.path("loaders"));
    let config = format!("[assets]\ndirs = ['{}']\nloaders = '{}'\n", assets.display(), loaders.display());
    desk.write("config.toml", config);
    let output = desk.import("usb");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(desk.path("assets/coreos/current")).unwrap(), "1068.6.0\n");
    assert!(same(&image, &desk.path("assets/raw/7/disk.img.xz")));
}

#[test]
fn what_is_not_authentic_never_appears() {
    let desk = Desk::new();
    desk.system("usb/rackberry/coreos/1010.5.0", "coreos", 1 << 20);
    let image = desk.path("usb/rackberry/coreos/1010.5.0/coreos_production_image.bin.bz2");
    let mut bytes = fs::read(&image).unwrap();
    bytes[500_000] ^= 1;
    fs::write(&image, &bytes).unwrap();
    let output = desk.import("usb");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the file is not the one that key"), "{}", said(&output));
    assert!(!desk.path("assets/coreos/1010.5.0").exists());
    fs::remove_file(format!("{}.sig", image.display())).unwrap();
    assert!(said(&desk.import("usb")).contains("nobody has signed it"));
    fs::remove_file(&image).unwrap();
    let output = desk.import("usb");
    assert!(said(&output).contains("incomplete, left out: coreos_production_image.bin.bz2 not there"));
    assert!(said(&output).contains("there is no complete version in"), "{}", said(&output));
}

#[test]
fn an_interrupted_import_goes_on_where_it_was_and_notices_what_went_wrong() {
    let desk = Desk::new();
    desk.system("usb/1010.5.0", "coreos", 3 << 20);
    let image = fs::read(desk.path("usb/1010.5.0/coreos_production_image.bin.bz2")).unwrap();
    let part = "assets/coreos/.1010.5.0.part/coreos_production_image.bin.bz2";
    let target = desk.path("assets/coreos/1010.5.0");
    let image_is_whole = || fs::read(target.join("coreos_production_image.bin.bz2")).unwrap() == image;
    // What an earlier run left: as it was, damaged meanwhile, of another image, longer than this one.
    let mut damaged = image.clone();
    damaged[2_000_000] ^= 1;
    for left in [&image[..1_000_000], &vec![0; 1_000_000], &damaged[..], &vec![7; 4 << 20]] {
        desk.write(part, left);
        let output = desk.import("usb");
        assert!(output.status.success() && image_is_whole(), "{}", said(&output));
        fs::remove_dir_all(&target).unwrap();
    }
}

/// Nobody signs it, so that nothing but the bytes themselves could tell.
#[test]
fn what_is_the_same_is_known_by_its_bytes() {
    let desk = Desk::new();
    let unsigned =
        format!("[assets]\ndirs = ['{}']\nverify = 'unsigned-ok'\n", desk.path("assets").display());
    desk.write("config.toml", unsigned);
    let system = |folder: &str, fill: u8| {
        for name in FILES {
            desk.write(&format!("{folder}/1.0/coreos_production_{name}"), vec![fill; 2 << 20]);
        }
    };
    let is_of = |fill: u8| {
        FILES.iter().all(|name| {
            fs::read(desk.path(&format!("assets/coreos/1.0/coreos_production_{name}"))).unwrap()
                == vec![fill; 2 << 20]
        })
    };
    // Built anew: the same names, the same lengths, the same version.
    system("one", 1);
    system("other", 2);
    assert!(desk.import("one").status.success() && is_of(1));
    assert!(said(&desk.import("one")).contains("coreos 1.0: was in"));
    assert!(said(&desk.import("other")).contains("coreos 1.0: is in"));
    assert!(is_of(2));
    // Interrupted, and then another disk.
    fs::remove_dir_all(desk.path("assets/coreos")).unwrap();
    desk.write("assets/coreos/.1.0.part/coreos_production_image.bin.bz2", vec![1; 1 << 20]);
    assert!(desk.import("other").status.success() && is_of(2), "no mixture");
    // Damaged here, and whole on the disk. What this one has for other machines stays.
    desk.write("assets/coreos/1.0/arm64-usr/coreos_production_pxe.vmlinuz", "arm64");
    desk.write("assets/coreos/1.0/coreos_production_pxe.vmlinuz", vec![9; 2 << 20]);
    assert!(desk.import("other").status.success() && is_of(2));
    assert_eq!(
        fs::read(desk.path("assets/coreos/1.0/arm64-usr/coreos_production_pxe.vmlinuz")).unwrap(),
        b"arm64"
    );
}

/// An image for other hardware that nobody vouches for does not keep the rest away, and stays behind.
#[test]
fn an_image_for_other_hardware_comes_along_if_it_is_authentic() {
    let desk = Desk::new();
    desk.system("usb/1010.5.0", "coreos", 1000);
    let packet = desk.write("usb/1010.5.0/coreos_production_packet_image.bin.bz2", "for other hardware");
    desk.maker.sign("20160501", &packet);
    desk.write("usb/1010.5.0/coreos_production_vagrant_image.bin.bz2", "nobody signed it");
    let output = desk.import("usb");
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("coreos_production_vagrant_image.bin.bz2: nobody has signed it; left out")
    );
    let there = |name: &str| desk.path("assets/coreos/1010.5.0").join(name).exists();
    assert!(
        there("coreos_production_packet_image.bin.bz2")
            && there("coreos_production_packet_image.bin.bz2.sig")
    );
    assert!(!there("coreos_production_vagrant_image.bin.bz2"));
}

#[test]
fn keys_profiles_menus_loaders_and_files_come_along() {
    let desk = Desk::new();
    // The disk brings its own key.
    fs::remove_dir_all(desk.path("assets/keys")).unwrap();
    desk.maker.publish(&desk.path("usb/rackberry/KEYS/maker.asc"));
    desk.system("usb/rackberry/coreos/1010.5.0", "coreos", 1000);
    let others = [
        ("Cloud-Configs/node1.yml", "cloud-configs/node1.yml"),
        ("cloud-configs/pxe.yml", "cloud-configs/pxe.yml"),
        ("profiles/mine/notes.txt", "profiles/mine/notes.txt"),
        ("pxelinux.cfg/default", "pxelinux.cfg/default"),
        ("pxelinux.cfg/rack.cfg", "pxelinux.cfg/rack.cfg"),
        ("loaders/undionly.kpxe", "loaders/undionly.kpxe"),
        ("tools/memtest", "tools/memtest"),
        ("menu.c32", "menu.c32"),
        ("files/sysext/docker.raw", "files/sysext/docker.raw"),
    ];
    for (from, _) in others {
        // Configurations need not be text that this program reads.
        desk.write(&format!("usb/rackberry/{from}"), b"\xff\xfe its own bytes");
    }
    desk.write(
        "usb/rackberry/pxelinux.cfg/default",
        "UI menu.c32\nKERNEL tools/memtest\nINITRD coreos/1010.5.0/x\n",
    );
    desk.write("assets/files/sysext/docker.raw", "another");
    desk.write("usb/photos/cat.jpg", "nobody's business");
    let output = desk.import("usb");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("keys/maker.asc: is in"), "{}", said(&output));
    assert!(said(&output).contains("files/sysext/docker.raw: is there and differs; it was left as it is"));
    for (_, to) in others[..8].iter().filter(|(from, _)| !from.ends_with("default")) {
        assert_eq!(fs::read(desk.path("assets").join(to)).unwrap(), b"\xff\xfe its own bytes", "{to}");
    }
    assert_eq!(fs::read(desk.path("assets/files/sysext/docker.raw")).unwrap(), b"another");
    assert!(!desk.path("assets/photos").exists() && !desk.path("assets/KEYS").exists());
    let again = said(&desk.import("usb"));
    assert_eq!(again.matches(": is in").count(), 0, "{again}");
    assert!(again.contains("coreos 1010.5.0: was in"), "{again}");
}

#[test]
fn a_disk_without_room_is_named_before_anything_is_copied() {
    let net = Net::new();
    let desk = Desk::new();
    desk.system("usb/1010.5.0", "coreos", 8 << 20);
    let assets = desk.path("assets");
    net.run(&format!("mount -t tmpfs -o size=4m none {}", assets.display()));
    net.run(&format!(
        "mkdir {0}/keys && cp {1} {0}/keys/",
        assets.display(),
        desk.write("m.asc", desk.maker.gpg("20160501", &["--armor", "--export"])).display()
    ));
    let mut command = net.command(BINARY);
    command.args(["--socket", "/nonexistent", "assets", "import"]).arg(desk.path("usb"));
    let output = command.arg("--config").arg(desk.path("config.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("bytes, and 83") && said(&output).contains("make room"),
        "{}",
        said(&output)
    );
    let left = net.run(&format!("ls {}/coreos/.1010.5.0.part", assets.display()));
    assert_eq!(left, "");
}

/// A mirror of Flatcar's, with `current`.
fn mirror(net: &Net, desk: &Desk) -> Watched {
    desk.system("mirror/4230.2.0", "flatcar", 40 << 20);
    desk.write("mirror/current/version.txt", "FLATCAR_BUILD=4230\nFLATCAR_VERSION=4230.2.0\n");
    let mut httpd = net.command("busybox");
    httpd.args(["httpd", "-f", "-p", "8000", "-h"]).arg(desk.path("mirror"));
    let httpd = Watched::start(httpd);
    wait_until("the mirror answers", SOON, || {
        net.run("curl -s http://127.0.0.1:8000/current/version.txt || true").contains("4230")
    });
    httpd
}

fn fetch(net: &Net, desk: &Desk) -> Command {
    let mut command = net.command(BINARY);
    command.args(["--socket", "/nonexistent", "assets", "fetch", "flatcar"]);
    command.args(["--base-url", "http://127.0.0.1:8000/", "--config"]).arg(desk.path("config.toml"));
    command
}

#[test]
fn the_current_version_is_fetched_from_a_mirror_and_an_interrupted_fetch_goes_on() {
    let (net, desk) = (Net::new(), Desk::new());
    let _mirror = mirror(&net, &desk);
    let image = desk.path("mirror/4230.2.0/flatcar_production_image.bin.bz2");
    // Half of it came in earlier.
    let half = fs::read(&image).unwrap()[..20 << 20].to_vec();
    desk.write("assets/flatcar/.4230.2.0.part/flatcar_production_image.bin.bz2", half);
    let output = fetch(&net, &desk).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("flatcar/current is 4230.2.0 now"), "{}", said(&output));
    let target = desk.path("assets/flatcar/4230.2.0");
    assert!(same(&image, &target.join("flatcar_production_image.bin.bz2")));
    assert!(target.join("flatcar_production_pxe.vmlinuz.sig").exists());
}

#[test]
fn what_a_mirror_does_not_have_or_has_wrong_is_named() {
    let (net, desk) = (Net::new(), Desk::new());
    let _mirror = mirror(&net, &desk);
    let kernel = desk.path("mirror/4230.2.0/flatcar_production_pxe.vmlinuz");
    fs::write(&kernel, "another kernel").unwrap();
    let output = fetch(&net, &desk).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("flatcar_production_pxe.vmlinuz is not authentic"), "{}", said(&output));
    assert!(!desk.path("assets/flatcar/4230.2.0").exists());
    fs::remove_file(&kernel).unwrap();
    let output = fetch(&net, &desk).output().unwrap();
    assert!(
        said(&output)
            .contains("the mirror has no http://127.0.0.1:8000/4230.2.0/flatcar_production_pxe.vmlinuz")
    );
    fs::remove_file(desk.path("mirror/current/version.txt")).unwrap();
    let output = fetch(&net, &desk).output().unwrap();
    assert!(
        said(&output).contains("the mirror has no http://127.0.0.1:8000/current/version.txt"),
        "{}",
        said(&output)
    );
}
