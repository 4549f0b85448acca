//! What `rackberry check` finds beyond the configuration's own text.

use std::sync::Arc;

use crate::{
    appliance::{Appliance, Stored},
    assets::scan,
    boot,
    config::Settings,
    ids::Time,
};

/// Faults of loaders, assets and node configurations, a sentence each.
pub fn faults(settings: &Settings) -> Vec<String> {
    let catalog = scan::scan(&settings.assets.dirs, &settings.assets.loaders, None);
    let missing = boot::LOADERS.iter().filter(|loader| catalog.loader(&[(**loader).to_owned()]).is_none());
    let folder = settings.assets.loaders.display();
    let mut faults: Vec<String> = missing
        .map(|loader| format!("{folder}: the boot loader {loader} is missing; `make loaders` builds it"))
        .collect();
    let (now, secret) = (Time::default(), [0; 32]);
    let appliance =
        Appliance::new(Arc::new(settings.clone()), Arc::new(catalog), Stored::default(), secret, now);
    faults.extend(appliance.faults());
    faults
}
