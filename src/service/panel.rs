//! The panel of the configuration, and what becomes of it when the service ends.

use std::{fs, path::PathBuf, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::timeout,
};

use super::PanelChoice;
use crate::{
    hardware::{
        board as load,
        drive::{Driver, Last, Parts},
        terminal::PressedKeys,
    },
    service::{
        clock::Clock,
        handle::{Handle, Message},
        seen::{self, Seen, Snapshot},
    },
};
use rackberry_core::{
    config::Settings,
    ids::Time,
    panel::{
        Trouble,
        board::{self, Board, Leds},
    },
};

/// How often a fault's code is shown before the service ends: often enough to count it, and not so often that
/// people wait for it.
const ROUNDS: u32 = 2;
/// How long the system may take to say that it will power off.
const POWER_OFF: Duration = Duration::from_secs(10);

/// The panel, if there is one.
#[derive(Debug, Default)]
pub struct RunningPanel {
    driver: Option<Driver>,
    /// Whether it is made of more than light on a screen.
    is_real: bool,
    keys: Option<PressedKeys>,
}

impl RunningPanel {
    /// Starts the panel that was chosen. A board that can't be used is told, and hinders nobody.
    pub async fn start(
        choice: PanelChoice,
        settings: &Settings,
        handle: &Handle,
        seen: Seen,
        (button, played): (mpsc::Sender<bool>, mpsc::Receiver<bool>),
    ) -> RunningPanel {
        let name = match choice {
            PanelChoice::None => return RunningPanel::default(),
            PanelChoice::Simulated => board::SIMULATED,
            PanelChoice::Auto => &settings.panel.board,
        };
        let board = match load::load(name) {
            Ok(board) => board,
            Err(error) => {
                tracing::error!("no panel: panel.board: {error}");
                let trouble = Message::Trouble(Trouble::Config, Some(format!("no panel: {error}")));
                handle.tell(trouble).await;
                return RunningPanel::default();
            }
        };
        let is_real = !matches!(board.leds, Leds::Terminal { .. });
        let keys = if is_real { None } else { PressedKeys::take(button) };
        let handle = handle.clone();
        // Its time is its own: it needs none that the journal has kept.
        let clock = Clock::starting_after(Time(0));
        let most_leds = settings.nodes.iter().filter_map(|node| node.led).max().unwrap_or(0);
        let parts = Parts { board, most_leds, handle, seen, clock, played: Some(played) };
        let driver = match Driver::start(parts) {
            Ok(driver) => Some(driver),
            Err(error) => {
                tracing::error!(%error, "no panel");
                None
            }
        };
        RunningPanel { driver, is_real, keys }
    }

    /// Waits until the button orders a shut-down.
    pub async fn shut_down(&mut self) {
        match &mut self.driver {
            Some(driver) => driver.shut_down().await,
            None => std::future::pending().await,
        }
    }

    /// Whether a shut-down is one of the machine, too: a button that is a key on somebody's keyboard only ends
    /// the service.
    pub fn is_real(&self) -> bool {
        self.is_real
    }

    /// The last that it shows: a service that fails shows the code for that, so that somebody sees it even if
    /// the service starts again and again.
    pub async fn stop(mut self, trouble: Option<Trouble>) {
        let last = match trouble.filter(|_| self.is_real) {
            Some(trouble) => Last::Code(trouble, ROUNDS),
            None => Last::Dark,
        };
        if let Some(driver) = self.driver.take() {
            driver.stop(last).await;
        }
        drop(self.keys);
    }
}

/// Shows the code of a faulty configuration, on the default board: the one that is configured is not known.
pub async fn show_faulty_configuration() {
    let Some(board) = board::built_in(&Settings::default().panel.board) else { return };
    let (handle, _inbox) = Handle::channel(1);
    let (_showing, seen) = seen::channel(Snapshot::default());
    let board = without_button(board);
    let clock = Clock::starting_after(Time(0));
    let parts = Parts { board, most_leds: 0, handle, seen, clock, played: None };
    if let Ok(driver) = Driver::start(parts) {
        driver.stop(Last::Code(Trouble::Config, ROUNDS * 2)).await;
    }
}

fn without_button(board: Board) -> Board {
    Board { button: None, display: None, ..board }
}

/// Has the machine powered off. The service's user may not do that; a unit of systemd's waits for this file and may.
pub async fn power_off() {
    let Some(folder) = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from) else {
        tracing::warn!("the machine stays on: only as a service of systemd's can rackberry power it off");
        return;
    };
    let order = folder.join("poweroff");
    let stop = signal(SignalKind::terminate()).and_then(|stop| fs::write(&order, "").map(|()| stop));
    match stop {
        // The folder, and the order in it, would be gone with this process.
        Ok(mut stop) => {
            if timeout(POWER_OFF, stop.recv()).await.is_err() {
                tracing::error!(
                    "the machine stays on: nobody heeds {}; see rackberry-poweroff.path",
                    order.display()
                );
            }
        }
        Err(error) => tracing::error!(%error, "the machine stays on: can't write {}", order.display()),
    }
}
