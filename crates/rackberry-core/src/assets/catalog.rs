//! What the asset folders hold, as the last scan found it.

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path, sync::Arc};

use crate::{
    assets::{
        authentic::ProofFindings,
        configs::{self, ConfigFile, Configs, Whose},
        folder::{Base, Content, Folder, Found, Name, is_reserved, key, value_of},
        keys::Keys,
        menus::{self, Menus},
        misplaced,
        version::{FileSet, NotReady, Version},
    },
    ids::{Mac, folded},
    profiles::{self, ConfigKind, Profile},
};

/// Everything that can be served.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    folders: Arc<[Folder]>,
    loaders: Arc<Folder>,
    profiles: BTreeMap<String, Arc<Profile>>,
    pub(super) versions: Arc<[Version]>,
    configs: Arc<Configs>,
    menus: Arc<Menus>,
    pub(super) keys: Arc<Keys>,
    pub(super) findings: Arc<ProofFindings>,
    faults: Vec<String>,
}

impl Catalog {
    /// A catalog of these folders, the first of which counts most. Beside the built-in profiles it knows those in
    /// `profiles/NAME/profile.toml`. Keys that `last` has read are not read again.
    pub fn new(folders: Vec<Folder>, loaders: Folder, last: Option<&Catalog>) -> Catalog {
        let built_in = profiles::built_in().iter();
        let profiles = built_in.map(|profile| (profile.name.clone(), profile.clone())).collect();
        let (folders, loaders) = (folders.into(), Arc::new(loaders));
        let mut catalog = Catalog { folders, loaders, profiles, ..Catalog::default() };
        catalog.read_profiles();
        catalog.configs = Arc::new(Configs::new(
            catalog.folders.iter().map(|folder| folder.below(&[configs::FOLDER]).collect()),
        ));
        catalog.menus = Arc::new(catalog.read_menus());
        let own = catalog.key_files();
        let known = last.filter(|last| last.keys.id() == Keys::id_of(&own));
        catalog.keys = known.map_or_else(|| Arc::new(Keys::new(own)), |last| last.keys.clone());
        catalog.findings = last.map(|last| last.findings.clone()).unwrap_or_default();
        catalog.versions =
            catalog.profiles.values().flat_map(|profile| catalog.versions_of(profile)).collect();
        for folder in catalog.folders.iter() {
            let profiles = catalog.profiles.values().map(|profile| &**profile);
            catalog.faults.extend(misplaced::faults(folder, profiles, &catalog.versions));
        }
        catalog
    }

    fn read_menus(&self) -> Menus {
        let modules: Vec<&Found> =
            self.files().filter(|found| folded(found.own_name()).ends_with(".c32")).collect();
        Menus::new(&self.below(&[menus::FOLDER]), &modules, |path| self.file(path))
    }

    /// Profiles of the user's own, which take a built-in one's place.
    fn read_profiles(&mut self) {
        let mut own: BTreeMap<String, Result<Profile, String>> = BTreeMap::new();
        for folder in self.folders.iter().rev() {
            for found in folder.below(&["profiles"]) {
                let [_, name, file] = found.name.as_slice() else { continue };
                if folded(file) != "profile.toml" {
                    continue;
                }
                if is_reserved(name) {
                    let fault = format!("{}: {name} can't be a profile's name", found.path.display());
                    own.insert(name.clone(), Err(fault));
                    continue;
                }
                let read = found.text().ok_or_else(|| found.no_text().unwrap_or_default());
                let read = read.and_then(|text| {
                    profiles::parse(name, text, &folder.beside(&found.name))
                        .map_err(|error| error.to_string())
                });
                own.insert(name.clone(), read.map_err(|error| format!("{}: {error}", found.path.display())));
            }
        }
        for (name, read) in own {
            match read {
                Ok(profile) => drop(self.profiles.insert(folded(&name), Arc::new(profile))),
                Err(fault) => self.faults.push(fault),
            }
        }
    }

    /// Every version of a profile of which at least one file is there.
    fn versions_of(&self, profile: &Arc<Profile>) -> Vec<Version> {
        let mut versions: BTreeMap<String, Version> = BTreeMap::new();
        for folder in self.folders.iter() {
            for (key, Base { version: name, base }) in folder.versions_of(profile) {
                let version = versions.entry(key).or_insert_with(|| Version {
                    profile: profile.clone(),
                    name: name.clone(),
                    sets: Vec::new(),
                });
                let sets = profile
                    .arches
                    .iter()
                    .filter_map(|arch| FileSet::gather(profile, arch, &name, (folder, &base), &self.loaders));
                sets.for_each(|set| version.offer(set));
            }
        }
        versions.into_values().filter(|version| !version.sets.is_empty()).collect()
    }

    /// What was found in a folder, be it one of assets or that of the loaders.
    pub fn folder(&self, path: &Path) -> Option<&Folder> {
        self.folders.iter().chain([&*self.loaders]).find(|folder| folder.path == path)
    }

    /// The folders that were looked at.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(|folder| folder.path.as_path())
    }

    /// Everything but loaders that a scan found.
    pub fn files(&self) -> impl Iterator<Item = &Found> {
        self.folders.iter().flat_map(Folder::all)
    }

    /// A boot loader's file: somebody's own, in the folder `loaders/` of an asset folder, or the one that is there.
    pub fn loader(&self, name: &[String]) -> Option<&Found> {
        self.own_loader(name).or_else(|| self.loaders.get(name))
    }

    /// Whether nothing came with rackberry, and nobody has a boot loader of their own.
    pub fn has_no_loaders(&self) -> bool {
        self.loaders.all().next().is_none() && !self.has_own_loaders(&[])
    }

    /// Somebody's own boot loader, which takes the place of the one that is there.
    pub fn own_loader(&self, name: &[String]) -> Option<&Found> {
        let name = [&["loaders".to_owned()], name].concat();
        self.folders.iter().find_map(|folder| folder.get(&name))
    }

    /// Whether somebody has boot loaders of their own in this folder.
    pub fn has_own_loaders(&self, folder: &[String]) -> bool {
        let name = [&["loaders".to_owned()], folder].concat();
        self.folders.iter().any(|own| own.below(&name).next().is_some())
    }

    /// A file by its path below an asset folder.
    pub fn file(&self, name: &[impl AsRef<str>]) -> Option<&Found> {
        self.folders.iter().find_map(|folder| folder.get(name))
    }

    /// The files in a folder of every asset folder; of several of one name, the first asset folder's.
    pub fn below(&self, base: &[&str]) -> Vec<&Found> {
        let mut files: BTreeMap<Name, &Found> = BTreeMap::new();
        for found in self.folders.iter().rev().flat_map(|folder| folder.below(base)) {
            files.insert(key(&found.name).unwrap_or_default(), found);
        }
        files.into_values().collect()
    }

    /// What is wrong with folders, profiles and keys, a sentence each.
    pub fn faults(&self) -> impl Iterator<Item = &String> {
        let folders = self.folders.iter().flat_map(Folder::faults);
        self.faults.iter().chain(self.keys.faults()).chain(folders)
    }

    /// Whether this and another catalog say the same.
    pub fn is_same(&self, other: &Catalog) -> bool {
        (&self.folders, &self.loaders) == (&other.folders, &other.loaders)
            && Arc::ptr_eq(&self.findings, &other.findings)
    }

    /// Every profile, built in or of the asset folders.
    pub fn profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// The profile of this name, as names in paths compare.
    pub fn profile(&self, name: &str) -> Option<&Arc<Profile>> {
        self.profiles.get(&folded(name))
    }

    /// Every version of every profile.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// One version, complete or not.
    pub fn version(&self, profile: &str, name: &str) -> Option<&Version> {
        let is_meant = |version: &&Version| {
            folded(&version.profile.name) == folded(profile) && folded(&version.name) == folded(name)
        };
        self.versions.iter().find(is_meant)
    }

    /// The version to install, complete on one processor at least, with `current` resolved.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing.
    pub fn ready(&self, profile: &str, version: &str) -> Result<&Version, NotReady> {
        let version = self.chosen(profile, version)?;
        match version.sets.iter().find(|set| !set.is_complete()) {
            Some(set) if version.sets.iter().all(|set| !set.is_complete()) => {
                Err(NotReady::incomplete(version, set))
            }
            _ => Ok(version),
        }
    }

    /// The files to install on a machine with this processor, all of them.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing.
    pub fn ready_for(
        &self,
        profile: &str,
        version: &str,
        arch: &str,
    ) -> Result<(&Version, &FileSet), NotReady> {
        let version = self.chosen(profile, version)?;
        match version.set(arch) {
            Some(set) if set.is_complete() => Ok((version, set)),
            Some(set) => Err(NotReady::incomplete(version, set)),
            None => Err(NotReady::Arch {
                profile: profile.to_owned(),
                version: version.name.clone(),
                arch: arch.to_owned(),
            }),
        }
    }

    pub(super) fn chosen(&self, profile: &str, version: &str) -> Result<&Version, NotReady> {
        let known = self.profile(profile).ok_or_else(|| NotReady::UnknownProfile {
            profile: profile.to_owned(),
            known: self.profiles.values().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        let name = if folded(version) == "current" { self.current(known)? } else { version.to_owned() };
        self.version(&known.name, &name).ok_or_else(|| NotReady::Absent {
            profile: profile.to_owned(),
            version: name,
            dirs: self.dirs(),
        })
    }

    /// What `current` means: as the text file or the link of that name says, or the only version that is there.
    pub(super) fn current(&self, profile: &Profile) -> Result<String, NotReady> {
        let text = |name: &[&str]| Some(&**self.file(name)?.text()?);
        // Windows hides the extension that its editor appends.
        let word = |above: &[&str]| {
            ["current", "current.txt"].into_iter().find_map(|name| text(&[above, &[name]].concat()))
        };
        let flat = || word(&[]).filter(|_| profile.flat);
        let named = word(&[&profile.name]).or_else(flat).map(str::trim);
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            return Ok(name.to_owned());
        }
        if let Some(key) = &profile.version_key {
            let flat: &[&str] = &["current", "version.txt"];
            for place in [[profile.name.as_str(), "current", "version.txt"].as_slice(), flat] {
                if place.len() == 2 && !profile.flat {
                    continue;
                }
                if let Some(name) = text(place).and_then(|text| value_of(text, key)) {
                    return Ok(name);
                }
            }
        }
        let versions: Vec<&str> = self
            .versions
            .iter()
            .filter(|version| version.profile.name == profile.name)
            .map(|version| version.name.as_str())
            .collect();
        match versions.as_slice() {
            [] => Err(NotReady::NoVersion { profile: profile.name.clone(), dirs: self.dirs() }),
            [only] => Ok((*only).to_owned()),
            several => {
                Err(NotReady::NoCurrent { profile: profile.name.clone(), versions: several.join(", ") })
            }
        }
    }

    /// A node's own configuration file of one of these kinds: by any spelling of its addresses, then by its name, then
    /// its profile's, then everybody's.
    pub fn node_config(
        &self,
        macs: &[Mac],
        name: Option<&str>,
        profile: &str,
        kinds: &[ConfigKind],
    ) -> Option<(&ConfigFile, ConfigKind)> {
        let named =
            [name, Some(profile), Some("default")].into_iter().flatten().map(folded).map(Whose::Named);
        let mut whose = macs.iter().copied().map(Whose::Machine).chain(named);
        whose.find_map(|whose| {
            let mut files = kinds.iter().filter_map(|kind| Some((self.configs.of(&whose, *kind)?, *kind)));
            files.next()
        })
    }

    /// The files in cloud-configs/.
    pub fn configs(&self) -> &Arc<Configs> {
        &self.configs
    }

    /// The files in keys/, by their paths there; of several, the first asset folder's counts.
    fn key_files(&self) -> BTreeMap<String, Arc<[u8]>> {
        let files = self.below(&["keys"]).into_iter().filter_map(|found| match &found.content {
            Content::Bytes(bytes) => Some((found.name[1..].join("/"), bytes.clone())),
            Content::Text(text) => Some((found.name[1..].join("/"), Arc::from(text.as_bytes()))),
            _ => None,
        });
        files.collect()
    }

    /// The keys whose signatures count.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// The same, with what was found of the files.
    pub fn with_findings(&self, findings: Arc<ProofFindings>) -> Catalog {
        Catalog { findings, ..self.clone() }
    }

    /// The user's own pxelinux menu for a node: its own, then the default.
    pub fn pxelinux_menu(&self, mac: Mac) -> Option<&Found> {
        self.pxelinux_menu_at(mac, None)
    }

    /// The same, for a node with this address: in pxelinux's order.
    pub fn pxelinux_menu_at(&self, mac: Mac, address: Option<Ipv4Addr>) -> Option<&Found> {
        let hex = address.map(|address| format!("{:08X}", u32::from(address))).unwrap_or_default();
        let prefixes = (1..=hex.len()).rev().map(|len| hex[..len].to_owned());
        let mut names = [mac.bootif()].into_iter().chain(prefixes).chain(["default".to_owned()]);
        names.find_map(|name| self.file(&[menus::FOLDER, &name]))
    }

    /// The files of those menus outside of their folder, less those of versions.
    pub fn menu_files(&self) -> Vec<&Found> {
        let of_versions: Vec<&[String]> =
            self.versions.iter().flat_map(|version| &version.sets).map(|set| set.base.as_slice()).collect();
        let is_own = |found: &&Found| {
            self.menus.has(&found.name)
                && found.name.first().is_some_and(|top| !is_reserved(top))
                && !of_versions.iter().any(|base| found.name.starts_with(base))
        };
        self.files().filter(is_own).collect()
    }

    /// The user's own pxelinux menus, and what they name.
    pub fn menus(&self) -> &Menus {
        &self.menus
    }

    fn dirs(&self) -> String {
        let dirs: Vec<String> = self.folders.iter().map(|folder| folder.path.display().to_string()).collect();
        dirs.join(" or ")
    }
}
