//! What a person reads on any PC after pulling the card, and on the screen while it runs.

use std::fmt::Write as _;

use rackberry_core::{
    appliance::{NodeView, StatusView},
    ids::Stage,
};

/// Bytes of the report on the card. All reports are as long as the one that the image brings, so that each is
/// written over the last one without a change to the file system's tables: a power cut can't damage those.
const LENGTH: usize = 32 * 1024;

/// What a report is made of.
#[derive(Debug, Clone, Default)]
pub struct ReportFacts {
    /// This program's version.
    pub version: String,
    /// The moment, in words.
    pub time: String,
    /// The appliance's name on the network, without `.local`.
    pub hostname: String,
    /// The board, as its device tree names it.
    pub board: String,
    /// Which configuration is in force, in a sentence.
    pub in_force: String,
    /// What is wrong with the card's files, a paragraph each.
    pub faults: Vec<String>,
    /// What is wrong with USB disks that are plugged in, a sentence each.
    pub usb_notes: Vec<String>,
    /// How many people may log in.
    pub keys: usize,
    /// Whether power was cut while it last ran.
    pub was_cut: bool,
    /// What the service says of itself; `None` while it does not answer.
    pub status: Option<StatusView>,
    /// The nodes, as the service shows them.
    pub nodes: Vec<NodeView>,
    /// Parts of the system that failed.
    pub failed_units: Vec<String>,
    /// The last lines of the service's log.
    pub log: Vec<String>,
}

impl ReportFacts {
    /// Address, name, mode: what the screen shows.
    pub fn summary(&self) -> String {
        let mut text = format!("rackberry {}", self.version);
        if !self.board.is_empty() {
            let _ = write!(text, " on a {}", self.board);
        }
        text.push('\n');
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<10} {value}");
        };
        match &self.status {
            Some(status) => {
                row(
                    "address",
                    &format!("{} on {}, {}.local", status.address, status.interface, self.hostname),
                );
                row("page", &status.url);
                row("mode", &mode(status));
                row("installs", &status.ready.clone().unwrap_or_else(|why| format!("nothing: {why}")));
            }
            None => row("service", "does not answer"),
        }
        row("settings", &self.in_force);
        row("SSH", &self.login());
        text
    }

    /// What a person should look at, a paragraph each.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = self.faults.clone();
        if let Some(status) = &self.status {
            // The service tells the card's faults too, as one warning.
            let told = self.faults.join("\n");
            troubles.extend(status.warnings.iter().filter(|warning| **warning != told).cloned());
        }
        troubles.extend(self.usb_notes.iter().cloned());
        troubles.extend(self.failed_units.iter().map(|unit| format!("{unit} failed")));
        troubles.extend(self.nodes.iter().filter(|node| node.stage == Stage::Failed).map(failure));
        troubles
    }

    /// The text of the report.
    pub fn report(&self) -> String {
        let mut text = format!("{}\nwritten    {}\n", self.summary(), self.time);
        if self.was_cut {
            text += "           the last run ended without a shut-down: power was cut, or the watchdog bit\n";
        }
        let troubles = self.troubles();
        text += "\nWhat is wrong\n-------------\n";
        if troubles.is_empty() {
            text += "nothing\n";
        }
        for trouble in troubles {
            let _ = writeln!(text, "* {}", trouble.replace('\n', "\n  "));
        }
        text += "\nThe service's last words\n------------------------\n";
        for line in &self.log {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn login(&self) -> String {
        match self.keys {
            0 => "off: authorized_keys on the card has no key".into(),
            1 => format!("1 key: ssh rackberry@{}.local", self.hostname),
            keys => format!("{keys} keys: ssh rackberry@{}.local", self.hostname),
        }
    }
}

fn mode(status: &StatusView) -> String {
    match status.armed_seconds {
        Some(seconds) => {
            format!("ARMED for {} more minutes: machines may be overwritten", seconds.div_ceil(60))
        }
        None => "safe: nobody installs until somebody arms".into(),
    }
}

fn failure(node: &NodeView) -> String {
    let name = node.name.clone().unwrap_or_else(|| node.mac.to_string());
    match &node.failure {
        Some(failure) => format!("{name} failed while {}: {}", failure.stage, failure.reason),
        None => format!("{name} failed"),
    }
}

/// The text as the file on the card: lines end as every PC's editor likes them, blank lines fill it up. The end of
/// what does not fit is cut off.
pub fn file(text: &str) -> Vec<u8> {
    let mut bytes = text.replace('\n', "\r\n").into_bytes();
    bytes.resize(LENGTH, b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ReportFacts {
        ReportFacts {
            version: "1.2.3".into(),
            time: "2026-11-24 21:00 UTC".into(),
            hostname: "rack7".into(),
            board: "Raspberry Pi 4 Model B Rev 1.4".into(),
            in_force: "rackberry.toml is good and in force".into(),
            keys: 2,
            status: Some(StatusView {
                version: "1.2.3".into(),
                armed_seconds: None,
                live: false,
                orders: Vec::new(),
                interface: "eth0".into(),
                address: "10.10.10.1/24".into(),
                url: "http://10.10.10.1".into(),
                dhcp: rackberry_core::dhcp::ServingMode::Full,
                panel: String::new(),
                ready: Ok("coreos 1010.5.0".into()),
                counts: Vec::new(),
                leases: 0,
                warnings: Vec::new(),
            }),
            ..ReportFacts::default()
        }
    }

    #[test]
    fn a_good_start_says_where_it_is_and_that_nothing_is_wrong() {
        let report = facts().report();
        for line in [
            "rackberry 1.2.3 on a Raspberry Pi 4 Model B Rev 1.4",
            "address    10.10.10.1/24 on eth0, rack7.local",
            "mode       safe: nobody installs until somebody arms",
            "installs   coreos 1010.5.0",
            "SSH        2 keys: ssh rackberry@rack7.local",
            "nothing",
        ] {
            assert!(report.lines().any(|found| found == line), "{line:?} is not in\n{report}");
        }
        assert!(!report.contains("power was cut"));
    }

    #[test]
    fn a_fault_is_told_once_with_its_lines_set_in() {
        let fault = "rackberry.toml:3:5: dhcp.pool: is wrong\n  3 | pool";
        let mut facts = facts();
        facts.faults = vec![fault.into(), "authorized_keys:1: is no key".into()];
        facts.was_cut = true;
        facts.status.as_mut().unwrap().warnings = vec![facts.faults.join("\n"), "the disk is full".into()];
        facts.usb_notes = vec!["USB disk sdb: it cannot be read".into()];
        facts.failed_units = vec!["ssh.service".into()];
        let report = facts.report();
        assert_eq!(report.matches("dhcp.pool").count(), 1, "{report}");
        assert!(report.contains("* rackberry.toml:3:5: dhcp.pool: is wrong\n    3 | pool\n* authorized_keys:1: is no key\n* the disk is full\n* USB disk sdb: it cannot be read\n* ssh.service failed\n"));
        assert!(report.contains("power was cut"));
    }

    #[test]
    fn a_silent_service_is_reported_too() {
        let report = ReportFacts {
            log: vec!["waiting: there is no network interface".into()],
            ..ReportFacts::default()
        }
        .report();
        assert!(report.contains("service    does not answer"), "{report}");
        assert!(report.contains("off: authorized_keys"), "{report}");
        assert!(report.ends_with("waiting: there is no network interface\n"), "{report}");
    }

    #[test]
    fn files_are_all_of_one_length() {
        assert_eq!(file("a\nb\n")[..6], *b"a\r\nb\r\n");
        assert_eq!(file("").len(), LENGTH);
        assert_eq!(file(&"x".repeat(2 * LENGTH)).len(), LENGTH);
    }
}
