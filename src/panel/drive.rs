//! Drives a panel: the snapshot becomes facts, edges become orders, deadlines become light.

use std::io::{self, IsTerminal as _};

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{Facts, Mode, NodeFacts, Order, Panel, Trouble, terminal};
use crate::{
    appliance::{Answer, Ask, Command, NodeView},
    clock::Clock,
    handle::{Handle, Snapshot},
    ids::{Source, Stage},
};

/// LEDs of the simulated panel, unless the configuration names higher ones.
const LEDS: u16 = 8;

/// Drives the panel that is drawn on the terminal, if standard error is one. Edges (true: pressed) come from
/// `edges`; ends when the button orders a shut-down.
///
/// # Errors
/// When the service ends.
pub async fn simulated(
    handle: Handle,
    mut seen: watch::Receiver<Snapshot>,
    clock: Clock,
    mut edges: mpsc::Receiver<bool>,
) -> anyhow::Result<()> {
    let is_watched = io::stderr().is_terminal();
    let highest = seen.borrow().nodes.iter().filter_map(|node| node.led).max();
    let mut panel = Panel::new(highest.unwrap_or(LEDS).max(LEDS), false);
    let mut facts = Facts::default();
    seen.mark_changed();
    loop {
        let now = clock.now();
        match panel.tick(now) {
            Some(Order::ShutDown) => return Ok(()),
            Some(order) => carry_out(&handle, order).await,
            None => {}
        }
        if is_watched {
            terminal::draw(&panel.lamps(now), facts.mode, now);
        }
        let deadline = panel.deadline(now);
        let wait = async {
            match deadline {
                Some(deadline) => sleep(clock.until(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = seen.changed() => {
                changed?;
                facts = read(&seen.borrow_and_update());
                panel.update(facts.clone());
            }
            Some(pressed) = edges.recv() => panel.edge(pressed, clock.now()),
            () = wait => {}
        }
    }
}

async fn carry_out(handle: &Handle, order: Order) {
    let command = match order {
        Order::Arm => Command::Arm { arm_for: None, live: false, all: false, nodes: Vec::new() },
        Order::Disarm | Order::ShutDown => Command::Disarm,
    };
    if let Answer::Refused(refusal) = handle.ask(Ask::Command { source: Source::Button, command }).await {
        tracing::warn!("the button was pressed, but: {refusal}");
    }
}

/// The snapshot as the panel shows it.
fn read(snapshot: &Snapshot) -> Facts {
    let Some(status) = &snapshot.status else { return Facts::default() };
    let is_running = snapshot.nodes.iter().any(|node| node.stage.is_running());
    let mode = match (status.armed_seconds, is_running) {
        (Some(_), _) => Mode::Armed,
        (None, true) => Mode::Finishing,
        (None, false) => Mode::Safe,
    };
    let trouble = if snapshot.is_unwritable {
        Some(Trouble::Disk)
    } else if snapshot.is_stand_in {
        Some(Trouble::Config)
    } else {
        status.ready.is_err().then_some(Trouble::Assets)
    };
    Facts { mode, trouble, nodes: snapshot.nodes.iter().map(node).collect() }
}

fn node(view: &NodeView) -> NodeFacts {
    NodeFacts {
        mac: view.mac,
        led: view.led,
        stage: view.stage,
        failed_in: view.failure.as_ref().map_or(Stage::Idle, |failure| failure.stage),
        image: view.image.map_or((0, 0), |image| (image.sent, image.total)),
    }
}
