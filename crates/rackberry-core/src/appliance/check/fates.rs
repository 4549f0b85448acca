//! What becomes of each file in cloud-configs/, for `rackberry check` and for who looks at warnings.

use std::collections::BTreeMap;

use crate::{
    appliance::check::Checker,
    assets::{
        configs::{ConfigFile, Whose},
        folder::Content,
    },
    ids::{Mac, folded},
    profiles::{self, ConfigKind},
    templates,
};

/// What is said of the files, a sentence each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// What is surely not meant so.
    pub faults: Vec<String>,
    /// What may not be meant so.
    pub warnings: Vec<String>,
    /// What each of the others is.
    pub notes: Vec<String>,
}

/// Names that are told of at most.
const MOST_NAMES: usize = 5;

impl Checker<'_> {
    /// What becomes of each file in cloud-configs/, and what menus name in vain.
    pub fn config_fates(&self) -> Fates {
        let users = self.config_users();
        let mut fates = Fates { faults: self.menu_faults(), ..Fates::default() };
        for file in self.known.setup.catalog().configs().all() {
            let say = |words: String| format!("cloud-configs/{}: {words}", file.path());
            match self.misnamed(file) {
                Some(words) => fates.faults.push(say(words)),
                None => fates.notes.push(say(self.fate(file, &users))),
            }
            // Those of listed nodes are told of with their nodes; what is nobody's need not be a configuration.
            let is_users = users.contains_key(&file.found.path.display().to_string());
            if !is_users && file.whose().is_some_and(|(whose, _)| self.is_somebodys(&whose)) {
                fates.faults.extend(static_fault(file).map(say));
            }
            fates.warnings.extend(template_warning(file).map(say));
        }
        fates
    }

    /// What somebody should know of them without asking.
    pub(super) fn config_warnings(&self) -> Vec<String> {
        let files = self.known.setup.catalog().configs().all().iter();
        let warnings = files.filter_map(|file| {
            let words = self.misnamed(file).or_else(|| template_warning(file))?;
            Some(format!("cloud-configs/{}: {words}", file.path()))
        });
        warnings.chain(self.menu_faults()).collect()
    }

    /// Which listed nodes have which file as their configuration.
    fn config_users(&self) -> BTreeMap<String, Vec<Mac>> {
        let mut users: BTreeMap<String, Vec<Mac>> = BTreeMap::new();
        for mac in self.known.settings().nodes.iter().filter_map(|node| node.macs.first()) {
            let wanted = self.known.wanted(*mac).0;
            let profile = self.known.setup.catalog().profiles().find(|profile| profile.name == wanted);
            let file = profile.and_then(|profile| self.renderer.config_of(*mac, profile, None));
            if let Some((file, _)) = file {
                users.entry(file.found.path.display().to_string()).or_default().push(*mac);
            }
        }
        users
    }

    /// Why a file's name is nearly right, or passed over for another one of the same folder.
    fn misnamed(&self, file: &ConfigFile) -> Option<String> {
        if let Some(meant) = file.name.meant() {
            return Some(format!("belongs to nobody by this name; was it meant to be {meant}? Rename it"));
        }
        let other = self.known.setup.catalog().configs().instead_of(file)?;
        let same = |file: &ConfigFile| file.found.path.parent().map(std::path::Path::to_owned);
        (same(file) == same(other))
            .then(|| format!("is passed over, because {} has the same meaning; remove one", other.path()))
    }

    /// Whether there is somebody of this name.
    fn is_somebodys(&self, whose: &Whose) -> bool {
        match whose {
            Whose::Machine(_) => true,
            Whose::Named(name) => {
                name == "default"
                    || self.known.settings().nodes.iter().any(|node| folded(&node.name) == *name)
                    || self.known.setup.catalog().profiles().any(|profile| folded(&profile.name) == *name)
            }
        }
    }

    fn fate(&self, file: &ConfigFile, users: &BTreeMap<String, Vec<Mac>>) -> String {
        let how = match (file.is_template, format_of(file)) {
            (true, _) => ", a template".to_owned(),
            (false, Some(format)) => format!(" ({}), as it is", profiles::format_words(&format)),
            (false, None) => ", as it is".to_owned(),
        };
        if let Some(other) = self.known.setup.catalog().configs().instead_of(file) {
            return format!("is passed over, because {} comes first", other.found.path.display());
        }
        let Some((whose, kind)) = file.whose() else {
            return match file.served().as_deref() {
                Some([name]) if name == "install.sh" => {
                    format!("the install script, in place of the built-in one{how}")
                }
                _ => {
                    format!("is no node's configuration; given to nodes that may install and ask for it{how}")
                }
            };
        };
        if let Some(users) = users.get(&file.found.path.display().to_string()) {
            let names: Vec<String> =
                users.iter().take(MOST_NAMES).map(|mac| self.known.label(*mac)).collect();
            let more = users.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return format!("the configuration of {}{more}{how}", names.join(", "));
        }
        self.unused(&whose, kind, &how)
    }

    /// A configuration that no listed node has.
    fn unused(&self, whose: &Whose, kind: ConfigKind, how: &str) -> String {
        let node = match whose {
            Whose::Machine(mac) => self.known.settings().nodes.iter().find(|node| node.macs.contains(mac)),
            Whose::Named(name) => self.known.settings().nodes.iter().find(|node| folded(&node.name) == *name),
        };
        let profile = |name: &str| {
            self.known.setup.catalog().profiles().find(|profile| folded(&profile.name) == folded(name))
        };
        if let Some(node) = node {
            let wanted = node.macs.first().map_or("", |mac| self.known.wanted(*mac).0);
            let takes = profile(wanted).map(|profile| profile.configs.contains(&kind));
            return match takes {
                Some(false) => {
                    format!("is not used: {} installs {wanted}, which takes no {}", node.name, kind.name())
                }
                _ => format!("is not used: {} has another configuration that comes first", node.name),
            };
        }
        match whose {
            Whose::Machine(mac) => format!("the configuration of {mac}, which no [[node]] names{how}"),
            Whose::Named(name) if name == "default" || profile(name).is_some() => {
                format!("for machines without a configuration of their own{how}")
            }
            Whose::Named(name) => format!(
                "belongs to nobody: no node and no profile is called {name}; given to nodes that may install and ask \
                 for it{how}"
            ),
        }
    }
}

fn format_of(file: &ConfigFile) -> Option<String> {
    match &file.found.content {
        Content::Large(checked) => checked.clone().ok().flatten(),
        Content::Text(text) => templates::check(file.whose()?.1, text).ok()?.format,
        _ => None,
    }
}

/// What is wrong with a file, whichever node it is for.
fn static_fault(file: &ConfigFile) -> Option<String> {
    let (_, kind) = file.whose()?;
    match &file.found.content {
        Content::Text(_) if file.is_template => None,
        // The hint below says more.
        Content::Text(_) if file.looks_like_template().is_some() => None,
        Content::Text(text) => templates::check(kind, text).err().map(|error| error.to_string()),
        Content::Large(checked) => checked.clone().err(),
        Content::Unread | Content::Bytes(_) | Content::NotText(_) => file.found.no_text(),
    }
}

fn template_warning(file: &ConfigFile) -> Option<String> {
    let line = file.looks_like_template()?;
    Some(format!(
        "line {line} looks like a template's, and the file is given as it is; if it is meant to be one, call it {}.j2",
        file.found.own_name()
    ))
}
