//! What `rackberry check` finds beyond the configuration's own text.

use std::fs;

use crate::{
    assets::scan,
    boot,
    config::Settings,
    panel::{backend, board::load},
    profiles,
};

/// What was found, a sentence each.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub faults: Vec<String>,
    /// What should be known, and hinders nobody.
    pub notes: Vec<String>,
}

/// Faults of loaders, assets and the panel.
pub fn faults(settings: &Settings) -> Findings {
    let mut findings = Findings { faults: assets(settings), notes: Vec::new() };
    panel(settings, &mut findings);
    findings
}

/// The board, its hardware, and the LEDs that nodes ask for.
fn panel(settings: &Settings, findings: &mut Findings) {
    let name = &settings.panel.board;
    let board = match load::load(name) {
        Ok(board) => board,
        Err(error) => return findings.faults.push(format!("panel.board: {error}")),
    };
    let leds = board.node_leds();
    for node in settings.nodes.iter().filter(|node| node.led.is_some_and(|led| led > leds)) {
        let led = node.led.unwrap_or_default();
        findings.faults.push(format!("node.led: {} wants LED {led}, but {name} has {leds}", node.name));
    }
    if board.is_for_raspberry_pi() && !is_raspberry_pi() {
        let note = format!("note: this is no Raspberry Pi; the panel {name} was not looked for");
        return findings.notes.push(note);
    }
    findings
        .faults
        .extend(backend::examine(&board).iter().map(|fault| format!("panel.board: {name}: {fault}")));
}

/// What the firmware's description of the machine says.
fn is_raspberry_pi() -> bool {
    fs::read("/proc/device-tree/compatible")
        .is_ok_and(|words| String::from_utf8_lossy(&words).contains("raspberrypi,"))
}

fn assets(settings: &Settings) -> Vec<String> {
    let catalog = scan::scan(&settings.assets.dirs, &settings.assets.loaders);
    let mut faults = Vec::new();
    for loader in boot::LOADERS {
        if catalog.loader(loader).is_none() {
            let folder = settings.assets.loaders.display();
            faults.push(format!("{folder}: the boot loader {loader} is missing; `make loaders` builds it"));
        }
    }
    let default = (&settings.install.profile, &settings.install.version);
    let mut wanted = vec![default];
    for node in &settings.nodes {
        let own = (node.profile.as_ref().unwrap_or(default.0), node.version.as_ref().unwrap_or(default.1));
        if !wanted.contains(&own) {
            wanted.push(own);
        }
    }
    for (profile, version) in wanted {
        if let Err(reason) = catalog.ready(profile, version) {
            faults.push(reason.to_string());
        }
    }
    for profile in profiles::BUILT_IN {
        for version in catalog.versions(profile).iter().filter(|version| !version.missing.is_empty()) {
            let fault = format!(
                "{} {} is incomplete: {} not there",
                profile.name,
                version.version,
                version.missing.join(", ")
            );
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
    }
    for node in &settings.nodes {
        let Some(mac) = node.macs.first() else { continue };
        if catalog.node_config(*mac, Some(&node.name)).is_none() {
            faults.push(format!(
                "{} has no configuration: put cloud-configs/{mac}.yml or cloud-configs/default.yml into an asset folder",
                node.name
            ));
        }
    }
    faults
}
