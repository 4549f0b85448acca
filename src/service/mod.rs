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
pub mod seen;

pub use check::{CheckFindings, faults};
pub use panel::show_faulty_configuration;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use panel::RunningPanel;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use crate::{
    net::{http, link, tftp},
    service::{
        clock::Clock,
        handle::{Handle, Message},
        owner::{Owner, Ways},
        seen::{Seen, Showing, Snapshot},
    },
    storage::{
        journal::{Journal, JournalError, Opened},
        scan,
        verify::Archive,
    },
};
use rackberry_core::{appliance::Appliance, config::Settings, dhcp::ServingMode, panel::Trouble};

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
    let mut terminate = signal(SignalKind::terminate()).context("can't watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't watch for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("can't watch for SIGHUP")?;
    let (handle, inbox) = Handle::channel(INBOX);
    let (showing, seen) = seen::channel(Snapshot::default());
    // First of all, so that it can tell what goes wrong from now on.
    let (button, edges) = mpsc::channel(16);
    *panel =
        RunningPanel::start(options.panel, &settings, &handle, seen.clone(), (button.clone(), edges)).await;

    let settings = tokio::select! {
        named = named_interface(settings, &showing) => Arc::new(named?),
        _ = terminate.recv() => return Ok(Ended::BySignal),
        _ = interrupt.recv() => return Ok(Ended::BySignal),
        () = panel.shut_down() => return Ok(Ended::ByButton),
    };
    let journal_id = secret()?.iter().fold(0, |id: u64, byte| id.rotate_left(8) ^ u64::from(*byte));
    let opened = Journal::open(&options.state, options.journal_mark.as_deref(), journal_id)?;
    let Opened { journal, stored, unwritable } = opened;
    if let Some(loss) = &stored.loss {
        tracing::warn!("{loss}; \"everybody\" means nobody until somebody says that this is a first day");
    }
    let clock = Clock::starting_after(stored.time);
    let archive = Archive::open(&options.state);
    let catalog = scan::scan(&settings.assets.dirs, &settings.assets.loaders, None);
    let catalog = Arc::new(catalog.with_findings(archive.findings()));
    let kept = stored.clone();
    let mut appliance = Appliance::new(settings.clone(), catalog.clone(), stored, secret()?, clock.now());
    if let Some(reason) = unwritable {
        tracing::error!("{reason}; nothing is armed until it can be written");
        appliance.journal_fails(Some(reason));
    }
    handle.tell(reload::stands_in_for(options.config_faults.as_deref())).await;

    let (dhcp_actions, actions) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let (in_force, current) = watch::channel(settings.clone());
    let (token, token_seen) = watch::channel(reload::token(&settings));
    let mut tasks = Tasks::default();
    let restarts = handle.restarts().clone();
    let ways = Ways { inbox, dhcp: dhcp_actions, showing, restarts };
    let owner = Owner::new(appliance, (journal, kept), clock, ways);
    tasks.spawn("the owner of the state", async {
        owner.run().await;
        Ok(())
    });
    let serve_http = |addresses, socket| {
        let options = http::Options { addresses, socket, limits: http::Limits::default() };
        http::Server::bind(options, handle.clone(), seen.clone(), token_seen.clone(), stopping.clone())
    };
    // Before the network is there, people can ask what it waits for.
    let control = serve_http(Vec::new(), Some(options.socket.clone()))?;
    tasks.spawn("the control socket", async {
        control.run().await;
        Ok(())
    });

    let network = &settings.network;
    let (address, prefix) = (network.address, network.prefix);
    let interface = network.interface.clone().unwrap_or_default();
    let link = tokio::select! {
        link = link::wait(&interface, address, prefix, &handle) => link,
        _ = terminate.recv() => return Ok(Ended::BySignal),
        _ = interrupt.recv() => return Ok(Ended::BySignal),
        () = panel.shut_down() => return Ok(Ended::ByButton),
    };
    tasks.spawn("the cable's watch", link::watch_cable(interface.clone(), handle.clone()));
    let pages =
        serve_http(settings.http.ports.iter().map(|port| SocketAddrV4::new(address, *port)).collect(), None)?;
    let loaders = serve_tftp(address)?;
    let dhcp_ready = Arc::new(Notify::new());
    let dhcp = dhcp::run(link, (address, prefix), handle.clone(), actions, dhcp_ready.clone());
    tasks.spawn("DHCP", dhcp);
    tasks.spawn("TFTP", {
        let mut stopping = stopping.clone();
        let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
        tftp::run(loaders, handle.clone(), stopped)
    });
    tasks.spawn("HTTP", async {
        pages.run().await;
        Ok(())
    });
    tasks.spawn("the asset folders' watch", assets::watch(handle.clone(), current, catalog, archive));
    let mut serving_mode = seen.clone();
    let looked = async {
        dhcp_ready.notified().await;
        // Ready means that machines are answered: after the look for another server, where there is one.
        let known = |now: &Snapshot| now.status.as_ref().is_some_and(|it| it.dhcp != ServingMode::Looking);
        // An owner that is gone ends the service below.
        let _ = serving_mode.wait_for(known).await;
    };
    tokio::select! {
        () = looked => {}
        _ = terminate.recv() => return Ok(Ended::BySignal),
        _ = interrupt.recv() => return Ok(Ended::BySignal),
        () = panel.shut_down() => return Ok(Ended::ByButton),
        ended = tasks.any_end() => return Err(ended),
    }
    handle.tell(Message::Ready).await;
    let status = handle.look().await.and_then(|now| now.status);
    let is_armed = status.is_some_and(|status| !status.orders.is_empty());
    match is_armed {
        true => {
            tracing::info!(interface, %address, "ready, and armed already: somebody armed while it started")
        }
        false => tracing::info!(interface, %address, "ready and safe: nobody installs until somebody arms"),
    }
    notify::ready();
    tasks.spawn("the watchdog's feeding", notify::feed_watchdog(handle.clone()));
    started(Started { handle: handle.clone(), seen, button });

    let ended = loop {
        tokio::select! {
            _ = terminate.recv() => break Ok(Ended::BySignal),
            _ = interrupt.recv() => break Ok(Ended::BySignal),
            () = panel.shut_down() => break Ok(Ended::ByButton),
            _ = hangup.recv() => {
                notify::reloading();
                reload::reload(&handle, &in_force, &token, &options).await;
                notify::ready();
            }
            ended = tasks.any_end() => break Err(ended),
        }
    };
    if ended.is_ok() {
        tracing::info!("shutting down");
    }
    // Receivers that are gone have stopped already.
    let _ = stop.send(true);
    tasks.let_end().await;
    ended
}

fn serve_tftp(address: Ipv4Addr) -> anyhow::Result<tokio_tftp_server::Server> {
    let options = tokio_tftp_server::Options::new((address, 69).into());
    tokio_tftp_server::Server::bind(options).context("can't serve TFTP")
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

/// What nobody can guess.
#[allow(clippy::disallowed_methods)] // The one place that draws randomness for the state.
fn secret() -> anyhow::Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the kernel gives no random numbers")?;
    Ok(secret)
}

/// Named tasks.
#[derive(Debug, Default)]
struct Tasks {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.running.spawn(async move { (name, task.await) });
    }

    /// Waits for any task's end: on this floor that is always a failure.
    async fn any_end(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            None => anyhow::anyhow!("nothing runs"),
            Some(Err(panic)) => anyhow::Error::from(panic).context("a part of the service failed"),
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("{name} ended"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} failed")),
        }
    }

    /// Gives tasks that were told to stop the time to do so; the others are dropped.
    async fn let_end(&mut self) {
        let patience = http::Limits::default().stop_time;
        let servers = ["HTTP", "TFTP", "the control socket"];
        let mut ended = 0;
        let all = async {
            while let Some(task) = self.running.join_next().await {
                ended += usize::from(task.is_ok_and(|(name, _)| servers.contains(&name)));
                if ended == servers.len() {
                    return;
                }
            }
        };
        // What is late is cut off.
        let _ = tokio::time::timeout(patience, all).await;
    }
}
