//! Taking over a changed configuration on SIGHUP.

use std::{fs, path::Path, sync::Arc};

use tokio::sync::watch;

use crate::{
    net::http::Token,
    service::{
        ServiceOptions,
        handle::{Handle, Message},
    },
    storage::configuration,
};
use rackberry_core::{config::Settings, panel::Trouble};

/// Reads the configuration again. A faulty one leaves the running one in force, and says so.
pub async fn reload(
    handle: &Handle,
    in_force: &watch::Sender<Arc<Settings>>,
    token_in_force: &watch::Sender<Option<Token>>,
    options: &ServiceOptions,
) {
    let mut fresh = match configuration::load(&options.config) {
        Ok(fresh) => fresh,
        Err(faults) => {
            tracing::error!(
                "the new configuration is not taken over, the running one stays in force:\n{faults}"
            );
            let words =
                format!("the new configuration has {} faults, the old one is in force", faults.count());
            handle.tell(Message::Trouble(Trouble::Config, Some(words))).await;
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
    handle.tell(Message::Reconfigured(fresh)).await;
    handle.tell(stands_in_for(options.config_faults.as_deref())).await;
    tracing::info!("the new configuration is in force");
}

/// What is wrong with the configuration that the running one stands in for, as `faults` says; nothing where there
/// is no such file, or an empty one.
pub fn stands_in_for(faults: Option<&Path>) -> Message {
    let read = |file: &Path| {
        fs::read_to_string(file)
            .inspect_err(
                |error| tracing::warn!(path = %file.display(), %error, "can't read the file of faults"),
            )
            .ok()
    };
    let words = faults.and_then(read).map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
    Message::Trouble(Trouble::Config, words)
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
