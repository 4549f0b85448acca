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

/// Where the service's configuration lies: on the SD image, and on other machines (systemd/rackberry.service).
const INSTALLED: [&[&str]; 2] = [
    &["/usr/lib/rackberry/image.toml", "/run/rackberry-setup/rackberry.toml"],
    &["/etc/rackberry/rackberry.toml"],
];

/// The files that were named, or else those that the service of this machine is started with; none where it has none.
pub fn named_or_installed(named: Vec<PathBuf>) -> Vec<PathBuf> {
    match named.is_empty() {
        // What may not be looked at is there, and reading it says why it can't be.
        true => installed(|file| file.try_exists().unwrap_or(true)),
        false => named,
    }
}

fn installed(is_there: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let are_there = |files: &&&[&str]| files.iter().all(|file| is_there(Path::new(file)));
    let files = INSTALLED.iter().find(are_there).copied().unwrap_or_default();
    files.iter().map(PathBuf::from).collect()
}

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
    fn where_none_is_named_those_of_the_service_are_taken() {
        let image = ["/usr/lib/rackberry/image.toml", "/run/rackberry-setup/rackberry.toml"];
        let etc = "/etc/rackberry/rackberry.toml";
        let taken = |there: &[&str]| -> Vec<String> {
            let files = installed(|path| there.contains(&path.to_str().unwrap()));
            files.iter().map(|file| file.display().to_string()).collect()
        };
        assert_eq!(taken(&[etc]), [etc]);
        assert_eq!(taken(&[image[0], image[1], etc]), image);
        assert_eq!(taken(&[image[0], etc]), [etc], "no image that was set up");
        assert!(taken(&[]).is_empty());
        assert_eq!(named_or_installed(vec!["mine.toml".into()]), [PathBuf::from("mine.toml")]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_a_remedy() {
        let said = load(&["/nonexistent/rackberry.toml".into()]).expect_err("no file").to_string();
        assert!(said.contains("/nonexistent/rackberry.toml") && said.contains("create it"), "{said}");
    }
}
