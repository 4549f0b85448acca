//! What systemd is told by the real service: ready, alive, reloading.

mod support;

use std::{os::unix::net::UnixDatagram, time::Duration};

use rustix::process::Signal;
use support::{
    Net, Watched,
    service::{BINARY, config_text, small_system},
};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn systemd_hears_that_it_is_ready_alive_and_reloading_and_people_what_it_stands_in_for() {
    let net = Net::new();
    small_system(&net);
    let config = net.write("rackberry.toml", config_text(&net, ""));
    let faults = net.write("faults", "rackberry.toml:2:1: network.adress: is no key\n");
    let heard = UnixDatagram::bind(net.path("notify")).expect("a socket");
    heard.set_read_timeout(Some(PATIENCE)).expect("a timeout");

    let mut command = support::confined::service(&net);
    command.env("NOTIFY_SOCKET", net.path("notify")).env("WATCHDOG_USEC", "3000000");
    command.arg("--socket").arg(net.path("run/control.sock")).args(["serve", "--panel", "none", "--config"]);
    command.arg(config).arg("--state").arg(net.path("state")).arg("--config-faults").arg(faults);
    let service = Watched::start(command);
    wait(&heard, "READY=1");
    // Once at the start, and again within its time.
    wait(&heard, "WATCHDOG=1");
    wait(&heard, "WATCHDOG=1");

    service.signal(Signal::HUP);
    let reloading = wait(&heard, "RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(since.and_then(|text| text.parse::<u64>().ok()).is_some_and(|time| time > 0), "{reloading}");
    wait(&heard, "READY=1");

    let mut status = net.command(BINARY);
    status.arg("--socket").arg(net.path("run/control.sock")).arg("status");
    let said = String::from_utf8(status.output().expect("the command").stdout).expect("text");
    assert!(said.contains("network.adress: is no key"), "{said}");
}

/// The next message with this line.
fn wait(heard: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 1024];
    loop {
        let length = heard.recv(&mut buffer).unwrap_or_else(|error| panic!("waited for {line}: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.lines().any(|found| found == line) {
            return text;
        }
    }
}
