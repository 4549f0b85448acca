//! What was known is lost: the state, a last report, by a person's word; and what is known from before.

use super::{support::service::config_text, *};

#[test]
fn after_the_state_was_lost_everybody_means_nobody_until_somebody_says_otherwise() {
    let net = rack();
    let state = net.path("state/state.log");
    let mut service = Service::start(&net, "");
    net.client("c1", ONE);
    service.cli(&["arm"]);
    install(&service, "c1", ONE, FIRST_ID);
    for damage in ["gone", "empty", "damaged"] {
        service.process.kill();
        match damage {
            "gone" => fs::remove_file(&state).unwrap(),
            "empty" => fs::write(&state, "").unwrap(),
            _ => {
                let mut bytes = fs::read(&state).unwrap();
                bytes[..2048].fill(0x55);
                fs::write(&state, bytes).unwrap();
            }
        }
        service.kill_and_restart();
        let refused = service.try_cli(&["arm"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("its state is"), "{damage}: {said}");
        let told = service.cli(&["status"]);
        assert!(told.contains("nobody knows which machines are installed"), "{damage}: {told}");
        assert!(!is_led(&net, "c1", FIRST_ID), "{damage}");
        // It stays known.
        service.kill_and_restart();
        assert!(!service.try_cli(&["arm"]).status.success(), "{damage}");
    }
    let aside = fs::read_dir(net.path("state")).unwrap();
    let aside =
        aside.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".damaged-"));
    assert_eq!(aside.count(), 1, "what was damaged is kept");
    // Who is named installs, and who says that it is a first day gets one.
    service.cli(&["arm", ONE]);
    assert!(is_led(&net, "c1", FIRST_ID));
    service.cli(&["disarm"]);
    service.cli(&["accept-loss"]);
    service.kill_and_restart();
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", FIRST_ID));
}

/// A new journal in a new folder is a first day, and installs the rack; with a mark from elsewhere it is not.
#[test]
fn a_mark_elsewhere_tells_a_first_day_from_a_lost_state() {
    let net = rack();
    let config = net.write("rackberry.toml", config_text(&net, ""));
    let service = Service::start(&net, "");
    drop(service);
    let mark = net.path("mark");
    fs::copy(net.path("state/journal.mark"), &mark).unwrap();
    fs::remove_dir_all(net.path("state")).unwrap();
    let service = Service::start(&net, "");
    service.cli(&["arm"]);
    drop(service);
    fs::remove_dir_all(net.path("state")).unwrap();
    let mut command = net.command(support::service::BINARY);
    command.arg("--socket").arg(net.path("control.sock")).args(["serve", "--panel", "none", "--config"]);
    command.arg(config).arg("--state").arg(net.path("state")).arg("--journal-mark").arg(&mark);
    let process = support::Watched::start(command);
    process.wait_for("its state is gone", 0, SOON);
}

/// The last report of an install is lost with the service; and what was installed is forgotten while everybody is armed.
#[test]
fn who_may_have_a_system_is_not_overwritten_because_the_last_report_was_lost_or_it_was_forgotten() {
    let net = rack();
    let mut service = Service::start(&net, "");
    net.client("c1", ONE);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", FIRST_ID));
    let base = grant(&menu(&net, "c1")).expect("a grant");
    let image = format!("{base}/coreos/1010.5.0/coreos_production_image.bin.bz2");
    assert_eq!(status(&net, "c1", &image), "200");
    service.kill_and_restart();
    // Its firmware asks the network first.
    service.cli(&["arm"]);
    assert!(!is_led(&net, "c1", FIRST_ID), "nobody knows that it is not installed");
    comes_up(&net, "c1");
    assert_eq!(report(&net, "c1", "http://10.10.10.1", ONE, "installed", true), "200");
    assert_eq!(stage(&service, ONE), "installed");
    assert!(!is_led(&net, "c1", FIRST_ID));
    // Everybody is armed still.
    assert!(service.cli(&["node", "forget", ONE]).contains("is forgotten"));
    assert!(!is_led(&net, "c1", FIRST_ID));
    service.cli(&["disarm"]);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", FIRST_ID), "by the next order it is a machine like others");
}

/// Made by the service of 2026-11-27: `tests/data/state-layout-1.redb`.
#[test]
fn a_state_of_before_opens_and_who_was_installed_stays_so() {
    let net = rack();
    fs::create_dir_all(net.path("state")).unwrap();
    support::copy(&support::root().join("tests/data/state-layout-1.redb"), &net.path("state/state.redb"));
    let service = Service::start(&net, "");
    assert!(!service.status().to_string().contains("lost"), "{}", service.status());
    let known: Vec<(String, Value)> = (1..=4)
        .map(|number| service.node(&format!("02:00:00:00:00:0{number}")))
        .map(|node| (node["stage"].as_str().unwrap_or_default().to_owned(), node["writes"].clone()))
        .collect();
    let wanted = [("installed", 1), ("installing", 1), ("failed", 1), ("idle", 0)];
    assert_eq!(known, wanted.map(|(stage, writes)| (stage.to_owned(), writes.into())));
    service.cli(&["arm"]);
    for (client, mac, may) in [("c1", ONE, false), ("c4", "02:00:00:00:00:04", true)] {
        net.client(client, mac);
        assert_eq!(is_led(&net, client, ""), may, "{client}");
    }
}
