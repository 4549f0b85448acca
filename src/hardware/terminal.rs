//! The panel's last line on a terminal, the log above it, and the space bar as the button.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use tokio::{sync::mpsc, time::timeout};

use crate::hardware::backend::{Face, Fault};
use rackberry_core::{
    ids::Time,
    panel::{Color, Light, PanelFacts, StatusMode},
};

/// A key that is held repeats after half a second or so, and then some thirty times a second.
const FIRST_REPEAT: Duration = Duration::from_millis(700);
const NEXT_REPEAT: Duration = Duration::from_millis(150);

/// What stands on the last line now.
static LINE: Mutex<String> = Mutex::new(String::new());

fn line() -> MutexGuard<'static, String> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The panel drawn on standard error, if that is a terminal.
#[derive(Debug)]
pub struct TerminalFace;

impl Face for TerminalFace {
    fn show(&mut self, lights: &[Light], facts: &PanelFacts, _: Time) -> Result<(), Fault> {
        if io::stderr().is_terminal() {
            draw(&picture(lights, facts.mode));
        }
        Ok(())
    }
}

impl Drop for TerminalFace {
    fn drop(&mut self) {
        erase();
    }
}

/// Shows a picture in place of what was shown before.
fn draw(new: &str) {
    let mut line = line();
    if *line != new {
        // A terminal that is gone shows nothing.
        let _ = write!(io::stderr(), "\r\x1b[K{new}");
        new.clone_into(&mut line);
    }
}

/// Takes the panel away.
fn erase() {
    let mut line = line();
    if !line.is_empty() {
        let _ = write!(io::stderr(), "\r\x1b[K");
        line.clear();
    }
}

/// Standard error for the log: each line goes above the panel, if one is shown.
#[derive(Debug, Clone, Copy)]
pub struct AbovePanel;

impl io::Write for AbovePanel {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let line = line();
        let mut stderr = io::stderr().lock();
        if line.is_empty() {
            return stderr.write(text);
        }
        stderr.write_all(b"\r\x1b[K")?;
        stderr.write_all(text)?;
        stderr.write_all(line.as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn picture(lights: &[Light], mode: StatusMode) -> String {
    let light = |light: &Light| match light.is_lit() {
        true => format!("\x1b[{}m●\x1b[0m", code(light.color)),
        false => "\x1b[2m○\x1b[0m".into(),
    };
    let Some((status, nodes)) = lights.split_first() else { return String::new() };
    let groups: Vec<String> = nodes.chunks(4).map(|group| group.iter().map(light).collect()).collect();
    let says = match mode {
        StatusMode::Starting => "starting",
        StatusMode::Safe => "safe; hold the space bar 2 s to arm",
        StatusMode::Armed => "ARMED; hold the space bar 2 s to disarm",
        StatusMode::Finishing => "installs finish",
    };
    format!("status {}  nodes {}  {says} ", light(status), groups.join(" "))
}

fn code(color: Color) -> u8 {
    match color {
        Color::White => 97,
        Color::Blue => 94,
        Color::Amber => 33,
        Color::Cyan => 96,
        Color::Green => 92,
        Color::Red => 91,
    }
}

/// A terminal whose keys arrive one by one; it becomes as it was when this is dropped.
#[derive(Debug)]
pub struct PressedKeys {
    before: Termios,
}

impl PressedKeys {
    /// Takes the terminal, where there is one, and sends the space bar's edges (true: pressed) to `button`.
    pub fn take(button: mpsc::Sender<bool>) -> Option<PressedKeys> {
        let is_watched = io::stdin().is_terminal() && io::stderr().is_terminal();
        let before = termios::tcgetattr(io::stdin()).ok().filter(|_| is_watched)?;
        let mut by_key = before.clone();
        // Ctrl-C stays what it is.
        by_key.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &by_key).ok()?;
        let (sender, keys) = mpsc::channel(16);
        // A thread of its own, which the process's end takes along: the runtime would wait for a key.
        thread::spawn(move || {
            let mut key = [0];
            while io::stdin().read_exact(&mut key).is_ok() && sender.blocking_send(key[0]).is_ok() {}
        });
        tokio::spawn(edges(keys, button));
        Some(PressedKeys { before })
    }
}

impl Drop for PressedKeys {
    fn drop(&mut self) {
        erase();
        // A terminal that is gone needs nothing.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Terminals tell of no key's release: it is the time when it no longer repeats.
async fn edges(mut keys: mpsc::Receiver<u8>, button: mpsc::Sender<bool>) {
    while let Some(key) = keys.recv().await {
        if key != b' ' {
            continue;
        }
        // A panel that has ended takes no edges.
        let _ = button.send(true).await;
        let mut patience = FIRST_REPEAT;
        while let Ok(Some(b' ')) = timeout(patience, keys.recv()).await {
            patience = NEXT_REPEAT;
        }
        let _ = button.send(false).await;
    }
}
