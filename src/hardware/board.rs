//! Finds a board by what the configuration calls it.

use std::{fs, io, path::Path};

use rackberry_core::{
    config::Faults,
    panel::board::{BUILT_IN, Board, built_in, parse},
};

/// Why there is no such board.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum LoadError {
    /// No built-in board has this name.
    #[error("there is no board {name:?}; built in are {known}, and a file is named by its absolute path")]
    Unknown {
        name: String,
        /// The names of those that there are.
        known: String,
    },
    /// The file can't be read.
    #[error("can't read the board file {path}: {error}")]
    Unreadable { path: String, error: io::Error },
    /// The file has faults.
    #[error("{0}")]
    Faulty(Faults),
}

/// The board that `name` stands for: a built-in one, or a file where it is a path.
///
/// # Errors
/// When there is none, or its file has faults.
pub fn load(name: &str) -> Result<Board, LoadError> {
    if !name.contains('/') && !name.contains('.') {
        let known = || BUILT_IN.map(|(name, _)| name).join(", ");
        return built_in(name).ok_or_else(|| LoadError::Unknown { name: name.to_owned(), known: known() });
    }
    let text =
        fs::read_to_string(name).map_err(|error| LoadError::Unreadable { path: name.to_owned(), error })?;
    parse(Path::new(name), &text).map_err(LoadError::Faulty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_built_in_and_paths_are_files() {
        assert_eq!(load("blinkt").unwrap().name, "blinkt");
        let said = load("blink").unwrap_err().to_string();
        assert!(said.contains("\"blink\"") && said.contains("breadboard-8, blinkt"), "{said}");
        let said = load("/nonexistent/my.toml").unwrap_err().to_string();
        assert!(said.contains("/nonexistent/my.toml"), "{said}");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/board/apa102-16.toml");
        assert_eq!(load(path).unwrap().name, "apa102-16");
        let faulty = load(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap_err().to_string();
        assert!(faulty.contains("Cargo.toml:1:"), "{faulty}");
    }
}
