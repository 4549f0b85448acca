//! What systemd is told, where it listens: ready, reloading, alive.

use sd_notify::NotifyState;

use crate::service::handle::Handle;
use rackberry_core::appliance::{Ask, View};

/// How often within the watchdog's time it is fed, if all is well.
const FEEDS: u32 = 3;

/// Tells systemd that the service serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "can't tell systemd of a reload: the clock can't be read"),
    }
}

/// Feeds the watchdog while the owner of the state answers. One that hangs, or an event loop that does, gets the
/// service restarted.
pub async fn feed_watchdog(handle: Handle) -> anyhow::Result<()> {
    let Some(time) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        // Waits as long as it takes; not feeding is what tells systemd.
        handle.ask(Ask::View(View::Status)).await;
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(time / FEEDS).await;
    }
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "can't tell systemd how the service is");
    }
}
