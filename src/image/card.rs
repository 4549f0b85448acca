//! Writing onto the FAT partition, which is mounted read-only for the rest of the time. Files there have one length for
//! ever, so each is written over itself: neither the directory nor the allocation table changes, and a power cut can't
//! damage those.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::Root;

/// Writes over a file of the card, in place.
///
/// # Errors
/// When the card can't be written.
pub fn overwrite(root: &Root, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    // One writer at a time: who is done would take the partition's writability from another.
    let lock = File::create(root.run("rackberry-card.lock")).context("can't make the lock of the card")?;
    lock.lock().context("can't lock the card")?;
    let path = root.card(name);
    remount(&root.card(""), "rw")?;
    let written = write(&path, bytes);
    remount(&root.card(""), "ro")?;
    written.with_context(|| format!("can't write {}", path.display()))
}

fn remount(card: &Path, how: &str) -> anyhow::Result<()> {
    let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(card).output();
    let output = done.context("can't run mount")?;
    ensure!(
        output.status.success(),
        "can't remount {} {how}: {}",
        card.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.txt");
        fs::write(&path, "something longer than what follows").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
