//! Progress bars for long work, on terminals; elsewhere nothing.

use std::{io::IsTerminal as _, path::Path, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that is taken away when this is dropped.
#[derive(Debug)]
pub struct WorkBar(ProgressBar);

/// Several bars, one below the other.
#[derive(Debug, Default)]
pub struct Bars(MultiProgress);

const BYTES: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

impl WorkBar {
    /// Of so many bytes of a file.
    pub fn of_bytes(what: &str, path: &Path, len: u64) -> WorkBar {
        WorkBar::new(ProgressBar::new(len), what, path)
    }

    fn new(bar: ProgressBar, what: &str, path: &Path) -> WorkBar {
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(BYTES) {
            bar.set_style(style);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        bar.set_message(format!("{what} {name}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        WorkBar(bar)
    }

    /// So many more are done.
    pub fn more(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// So many are done already.
    pub fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Bars {
    /// A further bar below the others.
    pub fn of_bytes(&self, what: &str, path: &Path, len: u64) -> WorkBar {
        WorkBar::new(self.0.add(ProgressBar::new(len)), what, path)
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
