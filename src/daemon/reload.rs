//! Taking over what changed on disk: the configuration on SIGHUP, the asset folders by looking.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    config::{self, Settings},
    handle::{self, Handle, Message},
};

/// How often the asset folders are looked at: a copy that ended is seen within this time.
const LOOK: Duration = Duration::from_secs(5);

/// Reads the configuration again. A faulty one leaves the running one in force, and says so.
pub async fn reload(handle: &Handle, running: &Settings, files: &[PathBuf]) {
    let mut fresh = match config::load(files) {
        Ok(fresh) => fresh,
        Err(faults) => {
            tracing::error!("the new configuration is not taken over, the running one stays in force:\n{faults}");
            return;
        }
    };
    if fresh.network.interface.is_none() {
        fresh.network.interface = running.network.interface.clone();
    }
    for key in running.diff_needs_restart(&fresh) {
        tracing::warn!("{key} changed; that takes a restart");
    }
    fresh.network = running.network.clone();
    fresh.http = running.http.clone();
    handle::restock(handle, fresh.assets.dirs.clone(), fresh.assets.loaders.clone()).await;
    handle.tell(Message::Reconfigured(Arc::new(fresh))).await;
    tracing::info!("the new configuration is in force");
}

/// Keeps the catalog current.
pub async fn watch_assets(handle: Handle, settings: Arc<Settings>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOOK).await;
        handle::restock(&handle, settings.assets.dirs.clone(), settings.assets.loaders.clone()).await;
    }
}
