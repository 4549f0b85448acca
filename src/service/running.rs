//! What runs: the state that is opened at the start, and the tasks around it.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};

use super::{
    Ended, ServiceOptions, assets,
    clock::Clock,
    dhcp,
    handle::{Handle, Message},
    owner::{Owner, Ways},
    panel::RunningPanel,
    reload,
    seen::{Seen, Showing},
};
use crate::{
    net::{dhcp::Link, http, http::Token, link, tftp},
    storage::{
        journal::{Journal, Opened},
        scan,
        verify::Archive,
    },
};
use rackberry_core::{
    appliance::{Appliance, Stored},
    assets::catalog::Catalog,
    config::Settings,
    dhcp::Action,
};

/// The signals that a service obeys.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn watch() -> anyhow::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("can't watch for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("can't watch for SIGINT")?,
            hangup: signal(SignalKind::hangup()).context("can't watch for SIGHUP")?,
        })
    }

    /// Waits until somebody ends the service.
    pub async fn end(&mut self, panel: &mut RunningPanel) -> Ended {
        tokio::select! {
            _ = self.terminate.recv() => Ended::BySignal,
            _ = self.interrupt.recv() => Ended::BySignal,
            () = panel.shut_down() => Ended::ByButton,
        }
    }

    /// Waits for what somebody wants of a running service.
    pub async fn wanted(&mut self, panel: &mut RunningPanel) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End(Ended::BySignal),
            _ = self.interrupt.recv() => Wish::End(Ended::BySignal),
            () = panel.shut_down() => Wish::End(Ended::ByButton),
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}

/// What a running service is told.
pub(super) enum Wish {
    /// To end, and by whom.
    End(Ended),
    /// To read the configuration again.
    Reload,
}

/// What is read from the disk at the start.
pub(super) struct OpenedState {
    appliance: Appliance,
    journal: Journal,
    kept: Stored,
    clock: Clock,
}

/// Operating systems, and what is known of their files.
pub(super) type Stock = (Arc<Catalog>, Archive);

impl OpenedState {
    pub fn open(options: &ServiceOptions, settings: Arc<Settings>) -> anyhow::Result<(OpenedState, Stock)> {
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
        let mut appliance = Appliance::new(settings, catalog.clone(), stored, secret()?, clock.now());
        if let Some(reason) = unwritable {
            tracing::error!("{reason}; nothing is armed until it can be written");
            appliance.journal_fails(Some(reason));
        }
        Ok((OpenedState { appliance, journal, kept, clock }, (catalog, archive)))
    }
}

/// The tasks, and what they share.
pub(super) struct RunningTasks {
    pub tasks: Tasks,
    handle: Handle,
    seen: Seen,
    settings: Arc<Settings>,
    stop: watch::Sender<bool>,
    in_force: watch::Sender<Arc<Settings>>,
    token: watch::Sender<Option<Token>>,
}

impl RunningTasks {
    pub fn new(handle: Handle, seen: Seen, settings: Arc<Settings>) -> RunningTasks {
        let token = watch::Sender::new(reload::token(&settings));
        let in_force = watch::Sender::new(settings.clone());
        let stop = watch::Sender::new(false);
        RunningTasks { tasks: Tasks::default(), handle, seen, settings, stop, in_force, token }
    }

    /// Starts the owner of the state; what it wants done by the DHCP server.
    pub fn own(
        &mut self,
        OpenedState { appliance, journal, kept, clock }: OpenedState,
        inbox: mpsc::Receiver<Message>,
        showing: Showing,
    ) -> mpsc::UnboundedReceiver<Action> {
        let (dhcp, actions) = mpsc::unbounded_channel();
        let ways = Ways { inbox, dhcp, showing, restarts: self.handle.restarts().clone() };
        let owner = Owner::new(appliance, (journal, kept), clock, ways);
        self.tasks.spawn("the owner of the state", async {
            owner.run().await;
            Ok(())
        });
        actions
    }

    fn http(
        &self,
        addresses: Vec<SocketAddrV4>,
        socket: Option<PathBuf>,
    ) -> anyhow::Result<http::HttpServer> {
        let (limits, settings) = (http::Limits::default(), self.in_force.subscribe());
        let options = http::Options { addresses, socket, limits, settings };
        let (token, stopping) = (self.token.subscribe(), self.stop.subscribe());
        Ok(http::HttpServer::bind(options, self.handle.clone(), self.seen.clone(), token, stopping)?)
    }

    /// Serves people of this machine.
    pub fn serve_control(&mut self, socket: PathBuf) -> anyhow::Result<()> {
        let control = self.http(Vec::new(), Some(socket))?;
        self.tasks.spawn("the control socket", async {
            control.run().await;
            Ok(())
        });
        Ok(())
    }

    /// Serves the network. Tells when DHCP's sockets are open.
    pub fn serve_network(
        &mut self,
        link: Link,
        interface: String,
        actions: mpsc::UnboundedReceiver<Action>,
    ) -> anyhow::Result<Arc<Notify>> {
        let network = self.settings.network.clone();
        let address = network.address;
        self.tasks.spawn("the cable's watch", link::watch_cable(interface, self.handle.clone()));
        let addresses = self.settings.http.ports.iter().map(|port| SocketAddrV4::new(address, *port));
        let pages = self.http(addresses.collect(), None)?;
        let loaders = serve_tftp(address)?;
        let ready = Arc::new(Notify::new());
        let dhcp = dhcp::run(link, network, self.handle.clone(), actions, ready.clone());
        self.tasks.spawn("DHCP", dhcp);
        let mut stopping = self.stop.subscribe();
        let stopped = async move { drop(stopping.wait_for(|stop| *stop).await) };
        self.tasks.spawn("TFTP", tftp::run(loaders, self.handle.clone(), stopped));
        self.tasks.spawn("HTTP", async {
            pages.run().await;
            Ok(())
        });
        Ok(ready)
    }

    /// Looks at the asset folders from time to time.
    pub fn watch_assets(&mut self, (catalog, archive): Stock) {
        let watch = assets::watch(self.handle.clone(), self.in_force.subscribe(), catalog, archive);
        self.tasks.spawn("the asset folders' watch", watch);
    }

    /// Reads the configuration again.
    pub async fn reload(&self, options: &ServiceOptions) {
        reload::reload(&self.handle, &self.in_force, &self.token, options).await;
    }

    /// Tells all tasks to end, and gives the servers the time to.
    pub async fn end(mut self) {
        // Receivers that are gone have stopped already.
        let _ = self.stop.send(true);
        self.tasks.let_end().await;
    }
}

fn serve_tftp(address: Ipv4Addr) -> anyhow::Result<tokio_tftp_server::Server> {
    let options = tokio_tftp_server::Options::new((address, 69).into());
    tokio_tftp_server::Server::bind(options).context("can't serve TFTP")
}

/// What nobody can guess.
#[allow(clippy::disallowed_methods)] // The one place that draws randomness for the state.
fn secret() -> anyhow::Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the kernel gives no random numbers")?;
    Ok(secret)
}

/// Tasks with names; one that ends by itself ends the service.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Tasks {
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running.spawn(async move { (name, task.await) });
    }

    /// Waits for any task's end: for a service that is always a failure.
    pub async fn any_end(&mut self) -> anyhow::Error {
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
