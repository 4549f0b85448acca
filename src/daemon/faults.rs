//! What `rackberry check` finds beyond the configuration's own text.

use crate::{assets::scan, boot, config::Settings, profiles};

/// Faults of loaders and assets, a sentence each.
pub fn faults(settings: &Settings) -> Vec<String> {
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
