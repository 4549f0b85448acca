//! The log: one line an event on standard error, where the journal takes it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::hardware::terminal::AbovePanel;

/// Starts logging. `RUST_LOG` chooses more (`rackberry=trace` shows each packet).
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Under systemd the journal has the time already.
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(terminal)
        .with_writer(|| AbovePanel);
    // Fails only where a test has set logging up before.
    let _ = if under_systemd { builder.without_time().try_init() } else { builder.try_init() };
}
