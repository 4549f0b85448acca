//! What may be installed: authentic, complete, of one release; and what happens when files come, change and go.

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

use rackberry::storage::scan;
use support::{
    Net,
    service::{Service, small_system},
    signer::Signer,
    wait_until,
};

const SOON: Duration = Duration::from_secs(60);
const FILES: [&str; 3] = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"];

fn file(net: &Net, name: &str) -> PathBuf {
    net.path(&format!("assets/coreos/1010.5.0/coreos_production_{name}"))
}

/// Waits until arming is refused with these words.
fn refused(service: &Service, words: &str) {
    node_refused(service, &[], words);
}

/// The same, for these nodes.
fn node_refused(service: &Service, nodes: &[&str], words: &str) {
    let said = std::cell::RefCell::new(String::new());
    let order = [&["arm"], nodes].concat();
    let holds = || {
        let output = service.try_cli(&order);
        if output.status.success() {
            service.cli(&["disarm"]);
        }
        *said.borrow_mut() = String::from_utf8_lossy(&output.stderr).into_owned();
        said.borrow().contains(words)
    };
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until(&format!("{nodes:?} is refused because {words:?}"), SOON, holds);
    }));
    assert!(refused.is_ok(), "it was: {}", said.borrow());
}

/// Waits until it can be armed.
fn armed(service: &Service) {
    node_armed(service, &[]);
}

fn node_armed(service: &Service, nodes: &[&str]) {
    let said = std::cell::RefCell::new(String::new());
    let armed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("it can be armed", SOON, || {
            let output = service.try_cli(&[&["arm"], nodes].concat());
            *said.borrow_mut() = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success()
        });
    }));
    assert!(armed.is_ok(), "{nodes:?}: {}", said.borrow());
    service.cli(&["disarm"]);
}

#[test]
fn only_what_a_known_key_signed_can_be_armed() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start_strict(&net, "");
    refused(&service, "coreos_production_pxe.vmlinuz has no signature");
    let (maker, other) =
        (Signer::new("maker", "20160401", "never"), Signer::new("other", "20160401", "never"));
    for name in FILES {
        maker.sign("20160501", &file(&net, name));
    }
    refused(&service, "which no key file has; put the signer's public key into keys/");
    maker.publish(&net.path("assets/keys/maker.asc"));
    armed(&service);
    // One bit.
    let image = file(&net, "image.bin.bz2");
    let whole = fs::read(&image).unwrap();
    let mut altered = whole.clone();
    altered[100] ^= 1;
    fs::write(&image, &altered).unwrap();
    refused(&service, "coreos_production_image.bin.bz2: the file is not the one that key");
    fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    refused(&service, "it is damaged, incomplete or altered");
    fs::write(&image, &whole).unwrap();
    armed(&service);
    other.sign("20160501", &image);
    refused(&service, "coreos_production_image.bin.bz2: it is signed by key");
    let signature = format!("{}.sig", image.display());
    fs::write(&signature, "no signature at all").unwrap();
    refused(&service, "coreos_production_image.bin.bz2: the signature can't be read");
    maker.sign("20160501", &image);
    armed(&service);
    // What was found is kept: a restart reads nothing again.
    drop(service);
    let service = Service::start_strict(&net, "");
    service.cli(&["arm"]);
}

/// That nobody vouches for a file may be let pass; that it is another file than somebody vouches for, never.
#[test]
fn what_is_proven_wrong_is_armed_under_no_configuration() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, "");
    armed(&service);
    let (image, folder) = (file(&net, "image.bin.bz2"), net.path("assets/coreos/1010.5.0"));
    let whole = fs::read(&image).unwrap();
    let maker = Signer::new("maker", "20160401", "never");
    maker.sign("20160501", &image);
    fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    service.wait_for("nobody known vouches for it: it is signed by key", SOON);
    armed(&service);
    // With the key at hand, it is known to be half of what was signed.
    maker.publish(&net.path("assets/keys/maker.asc"));
    refused(&service, "coreos_production_image.bin.bz2: the file is not the one that key");
    fs::write(format!("{}.sig", image.display()), "404 Not Found\n").unwrap();
    refused(&service, "coreos_production_image.bin.bz2: the signature can't be read");
    // A list that nobody signed tells of damage all the same.
    fs::remove_file(format!("{}.sig", image.display())).unwrap();
    net.run(&format!("cd {} && sha256sum *.bz2 >SHA256SUMS", folder.display()));
    armed(&service);
    fs::write(&image, &whole).unwrap();
    refused(&service, "coreos_production_image.bin.bz2: its SHA256 is");
}

/// Three systems, each signed by somebody with a key of their own, with the built-in profiles.
fn three_systems(net: &Net, maker: &Signer) {
    for (family, version) in [("coreos", "1010.5.0"), ("flatcar", "4230.2.0")] {
        for name in FILES {
            let file = net.write(&format!("assets/{family}/{version}/{family}_production_{name}"), name);
            maker.sign("20160501", &file);
        }
    }
    for name in
        ["live-kernel.x86_64", "live-initramfs.x86_64.img", "live-rootfs.x86_64.img", "metal.x86_64.raw.xz"]
    {
        let file = net.write(&format!("assets/fedora-coreos/44.1/fedora-coreos-44.1-{name}"), name);
        maker.sign("20160501", &file);
    }
    net.write("assets/cloud-configs/default.ign", "{\"ignition\": {\"version\": \"3.3.0\"}}\n");
    net.write("assets/cloud-configs/default.yml", "#cloud-config\nhostname: a\n");
}

const THREE: &str = "[[node]]\nname = 'c'\nmac = '02:00:00:00:00:01'\nprofile = 'coreos'\n\
    [[node]]\nname = 'f'\nmac = '02:00:00:00:00:02'\nprofile = 'flatcar'\n\
    [[node]]\nname = 'o'\nmac = '02:00:00:00:00:03'\nprofile = 'fedora-coreos'\n";

/// Takes the image's signature away, and puts a signed list in its place.
fn only_listed(net: &Net, maker: &Signer, image: &str, list: &str) {
    let image = net.path(image);
    fs::remove_file(format!("{}.sig", image.display())).unwrap();
    let (folder, name) = (image.parent().unwrap(), image.file_name().unwrap().to_string_lossy().into_owned());
    net.run(&format!("cd {} && sha256sum {name} >{list}", folder.display()));
    maker.sign("20160501", &folder.join(list));
}

#[test]
fn what_its_own_installer_would_refuse_is_not_armed() {
    let net = Net::new();
    let maker = Signer::new("maker", "20160401", "never");
    three_systems(&net, &maker);
    maker.publish(&net.path("assets/keys/maker.asc"));
    let service = Service::start_strict(&net, THREE);
    // A key of one's own: one installer is handed it, the others have theirs built in.
    node_armed(&service, &["f"]);
    let script = service.cli(&["node", "show", "--render", "f"]);
    assert!(script.contains("-k \"$keys\"") && script.contains("has_keys='yes'"), "{script}");
    node_refused(
        &service,
        &["c"],
        "coreos-install knows no keys but those built into it, and coreos_production_image.bin.bz2 is signed by maker",
    );
    node_refused(&service, &["o"], "coreos-installer knows no keys but those built into it");
    assert!(service.cli(&["assets", "list"]).contains("would overwrite the disk and then refuse the image"));
    // A list of digests is nothing to any of them, whoever signed it; somebody's own script runs what it runs.
    only_listed(&net, &maker, "assets/flatcar/4230.2.0/flatcar_production_image.bin.bz2", "SHA256SUMS");
    only_listed(&net, &maker, "assets/fedora-coreos/44.1/fedora-coreos-44.1-metal.x86_64.raw.xz", "CHECKSUM");
    net.write("assets/cloud-configs/install.sh", "#!/bin/sh\ndd if=/dev/zero of=/dev/sda\n");
    node_armed(&service, &["c"]);
    net.write(
        "assets/cloud-configs/install.sh",
        "#!/bin/sh\ncoreos-install -d /dev/sda; flatcar-install; coreos-installer\n",
    );
    node_refused(&service, &["c"], "coreos-install knows no keys");
    node_refused(
        &service,
        &["f"],
        "flatcar-install asks for flatcar_production_image.bin.bz2.sig and installs nothing without it (SHA256SUMS is nothing to it)",
    );
    node_refused(&service, &["o"], "coreos-installer asks for fedora-coreos-44.1-metal.x86_64.raw.xz.sig");
    // Without an image there is nothing that it would look at: it takes the system that it runs from.
    fs::remove_file(net.path("assets/fedora-coreos/44.1/fedora-coreos-44.1-metal.x86_64.raw.xz")).unwrap();
    node_armed(&service, &["o"]);
}

#[test]
fn letting_unsigned_files_pass_does_not_make_an_installer_take_them() {
    let net = Net::new();
    let maker = Signer::new("maker", "20160401", "never");
    three_systems(&net, &maker);
    let service = Service::start(&net, THREE);
    for (node, installer) in [("c", "coreos-install"), ("f", "flatcar-install"), ("o", "coreos-installer")] {
        node_refused(&service, &[node], &format!("{installer} insists on the signature of"));
    }
    // One of them can be told to go on without a signature. With one that it can't check, it does not.
    for image in [
        "coreos/1010.5.0/coreos_production_image.bin.bz2",
        "flatcar/4230.2.0/flatcar_production_image.bin.bz2",
        "fedora-coreos/44.1/fedora-coreos-44.1-metal.x86_64.raw.xz",
    ] {
        fs::remove_file(net.path(&format!("assets/{image}.sig"))).unwrap();
    }
    node_armed(&service, &["o"]);
    assert!(service.cli(&["node", "show", "--render", "o"]).contains(".raw.xz --insecure --ignition-file"));
    node_refused(&service, &["c"], "coreos-install asks for coreos_production_image.bin.bz2.sig");
    node_refused(&service, &["f"], "sign it yourself: gpg --detach-sign flatcar_production_image.bin.bz2");
}

#[test]
fn a_key_must_have_been_valid_when_it_signed_and_only_then() {
    let net = Net::new();
    small_system(&net);
    let maker = Signer::new("maker", "20160401", "1y");
    maker.publish(&net.path("assets/keys/maker.asc"));
    for name in FILES {
        maker.sign("20160501", &file(&net, name));
    }
    let service = Service::start_strict(&net, "");
    armed(&service);
    // It has expired since, which is said and is fine.
    service.wait_for("which was valid until 2017-04-01", SOON);
    // gpg itself refuses to sign with an expired key: its time is lengthened for that, and what is published is not.
    let fingerprint = String::from_utf8(maker.gpg("20160501", &["--list-keys", "--with-colons"])).unwrap();
    let fingerprint = fingerprint.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap();
    maker
        .gpg("20160601", &["--passphrase", "", "--quick-set-expire", fingerprint.trim_matches(':'), "never"]);
    maker.sign("20180501", &file(&net, "image.bin.bz2"));
    refused(&service, "it was signed on 2018-05-01 by key");
}

#[test]
fn files_of_several_releases_are_not_one_system() {
    let net = Net::new();
    small_system(&net);
    let maker = Signer::new("maker", "20160401", "never");
    maker.publish(&net.path("assets/keys/maker.asc"));
    for (name, day) in FILES.into_iter().zip(["20160501", "20160502", "20160620"]) {
        maker.sign(day, &file(&net, name));
    }
    let service = Service::start_strict(&net, "");
    refused(
        &service,
        "it is put together from several releases: coreos_production_pxe.vmlinuz was signed on 2016-05-01, coreos_production_image.bin.bz2 on 2016-06-20",
    );
    maker.sign("20160501", &file(&net, "image.bin.bz2"));
    armed(&service);
    net.write("assets/coreos/1010.5.0/version.txt", "COREOS_BUILD=1\nCOREOS_VERSION=1068.0.0\n");
    refused(&service, "its version.txt is of 1068.0.0");
}

#[test]
fn a_signed_list_of_digests_will_do() {
    let net = Net::new();
    small_system(&net);
    let folder = net.path("assets/coreos/1010.5.0");
    let sums = |folder: &Path| {
        let output =
            Command::new("sh").args(["-c", "sha256sum coreos_*"]).current_dir(folder).output().unwrap();
        fs::write(folder.join("SHA256SUMS"), output.stdout).unwrap();
    };
    sums(&folder);
    let maker = Signer::new("maker", "20160401", "never");
    maker.publish(&net.path("assets/keys/maker.asc"));
    maker.sign("20160501", &folder.join("SHA256SUMS"));
    let service = Service::start_strict(&net, "");
    armed(&service);
    fs::write(file(&net, "pxe.vmlinuz"), "another kernel").unwrap();
    refused(&service, "coreos_production_pxe.vmlinuz: ");
    sums(&folder);
    refused(&service, "the list that it is in: the file is not the one that key");
}

#[test]
fn a_disk_that_is_pulled_out_breaks_its_transfer_and_the_other_folder_takes_over() {
    let net = Net::new();
    small_system(&net);
    let bytes = vec![b'x'; 96 << 20];
    fs::write(file(&net, "image.bin.bz2"), &bytes).unwrap();
    let usb = net.path("usb");
    net.run(&format!("cp -r {} {}", net.path("assets").display(), usb.display()));
    let config = support::service::config_text(&net, "")
        .replace("dirs = ['", &format!("dirs = ['{}', '", usb.display()));
    let config = net.write("both.toml", config);
    let process = support::service::launch(&net, &config);
    process.wait_for("ready and safe", 0, SOON);
    let cli = |arguments: &[&str]| {
        let mut command = net.command(support::service::BINARY);
        command.arg("--socket").arg(net.path("run/control.sock")).args(arguments).output().unwrap()
    };
    assert!(cli(&["arm"]).status.success());
    net.client("node", "02:00:00:00:00:01");
    net.write("udhcpc.sh", "#!/bin/sh\n[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0\n");
    net.run(&format!("chmod +x {}", net.path("udhcpc.sh").display()));
    net.run_in(
        "node",
        &format!(
            "udhcpc -f -q -n -t 5 -T 1 -i eth0 -V PXEClient:Arch:00000:UNDI:002001 -s {}",
            net.path("udhcpc.sh").display()
        ),
    );
    let url = "http://10.10.10.1/1010.5.0/coreos_production_image.bin.bz2";
    let mut curl = net.command("ip");
    curl.args(["netns", "exec", "node", "curl", "-sS", "--limit-rate", "8M", "-o", "/dev/null", url]);
    let mut curl = support::Watched::start(curl);
    process.wait_for("its disk is being overwritten", 0, SOON);
    wait_until("bytes flow", SOON, || {
        let metrics = net.run("curl -sf http://10.10.10.1/metrics");
        let sent = metrics
            .lines()
            .find_map(|line| line.strip_prefix("rackberry_http_sent_bytes_total{kind=\"file\"} "));
        sent.is_some_and(|sent| sent.parse::<u64>().unwrap() > 0)
    });
    // What a pulled disk is for whoever reads from it: no more bytes, and the names are gone.
    fs::OpenOptions::new()
        .write(true)
        .open(usb.join("coreos/1010.5.0/coreos_production_image.bin.bz2"))
        .and_then(|file| file.set_len(0))
        .unwrap();
    fs::rename(&usb, net.path("pulled")).unwrap();
    assert!(!curl.end(SOON), "the transfer can't have ended well");
    assert!(curl.lines().join(" ").contains("transfer closed"), "{:?}", curl.lines());
    // The same installer asks again, and gets it whole from the other folder.
    wait_until("the other folder takes over", SOON, || {
        let got = net.try_in("node", &format!("curl -sf {url} | wc -c"));
        String::from_utf8_lossy(&got.stdout).trim() == bytes.len().to_string()
    });
    let said = cli(&["nodes", "--json"]);
    let nodes: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(nodes[0]["writes"], 1, "{nodes}");
}

#[test]
fn two_thousand_files_and_fifty_versions_are_looked_at_in_a_moment() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: String| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#cloud-config\nhostname: {{ node.name }}\n").unwrap();
    };
    for version in 0..50 {
        for name in FILES {
            write(format!("coreos/{version}.0.0/coreos_production_{name}"));
            write(format!("coreos/{version}.0.0/coreos_production_{name}.sig"));
        }
    }
    (0..2000).for_each(|number| {
        write(format!("cloud-configs/02-00-00-00-{:02x}-{:02x}.yml", number / 256, number % 256))
    });
    let dirs = [dir.path().to_owned()];
    let first = scan::scan(&dirs, Path::new("/nowhere"), None);
    let started = Instant::now();
    let second = scan::scan(&dirs, Path::new("/nowhere"), Some(&first));
    assert!(started.elapsed() < Duration::from_secs(1), "it took {:?}", started.elapsed());
    assert_eq!((second.versions().len(), second.configs().all().len()), (50, 2000));
    assert!(second.is_same(&first));
}

#[test]
fn somebodys_own_boot_loader_takes_the_place_of_the_one_that_is_there() {
    let net = Net::new();
    small_system(&net);
    let _service = Service::start(&net, "");
    let fetch = || net.run("curl -s tftp://10.10.10.1/pxelinux.0 | head -c 4");
    assert_ne!(fetch(), "mine");
    net.write("assets/loaders/pxelinux.0", "mine");
    wait_until("the folder is looked at again", SOON, || fetch() == "mine");
}
