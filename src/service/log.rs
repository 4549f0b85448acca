//! The log: one line an event on standard error, where the journal takes it. Whatever a field quotes, it neither begins a
//! line of its own nor reaches a terminal as control.

use std::{fmt, fs, io::IsTerminal as _, path::PathBuf};

use tracing::{Event, Level, Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt as _,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::hardware::terminal::AbovePanel;
use rackberry_core::ids::quotable;

/// Starts logging. `RUST_LOG` chooses more (`rackberry=trace` shows each packet).
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(fields())
        .with_target(false)
        .with_ansi(terminal)
        .with_writer(|| AbovePanel);
    // Fails only where a test has set logging up before.
    let _ = if goes_to_the_journal() {
        let format = tracing_subscriber::fmt::format().with_target(false).with_ansi(false);
        // The journal has the time already.
        let lines = lines.event_format(Prioritized(format.without_time()));
        tracing_subscriber::registry().with(filter).with(lines).with(Warned::new()).try_init()
    } else {
        tracing_subscriber::registry().with(filter).with(lines).try_init()
    };
}

/// Fields as they are written by default, with all that they quote made fit to be shown.
fn fields() -> impl for<'a> FormatFields<'a> + Clone + 'static {
    let field = |to: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = format!("{value:?}");
        match field.name() {
            "message" => to.write_str(&quotable(&value)),
            name => write!(to, "{name}={}", quotable(&value)),
        }
    };
    tracing_subscriber::fmt::format::debug_fn(field).delimited(" ")
}

/// Whether standard error is what systemd made it: the variable alone is handed on to every program that is started.
fn goes_to_the_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let error = rustix::fs::fstat(rustix::stdio::stderr());
    error.is_ok_and(|error| stream == format!("{}:{}", error.st_dev, error.st_ino))
}

/// Lines that begin with how grave they are, as sd-daemon(3) has it, for `journalctl -p warning`.
struct Prioritized<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritized<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(to, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, to, event)
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Touches a file at each warning. On the SD card, which keeps the log and seldom writes it, a unit waits for that.
struct Warned {
    file: Option<PathBuf>,
}

impl Warned {
    fn new() -> Warned {
        Warned {
            file: std::env::var_os("RUNTIME_DIRECTORY").map(|folder| PathBuf::from(folder).join("warned")),
        }
    }
}

impl<S: Subscriber> Layer<S> for Warned {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN
            && let Some(file) = &self.file
        {
            // Without it the log is written some minutes later.
            let _ = fs::write(file, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_quoted_begins_no_line_and_moves_no_cursor() {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = tracing_subscriber::fmt::layer().fmt_fields(fields()).with_ansi(false).without_time();
        let all =
            tracing_subscriber::registry().with(lines.with_target(false).with_writer(move || to.clone()));
        let quoted = "no\u{202e}disk\n INFO armed by the button\r\x1b[2J\u{9b}1m";
        tracing::subscriber::with_default(all, || {
            tracing::warn!(node = "a\x1b[1m", path = %quoted, words = ?quoted, "failed: {quoted}");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (first, rest) = text.trim_end().split_once('\n').unwrap();
        assert!(first.starts_with(" WARN failed: no disk"), "{text}");
        assert!(rest.lines().all(|line| line.starts_with("    ")), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && rackberry_core::ids::is_unshowable(c)), "{text:?}");
    }

    #[test]
    fn the_journal_learns_how_grave_a_line_is_and_warnings_leave_a_sign() {
        let (kept, folder) = (Kept::default(), tempfile::tempdir().unwrap());
        let file = folder.path().join("warned");
        let to = kept.clone();
        let format = tracing_subscriber::fmt::format().with_target(false).with_ansi(false).without_time();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
        let lines = lines.event_format(Prioritized(format));
        let all = tracing_subscriber::registry().with(lines).with(Warned { file: Some(file.clone()) });
        tracing::subscriber::with_default(all, || {
            tracing::info!(node = "a", "is up");
            assert!(!file.exists());
            tracing::warn!("is full");
            assert!(file.exists());
            tracing::error!("is lost");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["<6> INFO is up node=\"a\"", "<4> WARN is full", "<3>ERROR is lost"]);
    }
}
