//! Taking over a changed configuration on SIGHUP.

use std::{fs, path::PathBuf, sync::Arc};

use tokio::sync::watch;

use crate::{
    config::{self, Settings},
    handle::{Handle, Message},
    http::serve::Token,
    panel::Trouble,
};

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
    handle.tell(Message::Trouble(Trouble::Config, None)).await;
    tracing::info!("the new configuration is in force");
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
