//! What `rackberry check` finds beyond the configuration's own text.

use std::sync::Arc;

use crate::{
    appliance::{Appliance, Stored},
    assets::{authentic::Findings, scan, verify},
    boot,
    config::Settings,
    ids::Time,
    progress::Progress,
};

/// Faults of loaders, assets and node configurations, a sentence each.
pub fn faults(settings: &Settings) -> Vec<String> {
    let mut catalog = scan::scan(&settings.assets.dirs, &settings.assets.loaders, None);
    let mut faults = Vec::new();
    let mut findings = Findings::new();
    for job in catalog.unexamined() {
        let progress = Progress::of_bytes("verifying", &job.file.path, job.file.len);
        match verify::examine(&job, catalog.keys(), |bytes| progress.more(bytes.len() as u64)) {
            Ok(finding) => drop(findings.insert(job.subject, finding)),
            Err(error) => faults.push(format!("{}: can't be read: {error}", job.file.path.display())),
        }
    }
    catalog = catalog.with_findings(Arc::new(findings));
    let missing = boot::LOADERS.iter().filter(|loader| catalog.loader(&[(**loader).to_owned()]).is_none());
    let folder = settings.assets.loaders.display();
    faults
        .extend(missing.map(|loader| {
            format!("{folder}: the boot loader {loader} is missing; `make loaders` builds it")
        }));
    let (now, secret) = (Time::default(), [0; 32]);
    let appliance =
        Appliance::new(Arc::new(settings.clone()), Arc::new(catalog), Stored::default(), secret, now);
    faults.extend(appliance.faults());
    faults
}
