//! Drives a panel: the snapshot becomes facts, edges become orders, deadlines become light.
//!
//! On a thread of its own. The service's threads are busy with transfers, and writing to hardware blocks: a LED
//! that waits for either would tell lies, and a press would be felt late. The thread sleeps until the next edge
//! of a rhythm, of the button, or of the state.

#[cfg(test)]
mod tests;

use std::{io, thread, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use crate::{
    hardware::backend::{self, Fault, Hardware, display},
    service::{
        clock::Clock,
        handle::{Handle, Message},
        seen::{Seen, Snapshot},
    },
};
use rackberry_core::{
    appliance::{Answer, Arm, Ask, Command, NodeView, Whom},
    ids::{Source, Stage, Time},
    panel::{
        Contact, Edge, Panel, PanelFacts, PanelNode, PanelOrder, Pattern, StatusMode, Trouble,
        board::{Board, Leds},
    },
};

/// How often hardware that is missing is looked for.
const RETRY: Duration = Duration::from_secs(3);
/// At a start udev gives devices to their groups while the service looks for them already: it is looked again so soon, and
/// nothing is said for so long.
const SOON: Duration = Duration::from_millis(250);
const UDEV_PATIENCE: Duration = Duration::from_secs(10);
/// The state changes with every block of every transfer; nobody sees more pictures of it than this.
const LOOK: Duration = Duration::from_millis(25);
/// Longer than any error code takes, and the time to write to the hardware.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// What a panel is driven with.
#[derive(Debug)]
pub struct Parts {
    /// Which LEDs and button.
    pub board: Board,
    /// The highest LED that a node asks for: what is drawn only can have as many.
    pub most_leds: u16,
    /// The way to the state.
    pub handle: Handle,
    /// The state as everybody sees it.
    pub seen: Seen,
    /// The clock that all of the service goes by.
    pub clock: Clock,
    /// The button of a board without hardware (true: pressed).
    pub played: Option<mpsc::Receiver<bool>>,
}

/// A panel that is driven.
#[derive(Debug)]
pub struct Driver {
    stop: watch::Sender<Option<Last>>,
    shut_down: oneshot::Receiver<()>,
    ended: oneshot::Receiver<()>,
}

/// What a panel shows last: nothing, or a trouble's code so many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// Goes dark at once.
    Dark,
    /// Shows an error code for so many rounds, then nothing.
    Code(Trouble, u32),
}

impl Driver {
    /// Starts to drive a panel. To be called inside of a runtime.
    ///
    /// # Errors
    /// When there can be no more threads. Hardware that is missing is no error: it is waited for.
    pub fn start(parts: Parts) -> io::Result<Driver> {
        let (stop, stopping) = watch::channel(None);
        let (told, said) = mpsc::unbounded_channel();
        let (order_shut_down, shut_down) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        tokio::spawn(speak(parts.handle.clone(), said, order_shut_down));
        let Parts { board, most_leds, seen, clock, played, .. } = parts;
        let leds = match board.leds {
            Leds::Terminal { nodes } => nodes.max(most_leds),
            _ => board.node_leds(),
        };
        let thread = Thread { board, leds, seen, clock, played, told, stopping };
        thread::Builder::new().name("panel".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(thread.run()),
                Err(error) => tracing::error!(%error, "the panel can't be driven"),
            }
            // Nobody waits any more where the service has ended otherwise.
            let _ = end.send(());
        })?;
        Ok(Driver { stop, shut_down, ended })
    }

    /// Waits until the button orders a shut-down.
    pub async fn shut_down(&mut self) {
        if (&mut self.shut_down).await.is_err() {
            std::future::pending().await
        }
    }

    /// Lets the panel show its last, and waits for it.
    pub async fn stop(self, last: Last) {
        // A thread that is gone has stopped already, and one that hangs in a driver is left alone.
        let _ = self.stop.send(Some(last));
        let _ = timeout(LAST_PATIENCE, self.ended).await;
    }
}

/// What the thread has to say to the service, whose answers it never waits for.
#[derive(Debug)]
enum Said {
    Order(PanelOrder),
    State(String),
}

async fn speak(handle: Handle, mut said: mpsc::UnboundedReceiver<Said>, shut_down: oneshot::Sender<()>) {
    let mut shut_down = Some(shut_down);
    while let Some(said) = said.recv().await {
        match said {
            Said::State(state) => handle.tell(Message::Panel(state)).await,
            Said::Order(order) => {
                carry_out(&handle, order).await;
                if let (PanelOrder::ShutDown, Some(shut_down)) = (order, shut_down.take()) {
                    // The service is ending already.
                    let _ = shut_down.send(());
                }
            }
        }
    }
}

/// The only place where the button is the source of anything: orders come of edges, and of nothing else.
async fn carry_out(handle: &Handle, order: PanelOrder) {
    let command = match order {
        PanelOrder::Arm => Command::Arm(Arm::install(Whom::NotInstalled)),
        PanelOrder::Disarm | PanelOrder::ShutDown => Command::Disarm,
    };
    if let Answer::Refused(refusal) = handle.ask(Ask::Command { source: Source::Button, command }).await {
        tracing::warn!("the button was pressed, but: {refusal}");
    }
}

struct Thread {
    board: Board,
    leds: u16,
    seen: Seen,
    clock: Clock,
    played: Option<mpsc::Receiver<bool>>,
    told: mpsc::UnboundedSender<Said>,
    stopping: watch::Receiver<Option<Last>>,
}

impl Thread {
    /// Until it is told to stop; through hardware that comes and goes.
    async fn run(mut self) {
        let mut panel = Panel::new(self.leds, Contact::Released);
        let (facts, shown) = watch::channel(PanelFacts::default());
        let display = self.board.display.clone().map(|display| display::start(display, shown)).transpose();
        if let Err(error) = &display {
            tracing::warn!(%error, "the display can't be driven");
        }
        self.drive(&mut panel, &facts).await;
        // The display goes dark when it is fed no more.
        drop(facts);
        if let Ok(Some(display)) = display {
            // A thread that failed has said so.
            let _ = display.join();
        }
    }

    async fn drive(&mut self, panel: &mut Panel, facts: &watch::Sender<PanelFacts>) {
        while let Some(mut hardware) = self.open(facts).await {
            panel.attach(hardware.is_pressed.into());
            match self.light(panel, &mut hardware, facts).await {
                Ok(()) => {
                    // A drawing is taken away when it is dropped.
                    if !matches!(self.board.leds, Leds::Terminal { .. }) {
                        let dark = vec![rackberry_core::panel::Light::DARK; usize::from(self.leds) + 1];
                        // Hardware that is gone is dark, too.
                        let _ = hardware.face.show(&dark, &PanelFacts::default(), self.clock.now());
                    }
                    return;
                }
                Err(fault) => {
                    drop(hardware);
                    self.is_lost(&format!("the panel is lost: {fault}"));
                }
            }
        }
    }

    /// The hardware, once it is there; `None` when the panel is to stop before.
    async fn open(&mut self, facts: &watch::Sender<PanelFacts>) -> Option<Hardware> {
        let mut said: Option<Fault> = None;
        let mut waited = Duration::ZERO;
        loop {
            let mut pause = RETRY;
            match backend::open(&self.board, &mut self.played) {
                Ok(hardware) => {
                    let count = self.leds;
                    let button = if self.board.button.is_some() { " and a button" } else { "" };
                    self.state(format!("{}: {count} LEDs{button}", self.board.name));
                    if !matches!(self.board.leds, Leds::Terminal { .. }) {
                        tracing::info!("the panel {} works: {count} LEDs{button}", self.board.name);
                    }
                    return Some(hardware);
                }
                Err(fault) if may_pass(&fault, waited) => pause = SOON,
                Err(fault) if said.as_ref() != Some(&fault) => {
                    self.is_lost(&format!("no panel ({}): {fault}", self.board.name));
                    said = Some(fault);
                }
                Err(_) => {}
            }
            let stopped = async {
                loop {
                    tokio::select! {
                        stopped = self.stopping.wait_for(Option::is_some) => return drop(stopped),
                        changed = self.seen.changed() => match changed {
                            // A display may be there without LEDs.
                            Ok(()) => drop(facts.send_replace(read(&self.seen.look()))),
                            Err(_) => std::future::pending().await,
                        },
                    }
                }
            };
            if timeout(pause, stopped).await.is_ok() {
                return None;
            }
            waited += pause;
        }
    }

    fn is_lost(&self, reason: &str) {
        tracing::warn!("{reason}; the service goes on without it, and looks for it again and again");
        self.state(reason.to_owned());
    }

    fn state(&self, state: String) {
        // The service is ending.
        let _ = self.told.send(Said::State(state));
    }

    /// Light and orders, until the panel is to stop.
    async fn light(
        &mut self,
        panel: &mut Panel,
        hardware: &mut Hardware,
        facts: &watch::Sender<PanelFacts>,
    ) -> Result<(), Fault> {
        let mut shown = None;
        let mut next_look = Time::default();
        let (mut end, mut is_fed) = (None, true);
        self.seen.mark_changed();
        loop {
            // Edges first: what time brings about depends on them.
            let edges = hardware.button.take(self.clock)?;
            let now = self.clock.now();
            trace(&edges, now);
            let mut orders: Vec<PanelOrder> =
                edges.into_iter().filter_map(|edge| panel.edge(edge, now)).collect();
            orders.extend(panel.tick(now));
            if end.is_none() {
                for order in orders {
                    // The service is ending.
                    let _ = self.told.send(Said::Order(order));
                }
            }
            let lights = (panel.lights(now), panel.facts().mode);
            if shown.as_ref() != Some(&lights) {
                hardware.face.show(&lights.0, panel.facts(), now)?;
                shown = Some(lights);
            }
            if end.is_some_and(|end| now >= end) {
                return Ok(());
            }
            let may_look = now >= next_look;
            let again = (!may_look).then_some(next_look);
            let deadline = panel.deadline(now).into_iter().chain(again).chain(end).min();
            let wait = until(deadline, self.clock);
            tokio::select! {
                biased;
                waited = hardware.button.wait() => waited?,
                changed = self.seen.changed(), if may_look && is_fed && end.is_none() => {
                    if changed.is_err() {
                        // The service has ended; what is to be shown last, it will say.
                        is_fed = false;
                        continue;
                    }
                    let new = read(&self.seen.look());
                    if new != *panel.facts() {
                        facts.send_replace(new.clone());
                        panel.update(new, self.clock.now());
                    }
                    next_look = self.clock.now() + LOOK;
                }
                stopped = self.stopping.wait_for(Option::is_some), if end.is_none() => {
                    let last = stopped.ok().and_then(|last| *last);
                    end = last_of_all(last, panel, self.clock.now());
                    if end.is_none() {
                        return Ok(());
                    }
                }
                () = wait => {}
            }
        }
    }
}

/// Waits until then, or for ever.
async fn until(deadline: Option<Time>, clock: Clock) {
    match deadline {
        Some(deadline) => sleep(clock.until(deadline)).await,
        None => std::future::pending().await,
    }
}

/// Each edge of the button's line, for whoever looks for a fault.
fn trace(edges: &[Edge], now: Time) {
    for edge in edges {
        tracing::trace!(edge.pressed, edge.after_loss, at = edge.at.0, now = now.0, "the button's line");
    }
}

/// Begins what the panel shows last; when that ends, if it shows anything.
fn last_of_all(last: Option<Last>, panel: &mut Panel, now: Time) -> Option<Time> {
    match last {
        Some(Last::Code(trouble, rounds)) => {
            panel.update(only(trouble), now);
            Some(now + Pattern::Pulses(trouble as u8).round() * rounds)
        }
        Some(Last::Dark) | None => None,
    }
}

/// Whether a fault may be gone in a moment: after looking for so long.
fn may_pass(fault: &Fault, waited: Duration) -> bool {
    matches!(fault, Fault::NoRight { .. }) && waited < UDEV_PATIENCE
}

/// Nothing but a trouble.
fn only(trouble: Trouble) -> PanelFacts {
    PanelFacts {
        mode: StatusMode::Safe,
        troubles: [(trouble, String::new())].into(),
        ..PanelFacts::default()
    }
}

/// The snapshot as the panel shows it.
fn read(snapshot: &Snapshot) -> PanelFacts {
    let Some(status) = &snapshot.status else {
        return PanelFacts { troubles: snapshot.troubles.clone(), ..PanelFacts::default() };
    };
    let views = || snapshot.nodes.values().map(|node| &node.view);
    let is_running = views().any(|node| node.stage.is_running());
    let mode = match (status.armed_seconds, is_running) {
        (Some(_), _) => StatusMode::Armed,
        (None, true) => StatusMode::Finishing,
        (None, false) if snapshot.is_ready => StatusMode::Safe,
        (None, false) => StatusMode::Starting,
    };
    let address = status.address.split('/').next().unwrap_or_default().to_owned();
    let nodes = views().map(node).collect();
    PanelFacts { mode, troubles: snapshot.troubles.clone(), address, nodes }
}

fn node(view: &NodeView) -> PanelNode {
    let failure = view.failure.as_ref();
    PanelNode {
        mac: view.mac,
        name: view.name.clone().unwrap_or_default(),
        led: view.led,
        stage: view.stage,
        failed_in: failure.map_or(Stage::Idle, |failure| failure.stage),
        reason: failure.map(|failure| failure.reason.clone()).unwrap_or_default(),
        image: view.image.map_or((0, 0), |image| (image.sent, image.total)),
    }
}
