//! `rackberry image report`: gathers what is known after the start, and writes `report.txt` onto the card.

use std::{fs, path::Path, process::Command, time::Duration};

use hyper::Method;
use serde::de::DeserializeOwned;

use super::{
    Root, card,
    report::{self, ReportFacts},
};
use crate::net::{http_client as client, link};
use rackberry_core::appliance::StatusView;

/// How long the service may take to be ready; after that, what keeps it is reported.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at the service.
const LOOK: Duration = Duration::from_secs(2);
/// Lines of the service's log in a report.
const LOG: &str = "25";

/// Waits for the service, and writes the report.
///
/// # Errors
/// When the card can't be written.
pub async fn report(root: &Root, socket: &Path) -> anyhow::Result<()> {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE
        && said_by("systemctl", &["show", "--property=ActiveState", "--value", "rackberry"]) != ["active"]
    {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
    let mut facts = gather(root, socket).await;
    let is_unplugged =
        |status: &StatusView| link::has_link(&root.at("sys/class/net"), &status.interface) == Some(false);
    if facts.status.as_ref().is_some_and(is_unplugged) {
        // The service says so when it is sure.
        tokio::time::sleep(link::CABLE_PATIENCE + LOOK).await;
        facts = gather(root, socket).await;
    }
    facts.failed_units = failed_units();
    let last = ["--no-pager", "--boot", "--unit=rackberry", "--lines", LOG, "--output=cat"];
    facts.log = said_by("journalctl", &last);
    card::overwrite(root, "report.txt", &report::file(&facts.report()))
}

/// Everything but what other programs must be asked for.
pub(super) async fn gather(root: &Root, socket: &Path) -> ReportFacts {
    let text = |path| fs::read_to_string(path).unwrap_or_default().trim_matches(['\0', '\n', ' ']).to_owned();
    let faults = fs::read_to_string(root.found("faults")).unwrap_or_default();
    ReportFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        time: said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).concat(),
        hostname: text(root.at("proc/sys/kernel/hostname")),
        board: text(root.at("proc/device-tree/model")),
        in_force: text(root.found("in-force")),
        faults: paragraphs(&faults),
        usb_notes: usb_notes(root),
        keys: text(root.found("authorized_keys")).lines().count(),
        was_cut: root.found("was-cut").exists(),
        status: ask(socket, "/api/v1/status").await,
        nodes: ask(socket, "/api/v1/nodes").await.unwrap_or_default(),
        failed_units: Vec::new(),
        log: Vec::new(),
    }
}

/// What is wrong with USB disks that are plugged in.
fn usb_notes(root: &Root) -> Vec<String> {
    let files =
        fs::read_dir(root.run("rackberry-usb")).into_iter().flatten().flatten().map(|entry| entry.path());
    let notes = files.filter(|path| path.extension().is_some_and(|end| end == "note"));
    notes.filter_map(|path| fs::read_to_string(path).ok()).map(|note| note.trim_end().to_owned()).collect()
}

/// Lines that are set in belong to the one before.
fn paragraphs(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        match all.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => all.push(line.to_owned()),
        }
    }
    all
}

async fn ask<T: DeserializeOwned>(socket: &Path, path: &str) -> Option<T> {
    let (status, body) = client::call(socket, Method::GET, path, None).await.ok()?;
    status.is_success().then(|| serde_json::from_value(body).ok()).flatten()
}

/// The lines that a program prints; none where it can't be run.
pub(super) fn said_by(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

fn failed_units() -> Vec<String> {
    let lines = said_by("systemctl", &["list-units", "--failed", "--plain", "--no-legend"]);
    lines.iter().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_keep_their_excerpts() {
        let text = "rackberry.toml:1:2: bad\n  1 | x\n    | ^\nauthorized_keys:3: bad\n";
        assert_eq!(paragraphs(text), ["rackberry.toml:1:2: bad\n  1 | x\n    | ^", "authorized_keys:3: bad"]);
    }
}
