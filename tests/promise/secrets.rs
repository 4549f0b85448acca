//! What is open to nobody.

use super::*;

/// What can overwrite a disk, what has secrets in it, and whatever else lies in an asset folder, asked for by a stranger and
/// by a machine with a lease, while nobody is armed and while somebody else is.
#[test]
fn what_is_not_known_to_be_harmless_is_open_to_nobody() {
    let net = rack();
    let own = "d-i passwd/root-password password secret\n";
    for (name, text) in [
        ("coreos/1010.5.0/coreos_production_packet_image.bin.bz2", "packet"),
        ("coreos/1010.5.0/arm64-usr/coreos_production_image.bin.bz2", "arm64"),
        ("coreos/1010.5.0/notes.txt", own),
        ("profiles/mine/preseed.cfg", own),
        ("Cloud-Configs/node1.yml", "#cloud-config\nhostname: secret\n"),
        ("cloudconfigs/node1.yml", "#cloud-config\nhostname: secret\n"),
        ("photos/2016/cat.jpg", "secret"),
        ("files/open.raw", "open"),
    ] {
        net.write(&format!("assets/{name}"), text);
    }
    let service = Service::start(&net, &format!("[[node]]\nname = 'node1'\nmac = '{ONE}'\n"));
    net.client("c1", ONE);
    net.client("c2", TWO);
    comes_up(&net, "c2");
    let asks = |what: &str| {
        for path in [
            "coreos/1010.5.0/coreos_production_image.bin.bz2",
            "coreos/1010.5.0/coreos_production_packet_image.bin.bz2",
            "1010.5.0/coreos_production_packet_image.bin.bz2",
            "coreos/1010.5.0/arm64-usr/coreos_production_image.bin.bz2",
            "coreos/1010.5.0/notes.txt",
            "profiles/mine/preseed.cfg",
            "PROFILES/mine/preseed.cfg",
            "Cloud-Configs/node1.yml",
            "cloud-configs/node1.yml",
            "cloudconfigs/node1.yml",
            "photos/2016/cat.jpg",
            "cloud-configs/install.sh",
        ] {
            let got = status(&net, "c2", &format!("http://10.10.10.1/{path}"));
            assert!(["403", "404"].contains(&got.as_str()), "{what}: {path}: {got}");
            let sent = net.run_in("c2", &format!("curl -s tftp://10.10.10.1/{path} || true"));
            assert!(sent.is_empty(), "{what}: {path} by TFTP: {sent}");
        }
        assert_eq!(status(&net, "c2", "http://10.10.10.1/files/open.raw"), "200");
    };
    asks("nobody is armed");
    service.cli(&["arm", "node1"]);
    assert!(is_led(&net, "c1", ""));
    asks("another one is armed");
    assert!(!service.try_cli(&["node", "show", TWO]).status.success(), "it was led nowhere, and is no node");
    assert_eq!(status(&net, "c1", "http://10.10.10.1/cloud-configs/node1.yml"), "200", "its own");
}
