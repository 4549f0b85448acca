//! `rackberry completions`, out of the description of the command line.

use std::io;

use clap_complete::Shell;

/// Prints what a shell reads.
pub fn print(shell: Shell) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::command(), super::NAME, &mut text);
    // Whoever reads only the beginning wants no more.
    match io::Write::write_all(&mut io::stdout(), &text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
