//! The wiring: open, spawn, watch. Any task that ends on its own ends the service, with that task's name.

mod assets;
mod check;
pub mod clock;
mod dhcp;
pub mod handle;
pub mod log;
mod notify;
mod owner;
mod panel;
pub mod progress;
mod reload;
mod running;
pub mod seen;

pub use check::{CheckFindings, faults};
pub use panel::show_faulty_configuration;

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use panel::RunningPanel;
use running::{OpenedState, RunningTasks, Signals, Wish};
use tokio::sync::{Notify, mpsc};

use crate::{
    net::link,
    service::{
        handle::{Handle, Message},
        seen::{Seen, Showing, Snapshot},
    },
    storage::journal::JournalError,
};
use rackberry_core::{config::Settings, dhcp::ServingMode, panel::Trouble};

/// Room for messages to the owner: a burst of a thousand machines and their transfers.
const INBOX: usize = 4096;

/// What the command line says of a run.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// Configuration files, for reloads.
    pub config: Vec<PathBuf>,
    /// Folder for nodes and leases.
    pub state: PathBuf,
    /// A copy of the state's mark on another partition.
    pub journal_mark: Option<PathBuf>,
    /// Which panel to drive.
    pub panel: PanelChoice,
    /// Where the control socket goes.
    pub socket: PathBuf,
    /// File with what is wrong with the configuration that this one stands in for.
    pub config_faults: Option<PathBuf>,
}

/// Which panel to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelChoice {
    /// The board of the configuration, where there is one.
    Auto,
    /// Drawn on the terminal.
    Simulated,
    /// None.
    None,
}

/// Runs the service until a signal or a failure.
pub async fn serve(settings: Settings, options: ServiceOptions) -> anyhow::Result<()> {
    log::init();
    run(settings, options, |_| {}).await
}

/// What a caller of [`run`] takes part through.
#[derive(Debug)]
pub struct Started {
    /// The way to the state.
    pub handle: Handle,
    /// What everybody may look at.
    pub seen: Seen,
    /// The simulated panel's button: true when it goes down.
    pub button: mpsc::Sender<bool>,
}

/// As [`serve`], for a caller that has set logging up and takes part: `started` is called when everything
/// listens.
pub async fn run(
    settings: Settings,
    options: ServiceOptions,
    started: impl FnOnce(Started),
) -> anyhow::Result<()> {
    let mut panel = RunningPanel::default();
    let ended = run_with(&mut panel, settings, options, started).await;
    let powers_off = panel.is_real() && matches!(ended, Ok(Ended::ByButton));
    panel.stop(ended.as_ref().err().map(trouble_of)).await;
    if powers_off {
        panel::power_off().await;
    }
    ended.map(drop)
}

/// The error code for what ended the service.
fn trouble_of(error: &anyhow::Error) -> Trouble {
    if error.is::<JournalError>() {
        Trouble::Disk
    } else if error.is::<link::InterfaceError>() {
        Trouble::Network
    } else {
        Trouble::Internal
    }
}

/// Who ended the service.
#[derive(Debug)]
enum Ended {
    BySignal,
    ByButton,
}

async fn run_with(
    panel: &mut RunningPanel,
    settings: Settings,
    options: ServiceOptions,
    started: impl FnOnce(Started),
) -> anyhow::Result<Ended> {
    let mut signals = Signals::watch()?;
    let (handle, inbox) = Handle::channel(INBOX);
    let (showing, seen) = seen::channel(Snapshot::default());
    // First of all, so that it can tell what goes wrong from now on.
    let (button, edges) = mpsc::channel(16);
    *panel =
        RunningPanel::start(options.panel, &settings, &handle, seen.clone(), (button.clone(), edges)).await;
    let settings = tokio::select! {
        named = named_interface(settings, &showing) => Arc::new(named?),
        ended = signals.end(panel) => return Ok(ended),
    };
    let (state, stock) = OpenedState::open(&options, settings.clone())?;
    handle.tell(reload::stands_in_for(options.config_faults.as_deref())).await;

    let mut running = RunningTasks::new(handle.clone(), seen.clone(), settings.clone());
    let actions = running.own(state, inbox, showing);
    // Before the network is there, people can ask what it waits for.
    running.serve_control(options.socket.clone())?;
    let network = &settings.network;
    let interface = network.interface.clone().unwrap_or_default();
    let link = tokio::select! {
        link = link::wait(&interface, network.address, network.prefix, &handle) => link,
        ended = signals.end(panel) => return Ok(ended),
    };
    let dhcp_ready = running.serve_network(link, interface.clone(), actions)?;
    running.watch_assets(stock);
    tokio::select! {
        () = looked(dhcp_ready, seen.clone()) => {}
        ended = signals.end(panel) => return Ok(ended),
        ended = running.tasks.any_end() => return Err(ended),
    }
    handle.tell(Message::Ready).await;
    say_ready(&handle, &interface, network.address).await;
    notify::ready();
    running.tasks.spawn("the watchdog's feeding", notify::feed_watchdog(handle.clone()));
    started(Started { handle, seen, button });

    let ended = loop {
        tokio::select! {
            wanted = signals.wanted(panel) => match wanted {
                Wish::End(ended) => break Ok(ended),
                Wish::Reload => {
                    notify::reloading();
                    running.reload(&options).await;
                    notify::ready();
                }
            },
            ended = running.tasks.any_end() => break Err(ended),
        }
    };
    if ended.is_ok() {
        tracing::info!("shutting down");
    }
    running.end().await;
    ended
}

/// Waits until machines are answered: after the look for another server, where there is one.
async fn looked(dhcp_ready: Arc<Notify>, mut seen: Seen) {
    dhcp_ready.notified().await;
    let known = |now: &Snapshot| now.status.as_ref().is_some_and(|it| it.dhcp != ServingMode::Looking);
    // An owner that is gone ends the service by itself.
    let _ = seen.wait_for(known).await;
}

async fn say_ready(handle: &Handle, interface: &str, address: Ipv4Addr) {
    let status = handle.look().await.and_then(|now| now.status);
    match status.is_some_and(|status| !status.orders.is_empty()) {
        true => {
            tracing::info!(interface, %address, "ready, and armed already: somebody armed while it started")
        }
        false => tracing::info!(interface, %address, "ready and safe: nobody installs until somebody arms"),
    }
}

/// The settings with the interface's name filled in, so that everything that shows it agrees.
async fn named_interface(
    mut settings: Settings,
    showing: &Showing,
) -> Result<Settings, link::InterfaceError> {
    let missing = |words: String| {
        tracing::warn!("waiting: {words}");
        // Nobody owns the state yet, but the panel can tell.
        showing.change(|snapshot| drop(snapshot.troubles.insert(Trouble::Network, words)));
    };
    let name = link::interface(settings.network.interface.as_deref(), missing).await?;
    settings.network.interface = Some(name);
    Ok(settings)
}
