//! The scan of the asset folders.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    assets::{
        catalog::Catalog,
        folder::{Folder, Found, Stamp},
    },
    ids::folded,
};

/// Folders deeper than this below an asset folder hold nothing that is served.
const DEEPEST: usize = 4;
/// Longest file whose text counts.
const TEXT_LIMIT: u64 = 256 * 1024;

/// Reads the folders' structure, and the small files in it that say something, unless `last` has read them
/// already. Folders that are not there are passed over: a USB disk may come later.
pub fn scan(dirs: &[PathBuf], loaders: &Path, last: Option<&Catalog>) -> Catalog {
    let folders = dirs.iter().map(|dir| folder(dir, last)).collect();
    Catalog::new(folders, folder(loaders, last), last)
}

fn folder(dir: &Path, last: Option<&Catalog>) -> Folder {
    let known = last.and_then(|last| last.folder(dir));
    let mut found = Vec::new();
    walk(dir, &mut Vec::new(), known, &mut found);
    Folder::new(dir.to_owned(), found)
}

fn walk(dir: &Path, name: &mut Vec<String>, known: Option<&Folder>, found: &mut Vec<Found>) {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::warn!(path = %dir.display(), %error, "can't read an asset folder");
            return;
        }
    };
    for entry in entries.flatten() {
        let Ok(segment) = entry.file_name().into_string() else { continue };
        // Half-copied files of rsync, cp tools and our own import have such names.
        let own = folded(&segment);
        if segment.starts_with('.') || own.is_empty() || own.ends_with(".part") || own.ends_with('~') {
            continue;
        }
        let path = entry.path();
        name.push(segment);
        if own == "current" && path.is_symlink() && path.is_dir() {
            let target = fs::read_link(&path).ok();
            let version = target.as_deref().and_then(Path::file_name).and_then(|version| version.to_str());
            let (len, stamp) = (0, Stamp::default());
            found.push(Found { name: name.clone(), path, len, stamp, text: version.map(Arc::from) });
        } else {
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() && name.len() < DEEPEST => walk(&path, name, known, found),
                Ok(meta) if meta.is_file() => found.push(file(name, path, &meta, known)),
                _ => {}
            }
        }
        name.pop();
    }
}

/// When a file last changed.
pub fn stamp(meta: &fs::Metadata) -> Stamp {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Stamp { content: nanos(meta.mtime(), meta.mtime_nsec()), entry: nanos(meta.ctime(), meta.ctime_nsec()) }
}

fn file(name: &[String], path: PathBuf, meta: &fs::Metadata, known: Option<&Folder>) -> Found {
    let (len, stamp) = (meta.len(), stamp(meta));
    let text = if says_something(name) && len <= TEXT_LIMIT {
        let unchanged = known.and_then(|known| known.get(name)).filter(|known| known.name == name);
        match unchanged.filter(|known| (known.len, known.stamp) == (len, stamp)) {
            Some(known) => known.text.clone(),
            None => fs::read_to_string(&path).ok().map(Arc::from),
        }
    } else {
        None
    };
    Found { name: name.to_vec(), path, len, stamp, text }
}

/// Whether a file's own text counts: it names a version, is a configuration or a key, or belongs to a profile.
fn says_something(name: &[String]) -> bool {
    let last = name.last().map(|last| folded(last)).unwrap_or_default();
    let top = name.first().map(|top| folded(top)).unwrap_or_default();
    matches!(last.as_str(), "current" | "version.txt")
        || matches!(top.as_str(), "cloud-configs" | "keys" | "profiles")
}
