//! Reads the files of the configuration.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rackberry_core::config::{
    Settings,
    fault::{ConfigError, Faults},
    parse_all, source,
};

/// A configuration larger than this is another file, named by mistake.
const LARGEST: u64 = 1 << 20;

/// Reads files that merge in order, later ones over earlier ones; none at all gives the defaults.
///
/// # Errors
///
/// All faults of all files, those of files that can't be read included.
pub fn load(files: &[PathBuf]) -> Result<Settings, Faults> {
    let mut sources = Vec::new();
    let mut unread = Vec::new();
    for path in files {
        match read(path) {
            Ok(text) => sources.push((path.clone(), text)),
            Err(error) => unread.push(*error),
        }
    }
    parse_all(&sources, unread)
}

/// Reads the text of one file, whatever encoding a PC's editor gave it.
///
/// # Errors
///
/// The fault of the whole file, with its remedy.
pub fn read(path: &Path) -> Result<String, Box<ConfigError>> {
    let error = |problem: String, help: String| {
        Box::new(ConfigError { file: path.to_owned(), position: None, key: None, problem, help })
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|cause| error(format!("can't be read: {cause}"), remedy(&cause).to_owned()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(error("is larger than 1 MiB".into(), "name a TOML file of rackberry's keys".into()));
    }
    source::decode(&bytes)
        .map_err(|(position, wrong)| Box::new(ConfigError { position, ..*error(wrong.problem, wrong.help) }))
}

fn remedy(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::NotFound => "create it (an empty file means all defaults), or leave its --config out",
        io::ErrorKind::PermissionDenied => "let the user that runs rackberry read it, and search its folders",
        io::ErrorKind::IsADirectory => "name the file in it, like rackberry.toml",
        _ => "check the card or disk that it lies on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named_with_a_remedy() {
        let said = load(&["/nonexistent/rackberry.toml".into()]).expect_err("no file").to_string();
        assert!(said.contains("/nonexistent/rackberry.toml") && said.contains("create it"), "{said}");
    }
}
