//! Lists of digests: `SHA256SUMS` as GNU's tools write it, `CHECKSUM` in BSD's style, CoreOS' `DIGESTS`. Who
//! wrote such a list is another question, that its signature answers.

use std::{collections::BTreeMap, fmt};

use super::digest::{Algorithm, Digest};

/// A list of digests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    files: BTreeMap<String, Listed>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Listed {
    digests: Vec<Digest>,
    /// Digests of these kinds are listed, too; they prove nothing, or are not known here.
    others: Vec<String>,
}

/// A list can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum SumsFault {
    /// A line is none of the forms.
    #[error("line {line} is not a digest and a file name")]
    Line { line: usize },
    /// Two digests of one kind for one file.
    #[error("line {line} lists {name} once more, with another {algorithm}")]
    Contradiction { line: usize, name: String, algorithm: Algorithm },
    /// No line lists anything.
    #[error("it lists no file")]
    Empty,
}

/// What a list says of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SumVerdict {
    /// Its digest is the listed one.
    Matches(Digest),
    /// It is another one.
    Differs {
        /// What is listed.
        listed: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The file is not listed.
    NotListed {
        /// The file.
        name: String,
    },
    /// The file is listed, but with no digest that proves anything (or none that was computed).
    TooWeak {
        /// The file.
        name: String,
        /// The kinds that are listed.
        listed: Vec<String>,
    },
}

impl Sums {
    /// Reads a list. In `# SHA512 HASH` sections the heading says what the lines are, else their form does: the
    /// name before the parenthesis, or the length of the digest.
    pub fn parse(text: &str) -> Result<Sums, SumsFault> {
        let mut sums = Sums::default();
        let mut section = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if let Some(comment) = line.strip_prefix('#') {
                section = heading(comment).or(section);
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let read = bsd(line).or_else(|| gnu(line, section.as_deref()));
            sums.add(read.ok_or(SumsFault::Line { line: number + 1 })?, number + 1)?;
        }
        if sums.files.is_empty() { Err(SumsFault::Empty) } else { Ok(sums) }
    }

    /// As [`Sums::parse`]; a text that is nothing but one digest lists the file called `name`.
    pub fn parse_for(name: &str, text: &str) -> Result<Sums, SumsFault> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [hex] if is_hex(hex) => Sums::parse(&format!("{hex}  {name}\n")),
            _ => Sums::parse(text),
        }
    }

    fn add(&mut self, line: Line, number: usize) -> Result<(), SumsFault> {
        let Line { kind, hex, name } = line;
        let listed = self.files.entry(name.clone()).or_default();
        let Some(algorithm) = known(&kind) else {
            listed.others.push(kind);
            return Ok(());
        };
        let digest = Digest::from_hex(algorithm, &hex).ok_or(SumsFault::Line { line: number })?;
        match listed.digests.iter().find(|known| known.algorithm() == algorithm) {
            Some(known) if *known != digest => {
                Err(SumsFault::Contradiction { line: number, name, algorithm })
            }
            Some(_) => Ok(()),
            None => {
                listed.digests.push(digest);
                Ok(())
            }
        }
    }

    /// The files that are listed, by their names as listed, without a leading `./`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The digests of a file that prove something.
    pub fn of(&self, name: &str) -> &[Digest] {
        self.listed(name).map_or(&[], |listed| &listed.digests)
    }

    /// What is listed of a file: under its name, or under a path that leads to the only one of that name.
    fn listed(&self, name: &str) -> Option<&Listed> {
        let name = plain(name);
        let is_meant = |path: &str| path.rsplit('/').next() == Some(name);
        self.files.get(name).or_else(|| {
            let mut meant = self.files.iter().filter(|(path, _)| is_meant(path));
            meant.next().filter(|_| meant.next().is_none()).map(|(_, listed)| listed)
        })
    }

    /// What to compute for [`compare`](Sums::compare): the longest digest that is listed.
    pub fn algorithm(&self, name: &str) -> Option<Algorithm> {
        self.of(name).iter().map(Digest::algorithm).max()
    }

    /// What the list says of a file with these digests. It matches when every kind of digest that both know is
    /// the same, and at least one is.
    pub fn compare(&self, name: &str, found: &[Digest]) -> SumVerdict {
        let name = plain(name);
        let Some(listed) = self.listed(name) else {
            return SumVerdict::NotListed { name: name.to_owned() };
        };
        let mut verdict = SumVerdict::TooWeak { name: name.to_owned(), listed: listed.kinds() };
        for digest in &listed.digests {
            match found.iter().find(|found| found.algorithm() == digest.algorithm()) {
                Some(found) if found == digest => verdict = SumVerdict::Matches(digest.clone()),
                Some(found) => {
                    return SumVerdict::Differs { listed: digest.clone(), found: found.clone() };
                }
                None => {}
            }
        }
        verdict
    }
}

impl Listed {
    fn kinds(&self) -> Vec<String> {
        let strong = self.digests.iter().map(|digest| digest.algorithm().to_string());
        strong.chain(self.others.iter().cloned()).collect()
    }
}

impl SumVerdict {
    /// Whether the computed digest is the listed one.
    pub fn is_good(&self) -> bool {
        matches!(self, SumVerdict::Matches(_))
    }
}

impl fmt::Display for SumVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SumVerdict::Matches(digest) => write!(f, "its {} is the listed one", digest.algorithm()),
            SumVerdict::Differs { listed, found } => {
                let kind = listed.algorithm();
                write!(
                    f,
                    "its {kind} is {}, listed is {}: it is damaged or another file",
                    found.hex(),
                    listed.hex()
                )
            }
            SumVerdict::NotListed { name } => write!(f, "the list of digests does not name {name}"),
            SumVerdict::TooWeak { name, listed } if listed.iter().any(|kind| known(kind).is_some()) => {
                write!(f, "the list names {name} with {}, and that was not computed", listed.join(", "))
            }
            SumVerdict::TooWeak { name, listed } => {
                write!(f, "the list names {name} only with {}, which proves nothing", listed.join(", "))
            }
        }
    }
}

/// What a line says.
struct Line {
    kind: String,
    hex: String,
    name: String,
}

/// ` SHA512 HASH` of CoreOS and Gentoo; other comments say nothing.
fn heading(comment: &str) -> Option<String> {
    match comment.split_whitespace().collect::<Vec<_>>().as_slice() {
        [kind, "HASH"] => Some((*kind).to_owned()),
        _ => None,
    }
}

/// `SHA256 (file) = digest`
fn bsd(line: &str) -> Option<Line> {
    let (kind, rest) = line.split_once(" (")?;
    let (name, hex) = rest.rsplit_once(") = ")?;
    let is_kind = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || "-/_".contains(c));
    (is_kind && is_hex(hex)).then(|| Line { kind: kind.into(), hex: hex.into(), name: plain(name).into() })
}

/// `digest  file`, with a star before the file's name if it was read as binary; a backslash before it all if
/// the name has backslashes or line feeds, written `\\` and `\n`.
fn gnu(line: &str, section: Option<&str>) -> Option<Line> {
    let (is_escaped, line) = match line.strip_prefix('\\') {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (hex, rest) = line.split_once([' ', '\t'])?;
    let name = rest.trim_start_matches([' ', '\t']);
    let name = name.strip_prefix('*').unwrap_or(name);
    let name = if is_escaped { name.replace("\\n", "\n").replace("\\\\", "\\") } else { name.to_owned() };
    if !is_hex(hex) || name.is_empty() {
        return None;
    }
    let by_length = match hex.len() {
        32 => "MD5",
        40 => "SHA1",
        56 => "SHA224",
        64 => "SHA256",
        96 => "SHA384",
        128 => "SHA512",
        _ => return None,
    };
    let kind = section.unwrap_or(by_length).to_owned();
    Some(Line { kind, hex: hex.into(), name: plain(&name).into() })
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn known(kind: &str) -> Option<Algorithm> {
    match kind.to_ascii_uppercase().as_str() {
        "SHA256" | "SHA-256" => Some(Algorithm::Sha256),
        "SHA512" | "SHA-512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

#[cfg(test)]
mod tests;
