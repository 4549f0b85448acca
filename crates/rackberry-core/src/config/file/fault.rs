//! What is wrong with a configuration, where, and what would be right.

use std::{fmt, path::PathBuf};

/// One fault. `Display` gives two lines, the second with the help; [`ConfigError::render`] shows the line of
/// the file too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named to the service.
    pub file: PathBuf,
    /// Where in the file; without, the fault is the whole file's.
    pub position: Option<Position>,
    /// The key's path (`dhcp.pool`, `node.mac`); without, the file's text is no TOML there.
    pub key: Option<String>,
    /// What is wrong, in one clause.
    pub problem: String,
    /// What would be right.
    pub help: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Number of the line, counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How many characters of the line are meant, at least one.
    pub width: usize,
    /// The line, control characters replaced by spaces.
    pub excerpt: String,
}

/// A refused value, before it is known where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong, in one clause.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

impl Wrong {
    /// Of these two sentences.
    pub fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { problem: problem.into(), help: help.into() }
    }
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[34m";
const RESET: &str = "\x1b[0m";

/// An excerpt of more characters than this is cut around its fault.
const WIDEST: usize = 100;

/// How a fault is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As text.
    Plain,
    /// For terminals.
    Coloured,
}

impl ConfigError {
    /// The fault for a terminal: what and where, the line with a caret below, and the help.
    pub fn render(&self, ink: Ink) -> String {
        let paint = |code: &str, text: &str| {
            if ink == Ink::Coloured { format!("{code}{text}{RESET}") } else { text.to_owned() }
        };
        let mut out = format!("{}: ", paint(BOLD, &self.place()));
        if let Some(key) = &self.key {
            out.push_str(&format!("{}: ", paint(BOLD, key)));
        }
        out.push_str(&paint(RED, &self.problem));
        if let Some(position) = &self.position {
            let number = position.line.to_string();
            let margin = " ".repeat(number.len());
            let (line, column, width) = position.window();
            let caret = format!("{}{}", " ".repeat(column - 1), paint(RED, &"^".repeat(width)));
            let bar = paint(BLUE, "|");
            out.push_str(&format!("\n  {} {bar} {line}\n  {margin} {bar} {caret}", paint(BLUE, &number)));
        }
        if !self.help.is_empty() {
            out.push_str(&format!("\n  {}: {}", paint(BOLD, "help"), self.help));
        }
        out
    }

    fn place(&self) -> String {
        let file = self.file.display();
        match &self.position {
            Some(at) => format!("{file}:{}:{}", at.line, at.column),
            None => file.to_string(),
        }
    }
}

impl Position {
    /// The part of the line to show, and where in it the fault is.
    fn window(&self) -> (String, usize, usize) {
        let length = self.excerpt.chars().count();
        if length <= WIDEST {
            return (self.excerpt.trim_end().to_owned(), self.column, self.width);
        }
        let skip = (self.column - 1).saturating_sub(WIDEST / 4).min(length - WIDEST);
        let shown: String = self.excerpt.chars().skip(skip).take(WIDEST).collect();
        let before = if skip > 0 { "…" } else { "" };
        let after = if skip + WIDEST < length { "…" } else { "" };
        let column = self.column - skip + before.chars().count();
        (format!("{before}{shown}{after}"), column, self.width.min(WIDEST + 2 - column.min(WIDEST + 1)))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place())?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.problem)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a configuration, at least one fault, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<ConfigError>);

impl Faults {
    /// The faults of a configuration that has any.
    pub(in crate::config) fn new(errors: Vec<ConfigError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The faults, in the order of files and lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// How many there are: one or more.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them for a terminal, with the lines of the files.
    pub fn render(&self, ink: Ink) -> String {
        self.0.iter().map(|error| error.render(ink)).collect::<Vec<_>>().join("\n")
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Faults {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault() -> ConfigError {
        ConfigError {
            file: "rackberry.toml".into(),
            position: Some(Position { line: 12, column: 8, width: 4, excerpt: "pool = \"x-\"".into() }),
            key: Some("dhcp.pool".into()),
            problem: "\"x-\" is no pool".into(),
            help: "write another".into(),
        }
    }

    #[test]
    fn a_fault_names_its_place_key_and_remedy() {
        assert_eq!(
            fault().to_string(),
            "rackberry.toml:12:8: dhcp.pool: \"x-\" is no pool\n  help: write another"
        );
        assert_eq!(
            fault().render(Ink::Plain),
            "rackberry.toml:12:8: dhcp.pool: \"x-\" is no pool\n  12 | pool = \"x-\"\n     |        ^^^^\n  \
             help: write another"
        );
        assert!(fault().render(Ink::Coloured).contains("\x1b[1;31m^^^^\x1b[0m"));
    }

    proptest! {
        #[test]
        fn long_lines_are_cut_around_the_fault(length in 1usize..400, at in 0usize..400, width in 1usize..400) {
            let column = at.min(length) + 1;
            let excerpt = "x".repeat(length);
            let error = ConfigError { position: Some(Position { line: 1, column, width, excerpt }), ..fault() };
            let rendered = error.render(Ink::Plain);
            let lines: Vec<&str> = rendered.lines().collect();
            prop_assert!(lines[1].chars().count() <= WIDEST + 8);
            prop_assert!(lines[2].contains('^'));
        }
    }
}
