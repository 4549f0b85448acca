//! `rackberry panel test`: lights every LED in its turn and tells what the button does, for whoever has just
//! soldered one.

use std::{io::Write as _, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::ctrl_c,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    hardware::{
        backend::{self, Hardware, display},
        terminal::{AbovePanel, PressedKeys},
    },
    service::clock::Clock,
};
use rackberry_core::{
    ids::{Mac, Stage, Time},
    panel::{
        Color, Light, PanelFacts, PanelNode, StatusMode,
        board::{Board, Leds, Wires},
    },
};

/// How long each LED is lit.
const STEP: Duration = Duration::from_millis(400);
const COLORS: [(Color, &str); 6] = [
    (Color::White, "white"),
    (Color::Blue, "blue"),
    (Color::Amber, "amber"),
    (Color::Cyan, "cyan"),
    (Color::Green, "green"),
    (Color::Red, "red"),
];

/// Tests a board until Ctrl-C.
///
/// # Errors
/// When its hardware can't be used; the message names what is missing.
pub async fn run(board: &Board) -> anyhow::Result<()> {
    let (button, played) = mpsc::channel(16);
    let mut played = Some(played);
    let mut hardware = backend::open(board, &mut played)
        .with_context(|| format!("the board {} can't be used", board.name))?;
    let keys = if matches!(board.leds, Leds::Terminal { .. }) { PressedKeys::take(button) } else { None };
    let (facts, shown) = watch::channel(sample());
    let screen = board.display.clone().map(|display| display::start(display, shown)).transpose()?;
    say(board, &format!("{}: {}", board.name, board.title));
    say(board, "Each LED is lit in its turn; all are lit while the button is down. Ctrl-C ends.");
    if hardware.is_pressed {
        say(board, "The button is down already. Is it held, or does its line lack a pull resistor?");
    }
    let ended = tokio::select! {
        ended = walk(board, &mut hardware) => ended,
        _ = ctrl_c() => Ok(()),
    };
    let dark = vec![Light::DARK; usize::from(board.node_leds()) + 1];
    // Hardware that is gone is dark, too.
    let _ = hardware.face.show(&dark, &PanelFacts::default(), Time(0));
    drop((facts, keys));
    if let Some(screen) = screen {
        // A thread that failed has said so.
        let _ = screen.join();
    }
    ended
}

/// Lights one LED after the other, again and again.
async fn walk(board: &Board, hardware: &mut Hardware) -> anyhow::Result<()> {
    let clock = Clock::starting_after(Time(0));
    let count = usize::from(board.node_leds()) + 1;
    let colors = if matches!(board.leds, Leds::Strip { .. } | Leds::Terminal { .. }) {
        &COLORS[..]
    } else {
        &COLORS[..1]
    };
    for (round, at) in (0..usize::MAX).flat_map(|round| (0..count).map(move |at| (round, at))) {
        let (color, word) = colors[round % colors.len()];
        if round < colors.len() {
            let led = if at == 0 { "the status LED".into() } else { format!("LED {at}") };
            let color = if colors.len() > 1 { format!(", {word}") } else { String::new() };
            say(board, &format!("{led}{}{color}", place(board, at)));
        }
        let mut lights = vec![Light::DARK; count];
        lights[at] = Light { color, level: u8::MAX };
        hardware.face.show(&lights, &PanelFacts::default(), clock.now())?;
        let end = clock.now() + STEP;
        while clock.now() < end {
            // Time is up, or the button has moved.
            if let Ok(waited) = timeout(clock.until(end), hardware.button.wait()).await {
                waited?;
                echo(board, hardware, clock, count).await?;
            }
        }
    }
    Ok(())
}

/// Tells of a press, and lights everything while it lasts.
async fn echo(board: &Board, hardware: &mut Hardware, clock: Clock, count: usize) -> anyhow::Result<()> {
    let mut down: Option<Time> = None;
    loop {
        for edge in hardware.button.take(clock)? {
            let lost = if edge.after_loss { " (edges were lost before: the line is noisy)" } else { "" };
            match (edge.pressed, down.take()) {
                (true, _) => {
                    down = Some(edge.at);
                    say(board, &format!("the button is down{lost}"));
                }
                (false, Some(since)) => {
                    let length = edge.at.since(since).as_secs_f32();
                    say(board, &format!("the button is up after {length:.2} s{lost}"));
                }
                (false, None) => say(board, &format!("the button is up{lost}")),
            }
        }
        let Some(since) = down else { return Ok(()) };
        let lights = vec![Light { color: Color::White, level: u8::MAX }; count];
        hardware.face.show(&lights, &PanelFacts::default(), since)?;
        hardware.button.wait().await?;
        // A polled button waits for nothing.
        sleep(Duration::from_millis(1)).await;
    }
}

/// Tells something: above the panel, where that is drawn.
fn say(board: &Board, words: &str) {
    if matches!(board.leds, Leds::Terminal { .. }) {
        // A terminal that is gone shows nothing.
        let _ = AbovePanel.write_all(format!("{words}\n").as_bytes());
    } else {
        println!("{words}");
    }
}

/// Where a LED is connected.
fn place(board: &Board, at: usize) -> String {
    let nth = |status: String, nodes: Vec<String>| match at {
        0 => status,
        _ => nodes.get(at - 1).cloned().unwrap_or_default(),
    };
    match &board.leds {
        Leds::Lines { status, nodes, .. } => {
            format!(", line {}", nth(status.to_string(), nodes.iter().map(ToString::to_string).collect()))
        }
        Leds::Strip { status, nodes, wires, .. } => {
            let pixel = nth(status.to_string(), nodes.iter().map(ToString::to_string).collect());
            match wires {
                Wires::Spi { device, .. } => format!(", pixel {pixel} on {}", device.display()),
                Wires::Bits { data, clock } => format!(", pixel {pixel} on lines {data} and {clock}"),
            }
        }
        Leds::Expander { status, nodes, .. } => {
            format!(", {}", nth(status.to_string(), nodes.iter().map(ToString::to_string).collect()))
        }
        Leds::Terminal { .. } => String::new(),
    }
}

/// Something for the display to show.
fn sample() -> PanelFacts {
    let node = |number: u8, stage, sent| PanelNode {
        mac: Mac([2, 0, 0, 0, 0, number]),
        name: format!("node{number}"),
        led: None,
        stage,
        failed_in: Stage::Idle,
        reason: String::new(),
        image: (sent, 100),
    };
    PanelFacts {
        mode: StatusMode::Armed,
        address: "panel test".into(),
        nodes: vec![
            node(1, Stage::Installed, 0),
            node(2, Stage::Installing, 70),
            node(3, Stage::Installing, 20),
        ],
        ..PanelFacts::default()
    }
}
