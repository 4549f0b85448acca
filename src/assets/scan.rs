//! The scan of the asset folders.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::assets::catalog::{Catalog, Found};

/// Folders deeper than this below an asset folder hold nothing that is served.
const DEEPEST: usize = 3;
/// Longest file that is read as one that names a version.
const TEXT_LIMIT: u64 = 4096;

/// Reads the folders' structure. Folders that are not there are passed over: a USB disk may come later.
pub fn scan(dirs: &[PathBuf], loaders: &Path) -> Catalog {
    let mut found = Vec::new();
    for dir in dirs {
        walk(dir, &mut Vec::new(), &mut found);
    }
    let mut names = Vec::new();
    walk(loaders, &mut Vec::new(), &mut names);
    Catalog::new(dirs.to_vec(), found)
        .with_loaders(names.into_iter().map(|file| (file.name.join("/"), file.path)))
}

fn walk(dir: &Path, name: &mut Vec<String>, found: &mut Vec<Found>) {
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
        if segment.starts_with('.') || segment.ends_with(".part") || segment.ends_with('~') {
            continue;
        }
        let path = entry.path();
        name.push(segment);
        if name.last().is_some_and(|last| last == "current") && path.is_symlink() && path.is_dir() {
            let target = fs::read_link(&path).ok();
            let version =
                target.as_deref().and_then(Path::file_name).and_then(|v| v.to_str()).map(str::to_owned);
            found.push(Found { name: name.clone(), path, len: 0, text: version });
        } else {
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() && name.len() < DEEPEST => walk(&path, name, found),
                Ok(meta) if meta.is_file() => found.push(file(name, path, meta.len())),
                _ => {}
            }
        }
        name.pop();
    }
}

fn file(name: &[String], path: PathBuf, len: u64) -> Found {
    let last = name.last().map_or("", String::as_str);
    let names_version = matches!(last, "current" | "version.txt") && len <= TEXT_LIMIT;
    let text = names_version.then(|| fs::read_to_string(&path).ok()).flatten();
    Found { name: name.to_vec(), path, len, text }
}
