//! Files as people have them: of any encoding, size and number, with names that are nearly right.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that measures, and ends where something is not as it should be"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rackberry::storage::{scan, verify};
use rackberry_core::assets::authentic::FileVerdict;
use support::{
    Net,
    service::{BINARY, Service, own_profile, small_system, unchecked},
    signer::Signer,
    wait_until,
};

const SOON: Duration = Duration::from_secs(60);
const MAC: &str = "02:00:00:00:00:01";

/// An asset folder, and what `rackberry check` says of it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("assets").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Everything that it says, with this configuration beside the asset folder's.
    fn check(&self, config: &str) -> String {
        let assets = self.0.path().join("assets");
        let file = self.0.path().join("config.toml");
        let text = format!("[assets]\ndirs = ['{}']\nverify = 'unsigned-ok'\n{config}", assets.display());
        fs::write(&file, text).unwrap();
        let output = Command::new(BINARY).args(["check", "--config"]).arg(file).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

fn says(said: &str, start: &str, words: &str) {
    let found = said.lines().any(|line| line.contains(start) && line.contains(words));
    assert!(found, "no line has {start:?} and {words:?}:\n{said}");
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn what_is_no_text_is_called_by_its_name_with_the_remedy() {
    let desk = Desk::new();
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0";
    for (name, content, words) in [
        (
            "a.yml",
            utf16("#cloud-config\r\nhostname: a\r\n"),
            "it is UTF-16 (Windows calls it Unicode); save it as UTF-8",
        ),
        ("b.ign", gzip.to_vec(), "it is compressed; unpack it with gunzip"),
        (
            "c.yml",
            b"#cloud-config\nusers: Andr\xe9\n".to_vec(),
            "line 2 has the byte 0xE9, which is no UTF-8",
        ),
        ("d.yml", b"\xef\xbb\xbf#cloud-config\nhostname: a\n".to_vec(), "it begins with a byte order mark"),
        ("e.ign", vec![b' '; 17 << 20], "it has 17825792 bytes, and may have 16777216 (16 MiB)"),
        ("f.yml.j2", vec![b' '; 2 << 20], "it has 2097152 bytes, and may have 1048576 (1 MiB)"),
        ("g.yml", b"Content-Type: multipart/mixed; boundary=\"x\"\n\n--x\n".to_vec(), "MIME user data"),
        ("h.ign", b"{\"ignitionVersion\": 1}".to_vec(), "Ignition 1"),
        (
            "i.ign",
            [b"{\"x\":\"".to_vec(), vec![b'a'; 3 << 20], b"\"}".to_vec()].concat(),
            "it has no \"ignition\"",
        ),
    ] {
        // The system's own, so that it is somebody's.
        let extension = name.split_once('.').unwrap().1;
        desk.write(&format!("cloud-configs/flatcar.{extension}"), &content);
        says(&desk.check(""), &format!("cloud-configs/flatcar.{extension}"), words);
        fs::remove_file(desk.path(&format!("cloud-configs/flatcar.{extension}"))).unwrap();
        // Nobody's: it need not be a configuration.
        desk.write(&format!("cloud-configs/{name}"), content);
        let said = desk.check("");
        let line = said.lines().find(|line| line.contains(&format!("cloud-configs/{name}:"))).unwrap();
        assert!(line.contains("belongs to nobody"), "{said}");
    }
    // A README is no key, and no fault; a key that is none is.
    desk.write("keys/README.txt", "Keys go here.");
    desk.write("keys/mine.asc", "nonsense");
    let said = desk.check("");
    assert!(!said.contains("README.txt: it holds no PGP"), "{said}");
    says(&said, "key file mine.asc", "it holds no PGP PUBLIC KEY BLOCK");
}

#[test]
fn each_system_takes_the_ignition_of_its_time() {
    let desk = Desk::new();
    for (system, version) in [("flatcar", "2905.2.5"), ("flatcar", "4230.2.0"), ("coreos", "1010.5.0")] {
        own_profile(desk.0.path(), system, unchecked);
        for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
            desk.write(&format!("{system}/{version}/{system}_production_{file}"), file);
        }
    }
    for file in ["live-kernel.x86_64", "live-initramfs.x86_64.img", "live-rootfs.x86_64.img"] {
        let version = "44.20261101.3.0";
        desk.write(&format!("fedora-coreos/{version}/fedora-coreos-{version}-{file}"), file);
    }
    let config = |system: &str, version: &str| {
        format!("[[node]]\nname = 'a'\nmac = '{MAC}'\nprofile = '{system}'\nversion = '{version}'\n")
    };
    for (system, version, format, words) in [
        (
            "fedora-coreos",
            "44.20261101.3.0",
            "2.3.0",
            "it is Ignition 2.3, which fedora-coreos 44.20261101.3.0 does not take",
        ),
        ("flatcar", "2905.2.5", "3.6.0", "it is Ignition 3.6, which flatcar 2905.2.5 does not take"),
        ("flatcar", "2905.2.5", "3.0.0", "the first that does is 3185"),
        ("coreos", "1010.5.0", "3.0.0", "of such it takes Ignition 1, Ignition 2.0"),
        ("fedora-coreos", "44.20261101.3.0", "3.4.0", ""),
        ("flatcar", "4230.2.0", "3.5.0", ""),
        ("flatcar", "4230.2.0", "2.2.0", ""),
        ("coreos", "1010.5.0", "2.0.0", ""),
    ] {
        desk.write("cloud-configs/a.ign", format!("{{\"ignition\": {{\"version\": \"{format}\"}}}}"));
        let said = desk.check(&config(system, version));
        let refused = said.lines().find(|line| line.contains("a: cloud-configs/a.ign: "));
        match refused {
            Some(line) => assert!(!words.is_empty() && line.contains(words), "{system} {format}: {said}"),
            None => assert_eq!(words, "", "{system} {version} {format}: {said}"),
        }
    }
}

/// What is present and written by another editor, or for another file system, is not absent.
#[test]
fn current_is_read_in_every_form() {
    for (name, content) in [
        ("coreos/current", b"1068.6.0".to_vec()),
        ("coreos/current", utf16("1068.6.0\r\n")),
        ("coreos/current", b"\xef\xbb\xbf1068.6.0\r\n".to_vec()),
        ("coreos/current.txt", b"1068.6.0\r\n".to_vec()),
        ("CoreOS/CURRENT", b"1068.6.0\n".to_vec()),
        ("CoreOS./Current.TXT", utf16("1068.6.0")),
        ("current", b"1068.6.0\n".to_vec()),
        ("coreos/current/version.txt", b"COREOS_BUILD=1068\nCOREOS_VERSION=1068.6.0\n".to_vec()),
    ] {
        let desk = Desk::new();
        for version in ["1010.5.0", "1068.6.0"] {
            for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
                // At the top, as in 2016.
                desk.write(&format!("{version}/coreos_production_{file}"), file);
            }
        }
        desk.write(name, content);
        let catalog = scan::scan(&[desk.path("")], Path::new("/nowhere"), None);
        let current = catalog.ready("coreos", "current").map(|version| version.name.clone());
        assert_eq!(current.as_deref(), Ok("1068.6.0"), "{name}");
    }
}

#[test]
fn keys_are_read_in_every_form_and_an_old_copy_is_named() {
    let desk = Desk::new();
    let maker = Signer::new("maker", "20160401", "1y");
    desk.write("raw/1/disk.img", "an image");
    let image = desk.path("raw/1/disk.img");
    maker.sign("20160501", &image);
    let verdict = || {
        let loaders = desk.0.path().join("loaders");
        let catalog = scan::scan(&[desk.path("")], &loaders, None);
        let job = catalog.unexamined().pop().unwrap();
        verify::examine(&job, catalog.keys(), |_| ()).unwrap().verdict
    };
    for file in ["vmlinuz", "initrd.xz"] {
        let path = desk.0.path().join("loaders/installer").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    let text = String::from_utf8(maker.gpg("20160501", &["--armor", "--export"])).unwrap();
    for (name, content) in [
        ("keys/maker.asc", text.clone().into_bytes()),
        ("KEYS/Maker.ASC", text.replace('\n', "\r\n").into_bytes()),
        ("keys/maker.gpg", maker.gpg("20160501", &["--export"])),
        ("keys/maker", maker.gpg("20160501", &["--export"])),
        ("keys/maker.txt", utf16(&text)),
    ] {
        assert!(matches!(verdict(), FileVerdict::Unproven(_)));
        desk.write(name, content);
        assert!(matches!(verdict(), FileVerdict::Good(_)), "{name}: {:?}", verdict());
        fs::remove_file(desk.path(name)).unwrap();
    }
    // Its time was lengthened later, and a subkey came: the copy here is older than both.
    desk.write("keys/maker.asc", &text);
    let fingerprint = maker.fingerprint();
    maker.gpg("20160601", &["--passphrase", "", "--quick-set-expire", &fingerprint, "never"]);
    maker.sign("20180501", &image);
    let FileVerdict::Bad(why) = verdict() else { panic!("{:?}", verdict()) };
    assert!(
        why.contains("had expired on 2017-04-01") && why.contains("get a newer copy of the key"),
        "{why}"
    );
    maker.gpg("20180601", &["--passphrase", "", "--quick-add-key", &fingerprint, "rsa3072", "sign", "never"]);
    maker.sign("20180701", &image);
    let FileVerdict::Unproven(why) = verdict() else { panic!("{:?}", verdict()) };
    assert!(why.contains("which no key file has") && why.contains("get a newer one"), "{why}");
    maker.publish(&desk.path("keys/maker.asc"));
    assert!(matches!(verdict(), FileVerdict::Good(_)), "{:?}", verdict());
}

#[test]
fn of_several_images_none_is_taken_for_the_one() {
    let desk = Desk::new();
    desk.write("raw/1/a.img", "one");
    desk.write("raw/1/B.RAW.XZ", "another");
    desk.write("raw/2/disk.qcow2", "another kind");
    let loaders = support::root().join("target/loaders");
    let said = desk
        .check(&format!("loaders = '{}'\n[install]\nprofile = 'raw'\nversion = '1'\n", loaders.display()));
    says(&said, "raw 1 has several images (B.RAW.XZ, a.img)", "a version's folder of its own");
    says(&said, "raw/2/disk.qcow2", "qemu-img convert -O raw disk.qcow2 disk.img");
    fs::remove_file(desk.path("raw/1/a.img")).unwrap();
    assert!(!desk.check("").contains("several images"));
}

/// A script of 2016 has braces of its own; only what says that it is a template is one.
#[test]
fn files_are_given_byte_for_byte_and_templates_say_so() {
    let net = Net::new();
    small_system(&net);
    fs::remove_file(net.path("assets/cloud-configs/default.yml")).unwrap();
    let script = "#!/bin/bash\nA=(1 2)\necho ${#A[@]}\nsystemctl enable x\necho %#} {% {{ version }}\ncurl -w '%{http_code}'\n";
    let large = [
        b"{\"ignition\": {\"version\": \"2.0.0\"}, \"x\": \"".to_vec(),
        vec![b'x'; 3 << 20],
        b"\"}\n".to_vec(),
    ]
    .concat();
    net.write("assets/cloud-configs/node-a.yml", script);
    net.write("assets/cloud-configs/node-b.ign", &large);
    net.write("assets/cloud-configs/node-c.yml.j2", "#cloud-config\nhostname: {{ node.name }}\n");
    let node =
        |name: &str, number: u8| format!("[[node]]\nname = '{name}'\nmac = '02:00:00:00:00:{number:02x}'\n");
    let service = Service::start(&net, &(node("node-a", 1) + &node("node-b", 2) + &node("node-c", 3)));
    wait_until("they can be armed", SOON, || {
        service.try_cli(&["arm", "node-a", "node-b", "node-c"]).status.success()
    });
    net.write("hook", "#!/bin/sh\n[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0\n");
    net.run(&format!("chmod +x {}", net.path("hook").display()));
    for (name, number, extension, wanted) in [
        ("node-a", 1, "yml", script.as_bytes()),
        ("node-b", 2, "ign", &large),
        ("node-c", 3, "yml", b"#cloud-config\nhostname: node-c\n"),
    ] {
        let mac = format!("02:00:00:00:00:{number:02x}");
        net.client(name, &mac);
        net.run_in(
            name,
            &format!(
                "udhcpc -f -q -n -t 5 -T 1 -i eth0 -V PXEClient:Arch:00000:UNDI:002001 -s {}",
                net.path("hook").display()
            ),
        );
        let got = net.path("got");
        net.run_in(name, &format!("curl -sS -f -o {} http://10.10.10.1/cloud-config/{mac}", got.display()));
        assert!(fs::read(&got).unwrap() == wanted, "{name}");
        net.run_in(
            name,
            &format!("curl -sS -f -o {} http://10.10.10.1/cloud-configs/{name}.{extension}", got.display()),
        );
        assert!(fs::read(&got).unwrap() == wanted, "{name} by its name");
    }
    assert!(service.cli(&["node", "show", "--render", "node-b"]).contains("bytes, as they are in"));
}

/// An asset folder may be a whole USB disk, with anything on it.
#[test]
fn a_mass_of_files_is_bounded_and_hides_nothing_that_counts() {
    let net = Net::new();
    small_system(&net);
    net.run(&format!(
        "mkdir -p {0}/photos/2016 {0}/files/many {0}/cloud-configs/many && cd {0}/photos/2016 && seq 60000 | xargs touch && \
         cd {0} && seq -f loose%g 15000 | xargs touch && cd {0}/files/many && seq 15000 | xargs touch && \
         cd {0}/cloud-configs/many && seq 15000 | xargs touch",
        net.path("assets").display()
    ));
    net.write("assets/files/here.txt", "here");
    let config = support::service::config_text(&net, &format!("[[node]]\nname = 'a'\nmac = '{MAC}'\n"));
    let config = net.write("config.toml", config);
    let started = Instant::now();
    let process = support::service::launch(&net, &config);
    process.wait_for("ready and safe", 0, SOON);
    assert!(started.elapsed() < Duration::from_secs(15), "it took {:?}", started.elapsed());
    let cli = |arguments: &[&str]| {
        let mut command = net.command(BINARY);
        let output =
            command.arg("--socket").arg(net.path("run/control.sock")).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    // What counts is found; what was left out is said.
    assert!(cli(&["assets", "list"]).contains("1010.5.0"));
    assert!(cli(&["arm"]).contains("armed"));
    let status = cli(&["status"]);
    for words in
        ["there are too many files in cloud-configs", "of files, loose", "there are too many files in photos"]
    {
        assert!(status.contains(words), "{words}: {status}");
    }
    // Some more looks at the folders, each of which holds two catalogs for a moment.
    for look in ["here", "there", "everywhere"] {
        net.write("assets/files/here.txt", look);
        wait_until("files/ is looked at, too", SOON, || {
            net.run("curl -s http://10.10.10.1/files/here.txt || true") == look
        });
    }
    let memory = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 128 << 10, "{peak} kB");
}
