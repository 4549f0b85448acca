//! The files in cloud-configs/: whose configuration each is, by its name, and whether it is a template.

use std::collections::BTreeMap;

use crate::{
    assets::folder::{Found, Name, key},
    ids::{Mac, folded},
    profiles::ConfigKind,
};

/// The folder of an asset folder that configurations are in.
pub const FOLDER: &str = "cloud-configs";
/// What is in a template's name.
const TEMPLATE: &str = "j2";
/// The first line of a template whose name does not say so. It is taken out.
pub const MARK: &str = "{# template #}";

/// What the name of a file in cloud-configs/ says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigName {
    /// The name without what says that it is a template: by it, clients ask for it.
    pub served: String,
    /// The served name without its extension, as it compares.
    pub stem: String,
    /// What its extension says of it.
    pub kind: Option<ConfigKind>,
    /// Whether it says that it is a template.
    pub is_template: bool,
}

/// Whose configuration a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// The machine's with this hardware address.
    Machine(Mac),
    /// The node's, the profile's or everybody's of this name, as it compares.
    Named(String),
}

/// A file of that folder, and which node it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where the file lies, and what is in it.
    pub found: Found,
    /// What its name says.
    pub name: ConfigName,
    /// Whether it is a template, by its name or its first line.
    pub is_template: bool,
    /// Which asset folder it is from: the first one counts most.
    place: usize,
}

/// The configurations of all asset folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configs {
    files: Vec<ConfigFile>,
    /// By their served paths.
    paths: BTreeMap<Name, usize>,
    /// Configurations, those that count first.
    slots: BTreeMap<(Whose, ConfigKind), Vec<usize>>,
}

impl ConfigName {
    /// Reads a file's own name.
    pub fn parse(name: &str) -> ConfigName {
        let name = name.trim_end_matches(['.', ' ']);
        let (bare, template_last) = match split(name) {
            (bare, Some(last)) if folded(last) == TEMPLATE => (bare, true),
            _ => (name, false),
        };
        let (stem, extension) = split(bare);
        let (stem, template_first) = match split(stem) {
            (first, Some(middle)) if extension.is_some() && folded(middle) == TEMPLATE => (first, true),
            _ => (stem, false),
        };
        let kind = extension.and_then(|extension| ConfigKind::of_extension(&folded(extension)));
        let served = extension.map_or_else(|| stem.to_owned(), |extension| format!("{stem}.{extension}"));
        ConfigName { served, stem: folded(stem), kind, is_template: template_last || template_first }
    }

    /// Whose configuration it is, if it is one.
    pub fn whose(&self) -> Option<Whose> {
        self.kind?;
        Some(Mac::from_file_stem(&self.stem).map_or_else(|_| Whose::Named(self.stem.clone()), Whose::Machine))
    }

    /// What it was probably meant to be called, where it is nearly a configuration's name.
    pub fn meant(&self) -> Option<String> {
        let like_mac = |stem: &str| {
            let digits: String = stem.chars().filter(char::is_ascii_hexdigit).collect();
            let is_spelled = stem.chars().all(|c| c.is_ascii_hexdigit() || "-_:., \u{f03a}".contains(c));
            let bytes = digits.strip_prefix("01").filter(|rest| rest.len() == 12).unwrap_or(&digits);
            bytes.parse::<Mac>().ok().filter(|_| is_spelled)
        };
        if self.kind.is_some() {
            let is_one = matches!(self.whose(), Some(Whose::Machine(_)));
            let mac = like_mac(&self.stem).filter(|_| !is_one)?;
            let (_, extension) = split(&self.served);
            return Some(format!("{}.{}", mac.dashed(), extension.unwrap_or("yml")));
        }
        // Windows hides the extension that its editor appends.
        let (stem, extension) = split(&self.served);
        let inner = ConfigName::parse(stem);
        let is_hidden = extension.is_some_and(|extension| folded(extension) == "txt");
        if is_hidden && inner.kind.is_some() {
            return Some(inner.meant().unwrap_or(stem.to_owned()));
        }
        let stem = if is_hidden { stem } else { &self.served };
        like_mac(stem).map(|mac| format!("{}.yml", mac.dashed()))
    }
}

/// A name and its extension.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, Some(extension)),
        _ => (name, None),
    }
}

impl ConfigFile {
    fn new(found: &Found, place: usize) -> ConfigFile {
        let name = ConfigName::parse(found.own_name());
        let is_marked =
            found.text().is_some_and(|text| text.lines().next().is_some_and(|line| line.trim_end() == MARK));
        ConfigFile { found: found.clone(), is_template: name.is_template || is_marked, name, place }
    }

    /// The line, from 1, by which a file that is no template looks like one of ours.
    pub fn looks_like_template(&self) -> Option<usize> {
        const OURS: [&str; 7] = ["node", "nodes", "vars", "ssh_keys", "server_url", "base_url", "version"];
        if self.is_template {
            return None;
        }
        let is_ours = |line: &str| {
            line.split("{{").skip(1).any(|rest| {
                let name = rest.trim_start_matches('-').trim_start();
                // Other programs have versions, too.
                let own = OURS.iter().filter_map(|own| name.strip_prefix(own).map(|rest| (own, rest)));
                own.filter(|(own, _)| **own != "version").any(|(own, rest)| match *own {
                    "node" | "vars" => rest.starts_with('.'),
                    _ => rest.starts_with([' ', '}', '|', '[', '.']),
                })
            })
        };
        let is_loop = |line: &str| line.contains("{%") && line.contains(" in nodes");
        let text = self.found.text()?;
        text.lines().position(|line| is_ours(line) || is_loop(line)).map(|at| at + 1)
    }

    /// Its path below cloud-configs/, as it lies there.
    pub fn path(&self) -> String {
        self.found.name[1..].join("/")
    }

    /// The path by which clients ask for it, as it compares.
    pub fn served(&self) -> Option<Name> {
        let (_, folders) = self.found.name[1..].split_last()?;
        key(&[folders, std::slice::from_ref(&self.name.served)].concat())
    }

    /// The configuration that it is, if it is one: those in folders are nobody's.
    pub fn whose(&self) -> Option<(Whose, ConfigKind)> {
        let is_top = self.found.name.len() == 2;
        is_top.then(|| Some((self.name.whose()?, self.name.kind?))).flatten()
    }
}

impl Configs {
    /// The files of each asset folder, the first of which counts most.
    pub fn new<'f>(folders: impl IntoIterator<Item = Vec<&'f Found>>) -> Configs {
        let files = folders.into_iter().enumerate();
        let files = files
            .flat_map(|(place, found)| found.into_iter().map(move |found| ConfigFile::new(found, place)));
        let mut configs = Configs { files: files.collect(), ..Configs::default() };
        // Of one folder's, a template comes before a file of that name that is none, and usual spellings before others.
        configs.files.sort_by_key(|file| (file.place, !file.is_template, file.found.name.clone()));
        for (number, file) in configs.files.iter().enumerate() {
            if let Some(path) = file.served() {
                configs.paths.entry(path).or_insert(number);
            }
            if let Some((whose, kind)) = file.whose() {
                configs.slots.entry((whose, kind)).or_default().push(number);
            }
        }
        configs
    }

    /// The files of all asset folders.
    pub fn all(&self) -> &[ConfigFile] {
        &self.files
    }

    /// The file that a client asks for by this path.
    pub fn at(&self, path: &[impl AsRef<str>]) -> Option<&ConfigFile> {
        self.files.get(*self.paths.get(&key(path)?)?)
    }

    /// The file that a template means by this path: as clients ask for it, or as it lies there.
    pub fn included(&self, path: &[impl AsRef<str>]) -> Option<&ConfigFile> {
        self.at(path).or_else(|| {
            let own = key(path)?;
            self.files.iter().find(|file| key(&file.found.name[1..]).as_ref() == Some(&own))
        })
    }

    /// The configuration that counts of those that are the same one's.
    pub fn of(&self, whose: &Whose, kind: ConfigKind) -> Option<&ConfigFile> {
        let slot = self.slots.get(&(whose.clone(), kind))?;
        self.files.get(*slot.first()?)
    }

    /// The file that takes another's place, because both are the same one's configuration, or have the same name for
    /// clients.
    pub fn instead_of(&self, file: &ConfigFile) -> Option<&ConfigFile> {
        let counts = match file.whose() {
            Some((whose, kind)) => self.of(&whose, kind),
            None => self.at(&file.served()?),
        };
        counts.filter(|counts| counts.found.path != file.found.path)
    }
}

#[cfg(test)]
mod tests;
