//! Faults as people meet them: position, words, and that several come at once.

mod template;

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn faults(files: &[&str]) -> String {
    let sources: Vec<(PathBuf, String)> =
        files.iter().enumerate().map(|(i, text)| (format!("f{i}.toml").into(), (*text).to_owned())).collect();
    parse(&sources).expect_err(&files.join("; ")).to_string()
}

#[test]
fn every_fault_names_its_place_and_says_what_would_be_right() {
    for (text, place, words) in [
        ("[network]\naddres = '10.0.0.1/24'", "f0.toml:2:1", "address"),
        ("[network]\naddress = 10", "f0.toml:2:11", "address"),
        ("[network]\naddress = '10.0.0.300/24'", "f0.toml:2:", "address"),
        ("[network]\naddress = '10.0.0.0/24'", "f0.toml:2:", "address"),
        ("[dhcp]\npool = '10.10.10.9-10.10.10.2'", "f0.toml:2:", "pool"),
        ("[dhcp]\npool = '10.10.11.2-10.10.11.9'", "f0.toml:2:", "10.10.10"),
        ("[dhcp]\nlease = '1'", "f0.toml:2:", "lease"),
        ("[dhcp]\nlease = '1s'", "f0.toml:2:", "2m"),
        ("[http]\nports = []", "f0.toml:2:", "ports"),
        ("[http]\nports = [80, 80]", "f0.toml:2:14", "twice"),
        ("[http]\nports = [70000]", "f0.toml:2:", "65535"),
        ("[install]\nunknown_nodes = 'maybe'", "f0.toml:2:", "ignore"),
        ("[install]\ndisk = 'sda'", "f0.toml:2:", "/dev/"),
        ("[assets]\ndirs = ['relative']", "f0.toml:2:", "absolute"),
        ("[[node]]\nname = 'a'", "f0.toml:1:", "mac"),
        ("[[node]]\nmac = '00:25:90'", "f0.toml:2:", "MAC"),
        ("[[node]]\nmac = '00:25:90:c0:f7:86'\n[[node]]\nmac = '0025.90c0.f786'", "f0.toml:4:", "00:25:90"),
        ("[[node]]\nmac = '00:25:90:c0:f7:86'\naddress = '10.10.10.1'", "f0.toml:3:", "own"),
        ("[system]\nhostname = 'a.b'", "f0.toml:2:", "dashes"),
        ("[system]\nusb = 'copy'", "f0.toml:2:", "import"),
        ("[dhcp\npool = 1", "f0.toml:1:", "]"),
        ("[panels]\nboard = 'x'", "f0.toml:1:", "panel"),
    ] {
        let said = faults(&[text]);
        assert!(said.contains(place), "{text}\n-> {said}");
        assert!(said.contains(words), "{text}\n-> {said}");
    }
}

#[test]
fn all_faults_of_all_files_come_at_once() {
    let said = faults(&["[network]\nbogus = 1\n[dhcp]\nlease = 7", "[http]\nports = 'x'"]);
    for place in ["f0.toml:2:1", "f0.toml:4:", "f1.toml:2:"] {
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn later_files_win_key_by_key_and_nodes_by_name() {
    let first = "[network]\ninterface = 'eth0'\n[dhcp]\nlease = '2h'\n[[node]]\nname = 'a'\nmac = '02:00:00:00:00:01'";
    let second = "[dhcp]\nlease = '3h'\n[[node]]\nname = 'b'\nmac = '02:00:00:00:00:02'";
    let merged = parse(&[("1".into(), first.into()), ("2".into(), second.into())]).unwrap();
    assert_eq!(merged.network.interface.as_deref(), Some("eth0"));
    assert_eq!(merged.dhcp.lease.as_secs(), 3 * 3600);
    assert_eq!(merged.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn nothing_at_all_gives_the_defaults() {
    assert_eq!(parse(&[]).unwrap(), Settings::default());
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_panic(text in "(\\[|\\]|=|\"|'|#|[a-z_.]|[0-9]|\n| |,|network|dhcp|node|mac|pool){0,60}") {
        let _ = parse(&[("f".into(), text)]);
    }
}
