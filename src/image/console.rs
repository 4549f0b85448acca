//! `rackberry image console`: the screen of a board that nobody logs in at shows where it is and what it does.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use super::{Root, publish};

/// Time between two looks at the service.
const LOOK: Duration = Duration::from_secs(5);

/// Draws the screen whenever something on it changes, for ever.
///
/// # Errors
/// When the terminal is gone.
pub async fn console(root: &Root, socket: &Path) -> anyhow::Result<()> {
    let mut shown = String::new();
    loop {
        let facts = publish::gather(root, socket).await;
        let mut text = format!("{}\n", facts.summary());
        for trouble in facts.troubles() {
            text += &format!("! {trouble}\n");
        }
        if text != shown {
            write!(io::stdout(), "\x1b[H\x1b[2J{text}")?;
            io::stdout().flush()?;
            shown = text;
        }
        tokio::time::sleep(LOOK).await;
    }
}
