//! The scan of the asset folders. Whatever lies there, it takes a bounded time and memory, and says what it left out.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rackberry_core::{
    assets::{
        catalog::Catalog,
        configs::{ConfigName, FOLDER as CONFIGS},
        folder::{Content, Folder, Found, Stamp, is_reserved},
        text::{NotText, plain_text_of, text_of},
    },
    ids::folded,
    profiles::{self, ConfigKind},
    templates,
};

/// Folders deeper than this below an asset folder hold nothing that is served.
const DEEPEST: usize = 8;
/// Most files of one asset folder that are kept track of.
const MOST_FILES: usize = 20_000;
/// Most files of one folder at the top of an asset folder that has a meaning of its own, or is a profile's; a folder
/// counts as a file.
const MOST_IN_ONE: usize = 5_000;
/// Most files of another one.
const MOST_IN_OTHER: usize = 2_000;
/// Most files that lie loosely at the top of an asset folder.
const MOST_LOOSE: usize = 1_000;
/// Most names of one folder that are looked at.
const MOST_NAMES: usize = 100_000;
/// Most bytes of texts that are kept in memory, of one asset folder.
const MOST_KEPT: u64 = 32 << 20;
/// Longest text that is kept in memory.
const TEXT_LIMIT: u64 = 1 << 20;
/// Longest configuration.
const CONFIG_LIMIT: u64 = 16 << 20;
/// Longest text of those that only may be one: what others include.
const PIECE_LIMIT: u64 = 64 << 10;

/// Reads the folders' structure, and the small files in it that say something, unless `last` has read them
/// already. Folders that are not there are passed over: a USB disk may come later.
pub fn scan(dirs: &[PathBuf], loaders: &Path, last: Option<&Catalog>) -> Catalog {
    let folders = dirs.iter().map(|dir| Scan::of(dir, last)).collect();
    Catalog::new(folders, Scan::of(loaders, last), last)
}

/// When a file last changed.
pub fn stamp(meta: &fs::Metadata) -> Stamp {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Stamp { content: nanos(meta.mtime(), meta.mtime_nsec()), entry: nanos(meta.ctime(), meta.ctime_nsec()) }
}

/// The scan of one folder.
struct Scan<'l> {
    known: Option<&'l Folder>,
    found: Vec<Found>,
    faults: Vec<String>,
    /// Bytes of texts that are in memory.
    kept: u64,
    /// Whether it was said that there are too many of those.
    is_full: bool,
    /// Files that the folder at the top which is looked at may still have.
    room: usize,
    /// Whether it was said that it has more.
    is_cut: bool,
}

/// A name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    is_file: bool,
    name: String,
}

impl<'l> Scan<'l> {
    fn of(dir: &Path, last: Option<&'l Catalog>) -> Folder {
        let known = last.and_then(|last| last.folder(dir));
        let mut scan = Scan {
            known,
            found: Vec::new(),
            faults: Vec::new(),
            kept: 0,
            is_full: false,
            room: 0,
            is_cut: false,
        };
        let mut entries = scan.entries(dir);
        entries.sort_by_key(|entry| (urgency(&entry.name), entry.clone()));
        let mut loose = 0;
        for Entry { is_file, name } in entries {
            loose += usize::from(is_file);
            let most = if urgency(&name) == OTHER { MOST_IN_OTHER } else { MOST_IN_ONE };
            scan.room = most.min(MOST_FILES.saturating_sub(scan.found.len()));
            if scan.room == 0 || (is_file && loose > MOST_LOOSE) {
                let what = if is_file { "files" } else { "folders" };
                let place = dir.display();
                scan.faults.push(format!(
                    "{place}: there are too many files; of {what}, {name} and more are left out"
                ));
                break;
            }
            scan.is_cut = false;
            scan.entry(dir, name, &mut Vec::new());
        }
        Folder::new(dir.to_owned(), scan.found).with_faults(scan.faults)
    }

    /// What is in a folder and may mean something.
    fn entries(&mut self, dir: &Path) -> Vec<Entry> {
        let listed = match fs::read_dir(dir) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.faults.push(format!("{}: can't be read: {error}", dir.display()));
                return Vec::new();
            }
        };
        let mut entries = Vec::new();
        for entry in listed.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let own = folded(&name);
            // Half-copied files of rsync, cp tools and our own import have such names.
            if name.starts_with('.') || own.is_empty() || own.ends_with(".part") || own.ends_with('~') {
                continue;
            }
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            // Of too many, folders are looked for all the same.
            if entries.len() < MOST_NAMES || !is_file {
                entries.push(Entry { is_file, name });
            } else if entries.len() == MOST_NAMES {
                self.faults.push(format!(
                    "{}: holds more than {MOST_NAMES} files; not all are looked at",
                    dir.display()
                ));
                entries.push(Entry { is_file, name });
            }
        }
        entries
    }

    /// Takes in the file, or what is in the folder, called `name` in the folder `dir`, whose path is `above`.
    fn entry(&mut self, dir: &Path, name: String, above: &mut Vec<String>) {
        let path = dir.join(&name);
        let is_current = folded(&name) == "current";
        above.push(name);
        if is_current && path.is_symlink() && path.is_dir() {
            let target = fs::read_link(&path).ok();
            let version = target.as_deref().and_then(Path::file_name).and_then(|version| version.to_str());
            let content = version.map_or(Content::Unread, |version| Content::Text(Arc::from(version)));
            self.take(Found { name: above.clone(), path, content, ..Found::default() });
        } else {
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() && above.len() < DEEPEST => self.walk(&path, above),
                Ok(meta) if meta.is_dir() && is_reserved(&above[0]) => {
                    self.faults.push(format!("{}: lies too deep, and is left out", path.display()));
                }
                Ok(meta) if meta.is_file() => {
                    let (len, stamp) = (meta.len(), stamp(&meta));
                    let content = self.content(above, &path, len, stamp);
                    self.take(Found { name: above.clone(), path, len, stamp, content });
                }
                _ => {}
            }
        }
        above.pop();
    }

    fn walk(&mut self, dir: &Path, above: &mut Vec<String>) {
        self.room = self.room.saturating_sub(1);
        let mut entries = self.entries(dir);
        // Folders come first, so that a mass of files does not hide versions; where the files count, those do.
        let files_count = above.len() == 1 && is_reserved(&above[0]);
        entries.sort_unstable_by_key(|entry| (entry.is_file != files_count, entry.name.clone()));
        for Entry { name, .. } in entries {
            if self.room > 0 {
                self.entry(dir, name, above);
                continue;
            }
            if !self.is_cut {
                self.is_cut = true;
                self.faults.push(format!(
                    "{}: there are too many files in {}; {name} and more are left out",
                    dir.display(),
                    above[0]
                ));
            }
            return;
        }
    }

    fn take(&mut self, found: Found) {
        self.room = self.room.saturating_sub(1);
        self.found.push(found);
    }

    /// What is in a file, as far as that says something.
    fn content(&mut self, name: &[String], path: &Path, len: u64, stamp: Stamp) -> Content {
        let wanted = Wanted::of(name);
        if wanted == Wanted::Nothing {
            return Content::Unread;
        }
        let unchanged = self.known.and_then(|known| known.get(name)).filter(|known| known.name == name);
        let content = match unchanged.filter(|known| (known.len, known.stamp) == (len, stamp)) {
            Some(known) => known.content.clone(),
            None => wanted.read(path, len),
        };
        self.keep(content, path)
    }

    /// Memory is bounded, whatever lies there.
    fn keep(&mut self, content: Content, path: &Path) -> Content {
        let len = match &content {
            Content::Text(text) => text.len() as u64,
            Content::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        };
        if self.kept + len <= MOST_KEPT {
            self.kept += len;
            return content;
        }
        if !self.is_full {
            self.is_full = true;
            self.faults.push(format!(
                "{}: the texts here have more than {} MiB together; this one and more are left out",
                path.display(),
                MOST_KEPT >> 20
            ));
        }
        Content::Unread
    }
}

/// What is looked at first: what a mass of other files must not push out.
fn urgency(name: &str) -> u8 {
    match folded(name).as_str() {
        // It may hold anything.
        "files" => 2,
        name if is_reserved(name) => 0,
        name if profiles::NAMES.contains(&name) => 1,
        _ => OTHER,
    }
}

/// The urgency of what may be somebody's own profile, a version of the flat tree, or nothing of ours.
const OTHER: u8 = 3;

/// What of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    /// A name that it holds, in whatever an editor made of it.
    Word,
    Key,
    /// A text of a profile, a menu.
    Text(u64),
    /// A configuration, as it is.
    Config {
        kind: Option<ConfigKind>,
        is_template: bool,
    },
    /// What a template may include, if it is a text.
    Piece,
}

impl Wanted {
    fn of(name: &[String]) -> Wanted {
        let last = name.last().map(|last| folded(last)).unwrap_or_default();
        let top = name.first().filter(|_| name.len() > 1).map(|top| folded(top)).unwrap_or_default();
        match (top.as_str(), last.as_str()) {
            (CONFIGS, _) => {
                let read = ConfigName::parse(&last);
                match (read.kind, read.is_template, last.as_str()) {
                    (None, false, "install.sh") => Wanted::Config { kind: None, is_template: false },
                    (None, false, _) => Wanted::Piece,
                    (kind, is_template, _) => Wanted::Config { kind, is_template },
                }
            }
            ("keys", _) => Wanted::Key,
            ("profiles", _) => Wanted::Text(TEXT_LIMIT),
            ("pxelinux.cfg", _) => Wanted::Text(PIECE_LIMIT),
            (_, "current" | "current.txt" | "version.txt") => Wanted::Word,
            // A menu may include it.
            (_, name) if [".cfg", ".conf", ".menu"].iter().any(|end| name.ends_with(end)) => Wanted::Piece,
            _ => Wanted::Nothing,
        }
    }

    fn read(self, path: &Path, len: u64) -> Content {
        let limit = match self {
            Wanted::Nothing => return Content::Unread,
            Wanted::Word | Wanted::Piece => PIECE_LIMIT,
            Wanted::Key => TEXT_LIMIT,
            Wanted::Text(limit) => limit,
            Wanted::Config {
                is_template: false,
                kind: Some(ConfigKind::Ignition | ConfigKind::CloudConfig),
            } => CONFIG_LIMIT,
            Wanted::Config { .. } => TEXT_LIMIT,
        };
        if len > limit {
            let is_needed = matches!(self, Wanted::Config { .. } | Wanted::Text(_));
            return if is_needed {
                Content::NotText(NotText::TooLong { len, limit })
            } else {
                Content::Unread
            };
        }
        match fs::read(path) {
            Ok(bytes) => self.take(bytes),
            // It is tried again when it has changed.
            Err(_) => Content::Unread,
        }
    }

    fn take(self, bytes: Vec<u8>) -> Content {
        let read = match self {
            Wanted::Word => plain_text_of(&bytes),
            Wanted::Key => match plain_text_of(&bytes) {
                Ok(text) => return Content::Bytes(Arc::from(text.into_bytes())),
                Err(_) => return Content::Bytes(Arc::from(bytes)),
            },
            _ => text_of(&bytes).map(str::to_owned),
        };
        match (self, read) {
            (Wanted::Config { kind: Some(kind), .. }, Ok(text)) if text.len() as u64 > TEXT_LIMIT => {
                let checked = templates::check_large(kind, &text);
                Content::Large(checked.map(|facts| facts.format).map_err(|error| error.to_string()))
            }
            (_, Ok(text)) => Content::Text(Arc::from(text)),
            (Wanted::Piece, Err(_)) => Content::Unread,
            (_, Err(what)) => Content::NotText(what),
        }
    }
}
