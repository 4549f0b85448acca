//! `rackberry watch`: the nodes, live. On a terminal a picture that is drawn anew, on a pipe a line a change.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use serde::Deserialize;

use super::{paint::Paint, view};
use crate::net::http_client as client;
use rackberry_core::{
    appliance::{NodeView, StatusView},
    ids::{Mac, Stage},
};

/// Between two attempts to reach a service that went away.
const AGAIN: Duration = Duration::from_secs(1);
/// Changes that stay in sight below the table.
const STORY: usize = 8;

#[derive(Debug, Deserialize)]
struct State {
    status: Option<StatusView>,
    nodes: Vec<NodeView>,
}

/// Watches until Ctrl-C.
pub async fn watch(socket: &Path) -> anyhow::Result<()> {
    // A service that is not there at all is an error; one that restarts is waited for.
    let first = client::events(socket).await?;
    let screen = io::stdout().is_terminal().then(Screen::open);
    let ended = tokio::select! {
        ended = follow(socket, first, screen.as_ref()) => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    drop(screen);
    ended
}

async fn follow(socket: &Path, first: client::Events, screen: Option<&Screen>) -> anyhow::Result<()> {
    let paint = Paint::on(&io::stdout());
    let mut story = Story::default();
    let mut events = Some(first);
    loop {
        while let Some(event) = async { events.as_mut()?.next().await }.await {
            let state: State = serde_json::from_value(event)?;
            let news = story.tell(&state.nodes, paint);
            if screen.is_some() {
                draw(&state, &story, paint)?;
            } else {
                news.iter().try_for_each(|line| writeln!(io::stdout(), "{line}"))?;
            }
        }
        if screen.is_some() {
            write!(io::stdout(), "\n{}\n", paint.warning("the service does not answer; trying again"))?;
        }
        tokio::time::sleep(AGAIN).await;
        events = client::events(socket).await.ok();
    }
}

fn draw(state: &State, story: &Story, paint: Paint) -> io::Result<()> {
    let mut picture = state.status.as_ref().map(|status| view::status(status, paint)).unwrap_or_default();
    picture += "\n";
    picture += &view::nodes(&state.nodes, paint);
    picture += "\n";
    for line in &story.lines {
        picture += line;
        picture += "\n";
    }
    picture += &paint.faint("Ctrl-C ends this view; the service goes on.");
    // Each line is cleared to its end, then what is left below: no flicker.
    write!(io::stdout(), "\x1b[H{}\x1b[J", picture.replace('\n', "\x1b[K\n"))?;
    io::stdout().flush()
}

/// What changed from one state to the next.
#[derive(Debug, Default)]
struct Story {
    before: Option<BTreeMap<Mac, (Stage, Option<String>)>>,
    lines: VecDeque<String>,
}

impl Story {
    /// A line for each node whose stage is another, or that is stuck now; at first for each that has one.
    fn tell(&mut self, nodes: &[NodeView], paint: Paint) -> Vec<String> {
        let before = self.before.take().unwrap_or_default();
        let is_news = |node: &&NodeView| match before.get(&node.mac) {
            Some((stage, why)) => {
                *stage != node.stage || (node.diagnosis.is_some() && *why != node.diagnosis)
            }
            None => node.stage != Stage::Idle,
        };
        let news: Vec<String> = nodes.iter().filter(is_news).map(|node| line(node, paint)).collect();
        self.before =
            Some(nodes.iter().map(|node| (node.mac, (node.stage, node.diagnosis.clone()))).collect());
        self.lines.extend(news.iter().cloned());
        self.lines.drain(..self.lines.len().saturating_sub(STORY));
        news
    }
}

fn line(node: &NodeView, paint: Paint) -> String {
    let why = node.diagnosis.as_ref().map(|why| format!("  {}", paint.warning(why))).unwrap_or_default();
    format!("{} {}  {}{why}", node.mac, node.name.as_deref().unwrap_or("-"), view::stage(node, paint))
}

/// The terminal's other screen, so that what stood there before comes back.
#[derive(Debug)]
struct Screen;

impl Screen {
    fn open() -> Screen {
        // A terminal that is gone shows nothing; drawing will tell.
        let _ = write!(io::stdout(), "\x1b[?1049h\x1b[?25l\x1b[2J");
        Screen
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write!(io::stdout(), "\x1b[?25h\x1b[?1049l");
        let _ = io::stdout().flush();
    }
}
