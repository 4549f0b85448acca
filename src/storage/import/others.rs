//! What comes along with versions: configurations, keys, profiles, menus, loaders, files for everybody.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::is_same;
use crate::{service::progress::Bars, storage::staging::StagingError};
use rackberry_core::{
    assets::{
        catalog::Catalog,
        folder::{Found, is_reserved},
    },
    ids::folded,
};

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherFile {
    /// It is here now.
    Copied(String),
    /// Another file of this name is here, and was left as it is.
    Kept(String),
}

/// Copies those of these files which are not there yet.
///
/// # Errors
/// When one can't be read or written.
pub fn others(files: &[&Found], to: &Catalog, bars: &Bars) -> Result<Vec<OtherFile>, StagingError> {
    let Some(target) = to.folders().next() else { return Ok(Vec::new()) };
    let mut said = Vec::new();
    for found in files {
        let mut name = found.name.clone();
        if let Some(top) = name.first_mut().filter(|top| is_reserved(top)) {
            *top = folded(top);
        }
        // A folder that Windows calls by other letters is the same one.
        let there = to.file(&name);
        let shown = name.join("/");
        match there {
            Some(there) if there.len == found.len && is_same(&found.path, &there.path, |_| ())? => {}
            Some(_) => said.push(OtherFile::Kept(shown)),
            None => {
                copy(found, &target.join(&shown), bars)?;
                said.push(OtherFile::Copied(shown));
            }
        }
    }
    Ok(said)
}

/// The file appears when it is whole.
fn copy(found: &Found, path: &Path, bars: &Bars) -> Result<(), StagingError> {
    let unwritten = |error| StagingError::Write(path.to_owned(), error);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(unwritten)?;
    let room = rustix::fs::statvfs(folder).map_err(|error| unwritten(error.into()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    if free < found.len {
        return Err(StagingError::Full { folder: folder.to_owned(), free, needed: found.len });
    }
    let part = folder.join(format!(".{}.part", found.own_name()));
    let bar = bars.of_bytes("copying", &found.path, found.len);
    let copied = File::open(&found.path)
        .and_then(|mut from| {
            let mut to = File::create(&part)?;
            io::copy(&mut from, &mut to)?;
            to.sync_data()
        })
        .and_then(|()| fs::rename(&part, path));
    bar.more(found.len);
    copied.map_err(|error| {
        // What is half there is nobody's; if it can't be removed, no scan looks at it.
        let _ = fs::remove_file(&part);
        unwritten(error)
    })
}
