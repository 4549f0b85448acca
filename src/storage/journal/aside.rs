//! Files that can't be used, and folders that can't be written.

use std::{io, time::SystemTime};

use super::{JournalError, disk::StateFolder};

/// Whether an error says that nothing can be written there, rather than that what is there is damaged.
pub fn is_unwritable(error: &JournalError, folder: &impl StateFolder) -> bool {
    let (JournalError::Open(_, source) | JournalError::Access(_, source)) = error else {
        return tempt(folder).is_err();
    };
    let by_kind = matches!(
        source.kind(),
        io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    );
    by_kind || tempt(folder).is_err()
}

/// Tries whether a file can be made in a folder.
fn tempt(folder: &impl StateFolder) -> io::Result<()> {
    const TRIAL: &str = ".writable";
    folder.create(TRIAL)?;
    folder.remove(TRIAL)
}

/// Moves a file out of the way; nobody ever deletes it. Returns its new name, which says `why` and when.
///
/// # Errors
/// When that fails.
pub fn set_aside(folder: &impl StateFolder, name: &str, why: &str) -> Result<String, JournalError> {
    #[allow(clippy::disallowed_methods)] // For people, in a file's name.
    let date = httpdate::fmt_http_date(SystemTime::now());
    let words: Vec<&str> = date.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let date = match words.as_slice() {
        [_, day, month, year, time, ..] => format!("{year}-{month}-{day}-{}", time.replace(':', "")),
        _ => "undated".into(),
    };
    let path = folder.path().join(name);
    let names = (0..100).map(|number| match number {
        0 => format!("{name}.{why}-{date}"),
        number => format!("{name}.{why}-{date}-{number}"),
    });
    for aside in names {
        if !path.with_file_name(&aside).exists() {
            folder.rename(name, &aside).map_err(|error| JournalError::SetAside(path, error))?;
            return Ok(aside);
        }
    }
    Err(JournalError::SetAside(path, io::ErrorKind::AlreadyExists.into()))
}
