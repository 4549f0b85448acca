//! The install script that profiles share.

use std::{collections::BTreeMap, fs};

use rackberry_core::{
    profiles,
    templates::{self, Context, NodeFacts},
};
use serde_json::{Value, json};

use crate::{
    rig::{Appliance, MAC, Machine, Reply, Run, Tools},
    support::machine::mark_of,
};

/// Of a disk: 4 MiB.
pub const SECTORS: u64 = 8192;
/// An installer that writes an image with one partition, which the kernel then shows.
const WRITES: &str =
    "echo 'the new system' | dd of=\"$1\" bs=1M seek=1 conv=notrunc 2>/dev/null; echo written";

/// The script as it is made for a node.
pub fn script(server: &str, change: impl FnOnce(&mut Context)) -> String {
    rendered(profiles::SHARED_SCRIPT.1, server, change)
}

/// A text of a profile, as it is made for a node.
pub fn rendered(text: &str, server: &str, change: impl FnOnce(&mut Context)) -> String {
    let node = NodeFacts {
        name: "node1".into(),
        mac: MAC.into(),
        macs: vec![MAC.into()],
        address: None,
        arch: "x86_64".into(),
        vars: toml::Table::new(),
    };
    let mut context = Context {
        node: node.clone(),
        nodes: vec![node],
        vars: toml::Table::new(),
        ssh_keys: Vec::new(),
        server_url: server.into(),
        base_url: format!("{server}/g/12ab"),
        profile: "flatcar".into(),
        version: "4230.2.0".into(),
        disk: "/dev/sda".into(),
        console: None,
        files: BTreeMap::from([(
            "image",
            Some(templates::FileFacts { name: "i".into(), url: "u".into(), sha256: None, signed: true }),
        )]),
        verified: true,
        hands_keys: false,
        config_kind: Some("ignition"),
        config: String::new(),
        answers: BTreeMap::new(),
        command: "the-installer \"$disk\"".into(),
        overwrite_marked: "yes",
    };
    change(&mut context);
    templates::render_line("the script", text, &context).unwrap()
}

/// An appliance that takes everything.
pub fn willing() -> Appliance {
    Appliance::start(|_, asked| {
        Reply::Status(
            200,
            if asked.path.contains("cloud-config") { b"{}".to_vec() } else { b"{}\n".to_vec() },
        )
    })
}

/// A machine with one disk and an installer that works.
pub fn machine(tools: Tools) -> Machine {
    let machine = Machine::new(tools);
    machine.disk("sda", SECTORS);
    machine.partition("sda", 1, 2048, 4096);
    machine.program("the-installer", WRITES);
    machine
}

pub fn install(machine: &Machine, appliance: &Appliance) -> Run {
    machine.run(&script(&appliance.url(), |_| {}))
}

#[track_caller]
pub fn told(appliance: &Appliance) -> Vec<(String, bool)> {
    let reports = appliance.reports();
    reports
        .iter()
        .map(|report| (report["stage"].as_str().unwrap().to_owned(), report["ok"].as_bool().unwrap()))
        .collect()
}

/// The failure that was reported last: its stage, its cause and its message.
#[track_caller]
pub fn failure(appliance: &Appliance, run: &Run) -> (String, Value, String) {
    let reports = appliance.reports();
    let last = reports.last().unwrap_or_else(|| panic!("no report; it said:\n{}", run.said));
    assert_eq!(last["ok"], false, "{last}\n{}", run.said);
    (last["stage"].as_str().unwrap().into(), last["cause"].clone(), last["message"].as_str().unwrap().into())
}

#[test]
fn an_install_goes_from_its_configuration_to_a_marked_disk_and_a_restart() {
    for tools in Tools::ALL {
        let (machine, appliance) = (machine(tools), willing());
        let run = install(&machine, &appliance);
        assert_eq!(
            told(&appliance),
            [("configuring".into(), true), ("written".into(), true)],
            "{tools:?}: {}",
            run.said
        );
        assert_eq!(run.steps.last().unwrap(), "reboot -f", "{tools:?}: {}", run.said);
        let mark = mark_of(&machine.path("dev/sda"));
        let lines: Vec<&str> = mark.lines().collect();
        assert_eq!(
            (&lines[..5], lines.last()),
            (
                &[
                    "rackberry mark 1",
                    "profile flatcar",
                    "version 4230.2.0",
                    "node node1",
                    "mac 52:54:00:00:00:01"
                ][..],
                Some(&"end of mark")
            ),
            "{tools:?}: {}",
            run.said
        );
        let disk = fs::read(machine.path("dev/sda")).unwrap();
        let outside = disk[..2047 * 512].iter().chain(&disk[(1 << 20) + 15..]).all(|byte| *byte == 0);
        assert!(
            outside && disk.len() as u64 == SECTORS * 512,
            "{tools:?}: only the mark and the system were written"
        );
    }
}

#[test]
fn the_first_report_says_which_machine_this_is() {
    for tools in Tools::ALL {
        let (machine, appliance) = (machine(tools), willing());
        for (name, address, kind) in [
            ("eno1", MAC, "pci0000:00/0000:00:1f.6"),
            ("eno2", "00:25:90:c0:f7:87", "pci0000:00/0000:00:1f.7"),
            // A management controller's own cable, the same in each machine of its kind; a dongle; a radio; no card.
            ("usb0", "be:3a:f2:b6:05:9f", "pci0000:00/usb1/1-9/1-9:1.0"),
            ("usb1", "00:e0:4c:68:00:01", "pci0000:00/usb1/1-2/1-2:1.0"),
            ("wlan0", "00:25:90:c0:f7:88", "pci0000:00/0000:00:14.3"),
            ("ib0", "00:25:90:c0:f7:89", "pci0000:00/0000:01:00.0"),
        ] {
            let folder = format!("sys/class/net/{name}");
            machine.write(&format!("{folder}/address"), format!("{address}\n"));
            machine.write(&format!("{folder}/type"), if name == "ib0" { "32\n" } else { "1\n" });
            let device = machine.write(&format!("sys/devices/{kind}/vendor"), "");
            std::os::unix::fs::symlink(
                format!("/sys/devices/{kind}"),
                machine.path(&format!("{folder}/device")),
            )
            .unwrap();
            drop(device);
        }
        machine.write("sys/class/net/wlan0/phy80211/index", "0\n");
        machine.write("sys/class/net/br0/address", "52:54:00:00:00:09\n");
        machine.write("sys/class/net/br0/type", "1\n");
        machine.write("sys/class/dmi/id/product_uuid", "4C4C4544-0051-3510-8052-B7C04F4E4D32\n");
        machine.write("sys/class/dmi/id/product_serial", " S\"1\\2  \n");
        install(&machine, &appliance);
        let reports = appliance.reports();
        assert_eq!(
            reports[0]["machine"],
            json!({
                "uuid": "4c4c4544-0051-3510-8052-b7c04f4e4d32",
                "serial": "S\"1\\2",
                "macs": [MAC, "00:25:90:c0:f7:87", "00:e0:4c:68:00:01"],
            }),
            "{tools:?}"
        );
        assert!(reports[1].get("machine").is_none(), "once is enough: {}", reports[1]);
        serde_json::from_value::<rackberry_core::appliance::Report>(reports[0].clone()).unwrap();
    }
}

#[test]
fn what_vendors_leave_unwritten_is_no_identity() {
    for (tools, uuid, serial) in [
        (Tools::Bash, "00000000-0000-0000-0000-000000000000", "To Be Filled By O.E.M."),
        (Tools::Dash, "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "System Serial Number"),
        (Tools::Busybox, "03000200-0400-0500-0006-000700080009", "Default string"),
        (Tools::Busybox, "Not Settable", "0000000000"),
        (Tools::Dash, "", "None"),
        (Tools::Bash, "12345678-1234-5678-90ab-cddeefaabbcc", "...... "),
    ] {
        let (machine, appliance) = (machine(tools), willing());
        machine.write("sys/class/dmi/id/product_uuid", format!("{uuid}\n"));
        machine.write("sys/class/dmi/id/product_serial", format!("{serial}\n"));
        install(&machine, &appliance);
        assert_eq!(appliance.reports()[0]["machine"], json!({ "macs": [MAC] }), "{uuid} {serial}");
    }
}

#[test]
fn who_gets_no_leave_or_no_configuration_does_not_touch_the_disk() {
    for (path, status, cause, words) in [
        ("cloud-config", 404, "no-configuration", "no configuration at http://127.0.0.1:"),
        ("cloud-config", 403, "no-configuration", "no configuration at http://127.0.0.1:"),
        ("cloud-config", 200, "no-configuration", "is empty"),
        ("report", 403, "not-allowed", "the appliance does not give leave to write /dev/sda: "),
    ] {
        for tools in Tools::ALL {
            let machine = machine(tools);
            let appliance = Appliance::start(move |_, asked| {
                let begins = asked.path.ends_with("/report")
                    && asked.report()["stage"] == "installing"
                    && asked.report()["ok"] == true;
                match asked.path.contains(path) && (path != "report" || begins) {
                    true => Reply::Status(
                        status,
                        if status == 200 { Vec::new() } else { b"{\"error\":\"it may not\"}".to_vec() },
                    ),
                    false => Reply::Status(200, b"{}".to_vec()),
                }
            });
            let run = machine.run(&script(&appliance.url(), |context| {
                context.files.clear();
                context.files.insert("image", None);
            }));
            let (_, known, message) = failure(&appliance, &run);
            assert!(
                known == cause && message.contains(words),
                "{path} {status} {tools:?}: {known} {message}\n{}",
                run.said
            );
            assert!(
                tools != Tools::Bash || status == 200 || message.contains("it may not"),
                "curl shows the reason: {message}"
            );
            assert!(
                !run.said.contains("written"),
                "{path} {tools:?}: the installer was not to be run:\n{}",
                run.said
            );
            assert_eq!(run.steps, ["sleep 10", "reboot -f"], "a refusal stays one: {path} {tools:?}");
        }
    }
}

/// Digits of an address, a port or a time are no answer of the server's.
#[test]
fn a_server_that_is_away_is_asked_again_whatever_numbers_its_silence_is_told_with() {
    for (tools, client, words) in [
        (
            Tools::Bash,
            "curl",
            "printf 000; echo 'curl: (7) Failed to connect to 10.40.140.4 port 4080 after 2403 ms: Connection refused' >&2",
        ),
        (Tools::Dash, "wget", "echo 'Connecting to 10.140.4.1:4041... failed: Connection refused.' >&2"),
        (
            Tools::Busybox,
            "wget",
            "echo \"wget: can't connect to remote host (10.140.4.1): Connection refused\" >&2",
        ),
    ] {
        let (machine, appliance) = (machine(tools), willing());
        machine.write("away", "3");
        let dir = machine.dir.path().display();
        // By functions, because busybox's shell knows its own wget before any other.
        let away = format!(
            "away() {{ left=$(cat {dir}/away); [ $left != 0 ] && echo $((left - 1)) >{dir}/away && {{ {words}; }}; }}
             limited() {{ shift; ! away || return 1; command \"$@\"; }}
             {client}() {{ case \"$*\" in *--version*) ;; *) ! away || return 7 ;; esac; command {client} \"$@\"; }}"
        );
        let text = script(&appliance.url(), |_| {}).replace("\nsay() {", &format!("\n{away}\nsay() {{"));
        let run = machine.run(&text);
        assert_eq!(
            told(&appliance),
            [("configuring".into(), true), ("written".into(), true)],
            "{tools:?}\n{}",
            run.said
        );
        assert_eq!(fs::read_to_string(machine.path("away")).unwrap().trim(), "0", "{tools:?}: it was away");
    }
}

/// Seconds that a script paused before its machine restarted.
fn pauses(run: &Run) -> Vec<u64> {
    assert_eq!(run.steps.last().map(String::as_str), Some("reboot -f"), "{}", run.said);
    run.steps.iter().filter_map(|step| step.strip_prefix("sleep ")?.parse().ok()).collect()
}

#[test]
fn that_the_disk_is_written_is_told_for_minutes() {
    for tools in Tools::ALL {
        // Away for seven requests after the disk is written, by a closed connection and by a service that is not up yet.
        let machine = machine(tools);
        let appliance = Appliance::start(|number, asked| match number {
            2..6 if asked.path.ends_with("/report") => Reply::HangUp,
            6..9 => Reply::Status(503, b"the disk is full".to_vec()),
            _ => Reply::Status(200, b"{}".to_vec()),
        });
        let run = install(&machine, &appliance);
        assert_eq!(pauses(&run), [1, 2, 4, 8, 16, 30, 30], "{tools:?}\n{}", run.said);
        assert_eq!(told(&appliance).iter().filter(|(stage, _)| stage == "written").count(), 8, "{tools:?}");
        assert!(run.said.contains("must hear that this machine is written"), "{tools:?}\n{}", run.said);
    }
    // For ever.
    let machine = machine(Tools::Busybox);
    let appliance =
        Appliance::start(
            |number, _| if number < 2 { Reply::Status(200, b"{}".to_vec()) } else { Reply::HangUp },
        );
    let run = install(&machine, &appliance);
    assert_eq!(pauses(&run).iter().sum::<u64>(), 300, "{}", run.said);
    // A refusal is final.
    let machine = self::machine(Tools::Busybox);
    let appliance =
        Appliance::start(|number, _| Reply::Status(if number < 2 { 200 } else { 403 }, b"{}".to_vec()));
    assert_eq!(pauses(&install(&machine, &appliance)), [0; 0]);
    // Other reports are not worth so much.
    let machine = self::machine(Tools::Bash);
    let appliance = Appliance::start(|_, asked| {
        if asked.path.ends_with("/report") { Reply::HangUp } else { Reply::Status(200, b"{}".to_vec()) }
    });
    machine.program("the-installer", "echo 'gpg: BAD signature from \"maker\"'; exit 1");
    assert_eq!(pauses(&install(&machine, &appliance)).iter().sum::<u64>(), 15 + 15 + 10);
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for (words, cause, times) in [
        ("wget: connection closed prematurely", json!("transfer"), 3),
        ("4: Download of flatcar_production_image.bin.bz2 did not complete", json!("transfer"), 3),
        ("curl: (7) Failed to connect to 10.10.10.1 port 80: Connection refused", json!("no-server"), 3),
        ("something that nobody has heard of", Value::Null, 3),
        ("gpg: BAD signature from \"maker\"", json!("bad-signature"), 1),
        ("dd: error writing '/dev/sda': No space left on device", json!("disk-too-small"), 1),
    ] {
        let (machine, appliance) = (machine(Tools::Busybox), willing());
        machine.program(
            "the-installer",
            &format!("echo run >>{}/runs\ncat <<'END'\n{words}\nEND\nexit 3", machine.dir.path().display()),
        );
        let run = install(&machine, &appliance);
        let (stage, known, message) = failure(&appliance, &run);
        assert_eq!((stage.as_str(), known), ("installing", cause), "{words}\n{}", run.said);
        assert_eq!(message, format!("{words} (the-installer ended with 3)"));
        assert_eq!(fs::read_to_string(machine.path("runs")).unwrap().lines().count(), times, "{words}");
        assert_eq!(mark_of(&machine.path("dev/sda")), "", "a failed install leaves no mark");
    }
}

#[test]
fn who_is_told_to_stop_says_so() {
    for tools in Tools::ALL {
        let (machine, appliance) = (machine(tools), willing());
        machine.program("the-installer", &format!("kill -TERM $(cat {}/pid)", machine.dir.path().display()));
        let run = install(&machine, &appliance);
        let (stage, known, message) = failure(&appliance, &run);
        assert_eq!(
            (stage.as_str(), known, message.as_str()),
            ("installing", json!("stopped"), "the install script was told to stop"),
            "{tools:?}\n{}",
            run.said
        );
    }
}
