//! What a path means, and who may have it: the list of all that is served. What is not on it is not there, whatever
//! lies on the disk.

use crate::{
    assets::{
        catalog::Catalog,
        folder::{Found, is_reserved, key},
        version::{File, FileSet, Version},
    },
    ids::folded,
    profiles::Role,
};

/// What is meant where a path does not say it.
#[derive(Debug, Clone, Copy)]
pub struct Standard<'a> {
    /// Name of the profile that the node installs.
    pub profile: &'a str,
    /// The version, or `current`.
    pub version: &'a str,
    /// The processor, if it matters.
    pub arch: Option<&'a str>,
}

impl Standard<'_> {
    /// A version's files, those for the processor that matters first.
    fn sets<'v>(&self, version: &'v Version) -> impl Iterator<Item = &'v FileSet> {
        let own = self.arch.and_then(|arch| version.set(arch));
        own.into_iter()
            .chain(version.sets.iter().filter(move |set| own.is_none_or(|own| own.arch != set.arch)))
    }
}

/// Who may have a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: it is no secret, and can do no harm.
    Open,
    /// A node that may install.
    Granted,
    /// A node that may install, and by taking it begins to: a disk can be overwritten with it.
    Spends,
}

/// A file that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Located<'c> {
    /// The file that a path leads to.
    pub found: &'c Found,
    /// Who may have it.
    pub access: Access,
    /// What it is for; none for what belongs to no version, or comes beside one.
    pub role: Option<FileRole>,
    /// The version that it is of.
    pub version: Option<&'c Version>,
    /// The version's files for one processor, among which it is.
    pub set: Option<&'c FileSet>,
    /// As its version knows it.
    pub file: Option<&'c File>,
}

/// What a served file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRole {
    /// It lies with the boot loaders.
    Loader,
    /// It is a version's.
    Of(Role),
}

impl<'c> Located<'c> {
    fn open(found: &'c Found, role: Option<FileRole>) -> Located<'c> {
        Located { found, access: Access::Open, role, version: None, set: None, file: None }
    }

    fn of(file: &'c File, version: &'c Version, set: &'c FileSet) -> Located<'c> {
        let access = match file.role {
            Role::Image => Access::Spends,
            Role::Kernel | Role::Initrd | Role::Rootfs => Access::Open,
        };
        Located {
            access,
            version: Some(version),
            set: Some(set),
            file: Some(file),
            ..Located::open(&file.found, Some(FileRole::Of(file.role)))
        }
    }
}

impl Catalog {
    /// The file that a client means by `path`, if there is one that is served: one of a version (`PROFILE/VERSION/FILE`,
    /// `VERSION/FILE`, `PROFILE/current/FILE`, `current/FILE`, `FILE`, where `standard` says what is left out); a boot
    /// loader; one below `files/`; or one that belongs to somebody's own pxelinux menus.
    pub fn locate<'c>(&'c self, path: &[String], standard: Standard<'_>) -> Option<Located<'c>> {
        // A hidden file is nobody's, and a name that Windows can't have is none.
        key(path)?;
        self.with_loaders(path, standard)
            .or_else(|| self.of_version(path, standard))
            .or_else(|| self.loader(path).map(|found| Located::open(found, Some(FileRole::Loader))))
            .or_else(|| self.shared(path).map(|found| Located::open(found, None)))
            .or_else(|| self.of_menu(path))
    }

    /// A file of somebody's own menus.
    fn of_menu(&self, path: &[String]) -> Option<Located<'_>> {
        let found = self.menus().has(path).then(|| self.file(path)).flatten()?;
        Some(Located { access: Access::Granted, ..Located::open(found, None) })
    }

    /// A file of the standard version that lies with the loaders.
    fn with_loaders<'c>(&'c self, path: &[String], standard: Standard<'_>) -> Option<Located<'c>> {
        let version = self.chosen(standard.profile, standard.version).ok()?;
        standard.sets(version).find_map(|set| {
            let file = set.files.iter().find(|file| file.with_loaders && file.found.is_called(path))?;
            Some(Located::of(file, version, set))
        })
    }

    /// The version that a path names, and the rest of it.
    fn version_in<'c, 'p>(
        &'c self,
        path: &'p [String],
        standard: Standard<'_>,
    ) -> Option<(&'c Version, &'p [String])> {
        if path.len() > 1 && is_reserved(&path[0]) {
            return None;
        }
        let (profile, version, file) = match path {
            [_] => (standard.profile, standard.version, path),
            [first, version, file @ ..] if !file.is_empty() => match self.profile(first) {
                Some(profile) => (profile.name.as_str(), version.as_str(), file),
                None => (standard.profile, first.as_str(), &path[1..]),
            },
            [version, file @ ..] => (standard.profile, version.as_str(), file),
            [] => return None,
        };
        let is_standard = folded(profile) == folded(standard.profile) && folded(version) == "current";
        let version = self.chosen(profile, if is_standard { standard.version } else { version }).ok()?;
        Some((version, file))
    }

    /// What `version.txt` says of a version that has none: installers ask `current/version.txt` for a version's name.
    pub fn version_text(&self, path: &[String], standard: Standard<'_>) -> Option<String> {
        key(path)?;
        let (version, file) = self.version_in(path, standard).filter(|_| path.len() > 1)?;
        let is_meant = matches!(file, [file] if folded(file) == "version.txt");
        let key = version.profile.version_key.as_ref().filter(|_| is_meant)?;
        Some(format!("{key}={}\n", version.name))
    }

    fn of_version<'c>(&'c self, path: &[String], standard: Standard<'_>) -> Option<Located<'c>> {
        let (version, file) = self.version_in(path, standard)?;
        standard.sets(version).find_map(|set| {
            // URLs name an architecture's folder, or leave it out.
            let names = [set.base.as_slice(), set.version_folder(&version.profile)];
            let names = names.map(|folder| [folder, file].concat());
            let is_meant = |found: &Found| names.iter().any(|name| found.is_called(name));
            if let Some(own) =
                set.all_files().filter(|own| !own.with_loaders).find(|own| is_meant(&own.found))
            {
                return Some(Located::of(own, version, set));
            }
            let mut beside = set.companions.iter().chain(&set.version_file);
            let found = beside.find(|found| is_meant(found));
            let found = found.or_else(|| names.iter().find_map(|name| signature_of(set, name)))?;
            Some(Located { version: Some(version), set: Some(set), ..Located::open(found, None) })
        })
    }

    /// A file in the folder that people serve openly.
    fn shared(&self, path: &[String]) -> Option<&Found> {
        let [first, _, ..] = path else { return None };
        (folded(first) == "files").then(|| self.file(path)).flatten()
    }
}

/// The signature that `FILE.sig` means, under whichever name it lies here: installers ask for it by this one.
fn signature_of<'c>(set: &'c FileSet, name: &[String]) -> Option<&'c Found> {
    let (last, folders) = name.split_last()?;
    let signed = folded(last).strip_suffix(".sig").map(str::to_owned)?;
    let signed = [folders, &[signed]].concat();
    set.all_files().find(|file| file.found.is_called(&signed))?.proof.signature.as_ref()
}

#[cfg(test)]
mod tests;
