//! What `rackberry check` finds beyond the configuration's own text.

use std::{fs, sync::Arc};

use crate::{
    hardware::{backend, board as load},
    service::progress::WorkBar,
    storage::{manifest, scan, verify},
};
use rackberry_core::{
    appliance::{Appliance, Stored},
    assets::authentic,
    boot,
    config::Settings,
    ids::Time,
};

/// What was found, a sentence each.
#[derive(Debug, Default)]
pub struct CheckFindings {
    /// What keeps machines from installing, a line each.
    pub faults: Vec<String>,
    /// What should be known, and hinders nobody.
    pub notes: Vec<String>,
}

/// Faults of loaders, assets and the panel.
pub fn faults(settings: &Settings) -> CheckFindings {
    let mut findings = CheckFindings::default();
    assets(settings, &mut findings);
    panel(settings, &mut findings);
    findings
}

/// The board, its hardware, and the LEDs that nodes ask for.
fn panel(settings: &Settings, findings: &mut CheckFindings) {
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

fn assets(settings: &Settings, CheckFindings { faults, notes }: &mut CheckFindings) {
    let mut catalog = scan::scan(&settings.assets.dirs, &settings.assets.loaders, None);
    let mut findings = authentic::ProofFindings::new();
    for job in catalog.unexamined() {
        let progress = WorkBar::of_bytes("verifying", &job.file.path, job.file.len);
        match verify::examine(&job, catalog.keys(), |bytes| progress.more(bytes.len() as u64)) {
            Ok(finding) => drop(findings.insert(job.subject, finding)),
            Err(error) => faults.push(format!("{}: can't be read: {error}", job.file.path.display())),
        }
    }
    catalog = catalog.with_findings(Arc::new(findings));
    faults.extend(manifest::faults(&settings.assets.loaders));
    let loaders: Vec<Vec<String>> =
        boot::files().map(|file| file.split('/').map(str::to_owned).collect()).collect();
    let own = loaders.iter().filter_map(|file| catalog.own_loader(file));
    notes.extend(
        own.map(|found| format!("note: {} takes the place of the loader of that name", found.path.display())),
    );
    let missing = loaders.iter().filter(|file| catalog.loader(file).is_none());
    let folder = settings.assets.loaders.display();
    faults.extend(missing.map(|file| {
        format!("{folder}: the boot loader {} is missing; `make assets` builds it", file.join("/"))
    }));
    notes.extend(catalog.keys().others().iter().map(|name| format!("note: keys/{name} is no key")));
    let (now, secret) = (Time::default(), [0; 32]);
    let appliance =
        Appliance::new(Arc::new(settings.clone()), Arc::new(catalog), Stored::default(), secret, now);
    faults.extend(appliance.faults());
    let fates = appliance.config_fates();
    faults.extend(fates.faults);
    notes.extend(fates.warnings.into_iter().map(|warning| format!("warning: {warning}")));
    notes.extend(fates.notes);
}
