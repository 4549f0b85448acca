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

use rackberry::assets::scan;
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
    wait_until(&format!("arming is refused because {words:?}"), SOON, || {
        let output = service.try_cli(&["arm"]);
        if output.status.success() {
            service.cli(&["disarm"]);
        }
        String::from_utf8_lossy(&output.stderr).contains(words)
    });
}

/// Waits until it can be armed.
fn armed(service: &Service) {
    let said = std::cell::RefCell::new(String::new());
    wait_until("it can be armed", SOON, || {
        let output = service.try_cli(&["arm"]);
        *said.borrow_mut() = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success()
    });
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
        command.arg("--socket").arg(net.path("control.sock")).args(arguments).output().unwrap()
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
    assert_eq!((second.versions().len(), second.configs().len()), (50, 2000));
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
