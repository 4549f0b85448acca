//! Taking over what changed on disk: the configuration on SIGHUP, the asset folders by looking.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    config::{self, Settings},
    handle::{self, Handle, Message},
    http::serve::Token,
};

/// How often the asset folders are looked at: a copy that ended is seen within this time.
const LOOK: Duration = Duration::from_secs(5);

/// Reads the configuration again. A faulty one leaves the running one in force, and says so.
pub async fn reload(
    handle: &Handle,
    in_force: &watch::Sender<Arc<Settings>>,
    token_in_force: &watch::Sender<Option<Token>>,
    files: &[PathBuf],
) {
    let mut fresh = match config::load(files) {
        Ok(fresh) => fresh,
        Err(faults) => {
            tracing::error!(
                "the new configuration is not taken over, the running one stays in force:\n{faults}"
            );
            return;
        }
    };
    let running = in_force.borrow().clone();
    if fresh.network.interface.is_none() {
        fresh.network.interface.clone_from(&running.network.interface);
    }
    for key in running.diff_needs_restart(&fresh) {
        tracing::warn!("{key} changed; that takes a restart");
    }
    fresh.network = running.network.clone();
    fresh.http.ports.clone_from(&running.http.ports);
    fresh.panel = running.panel.clone();
    token_in_force.send_replace(token(&fresh));
    let fresh = Arc::new(fresh);
    in_force.send_replace(fresh.clone());
    handle::restock(handle, fresh.assets.dirs.clone(), fresh.assets.loaders.clone()).await;
    handle.tell(Message::Reconfigured(fresh)).await;
    tracing::info!("the new configuration is in force");
}

/// What is wrong with the configuration that the running one stands in for; nothing where all is well.
pub fn faults_of_another(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file)
        .inspect_err(|error| tracing::warn!(path = %file.display(), %error, "can't read the file of faults"))
        .unwrap_or_default();
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

/// The token that the network API asks for; without one it is read-only.
pub fn token(settings: &Settings) -> Option<Token> {
    let path = settings.http.token_file.as_ref()?;
    let token = match fs::read_to_string(path) {
        Ok(text) => Token::new(&text),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "can't read http.token_file; the network API is read-only");
            return None;
        }
    };
    if token.is_none() {
        tracing::warn!(path = %path.display(), "http.token_file is empty; the network API is read-only");
    }
    token
}

/// Keeps the catalog current.
pub async fn watch_assets(handle: Handle, settings: watch::Receiver<Arc<Settings>>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOOK).await;
        let assets = settings.borrow().assets.clone();
        handle::restock(&handle, assets.dirs, assets.loaders).await;
    }
}
