//! Man pages and completions, out of the description of the command line.

use std::{fs, path::Path};

use anyhow::Context as _;
use clap_complete::Shell;

use rackberry::cli;

/// Writes a man page for each subcommand, and completions for the shells that Debian knows places for.
///
/// # Errors
/// When the folder can't be written.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    let failed = || format!("can't write to {}", dir.display());
    fs::create_dir_all(dir).with_context(failed)?;
    clap_mangen::generate_to(cli::command(), dir).with_context(failed)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::command(), cli::NAME, dir).with_context(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn every_order_has_its_page_and_shells_read_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path()).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(read("rackberry.1").contains("rackberry\\-watch(1)"), "{}", read("rackberry.1"));
        assert!(read("rackberry-arm.1").contains("Wake"), "{}", read("rackberry-arm.1"));
        assert!(
            read("_rackberry").starts_with("#compdef rackberry") && read("rackberry.fish").contains("disarm")
        );
        let checked = Command::new("bash").arg("-n").arg(dir.path().join("rackberry.bash")).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}
