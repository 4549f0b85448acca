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

use support::{
    Net,
    service::{BINARY, Service, own_profile, small_system, unchecked},
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
        desk.write(&format!("cloud-configs/{name}"), content);
        says(&desk.check(""), &format!("cloud-configs/{name}"), words);
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
        let output = command.arg("--socket").arg(net.path("control.sock")).args(arguments).output().unwrap();
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
    let memory = fs::read_to_string(format!("/proc/{}/status", pid_of(&process, &net))).unwrap();
    let peak = memory.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 128 << 10, "{peak} kB");
}

/// The service itself, whose parents enter the namespace for it.
fn pid_of(process: &support::Watched, _: &Net) -> u32 {
    let mut pid = process.child.id();
    while let Ok(children) = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        match children.split_whitespace().next().and_then(|child| child.parse().ok()) {
            Some(child) => pid = child,
            None => break,
        }
    }
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    pid
}
