//! Operating systems, as data: which files each needs, what vouches for them, how its kernel is started and its
//! installer driven. A profile is a folder with a `profile.toml` and templates; `profiles/` has the built-in
//! ones, and asset folders may have more.

mod built_in;
mod file;
mod format;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use built_in::{NAMES, SHARED_SCRIPT, built_in, part};
pub use file::{ProfileError, parse};
use format::is_since;
pub use format::{FormatError, format_words};

/// One operating system family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name in configuration, URLs and asset folders.
    pub name: String,
    /// Whether it came with rackberry; not one that somebody here wrote, of which nobody knows what its script writes.
    pub is_built_in: bool,
    /// Its name for people.
    pub title: String,
    /// The kinds of node configuration that its installer takes; the first that is there counts. Empty where it
    /// takes none.
    pub configs: Vec<ConfigKind>,
    /// The key of the version's name in `version.txt`.
    pub version_key: Option<String>,
    /// Whether a folder VERSION/ at the top of an asset folder that holds its files is one of its versions.
    pub flat: bool,
    /// Primary keys whose signatures count: fingerprints, 40 (or 64) upper-case hexadecimal digits.
    pub fingerprints: Vec<String>,
    /// The processors it runs on; at least one.
    pub arches: Vec<Architecture>,
    /// Its files.
    pub files: Vec<FileSpec>,
    /// Where its files come from.
    pub mirror: Option<Mirror>,
    /// Template of the kernel's arguments for an unattended install.
    pub start_install: String,
    /// Template of the kernel's arguments for a start that leaves the machine to a person.
    pub start_live: String,
    /// The template that is its install script.
    pub script: Option<String>,
    /// Template of the command in that script that writes the disk.
    pub command: String,
    /// What its installer itself checks of the image; none where it checks nothing.
    pub check: Option<InstallerCheck>,
    /// Formats of configurations that not every version of it takes, with the first version that does each; none where
    /// nothing is known of that.
    pub formats: Option<BTreeMap<String, String>>,
    /// The longest silence that is normal while its installer writes the disk.
    pub silence: Duration,
    /// Its other templates, by the name that URLs know them by.
    pub templates: BTreeMap<String, Arc<str>>,
}

/// What an installer checks of the image that it writes, by itself, whatever the appliance has found. Most of them
/// find out only when the disk is overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallerCheck {
    /// Which keys its signature may be by.
    pub keys: InstallerKeys,
    /// Whether it can be told to go on where there is no signature. A signature that is there must be good even then.
    pub forgives_missing: bool,
}

/// Which keys an installer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstallerKeys {
    /// Those that are built into it, which the profile pins.
    BuiltIn,
    /// Those that it is handed: the file `$keys` of the install script.
    Handed,
}

/// What it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// `x86_64` or `aarch64`.
    pub name: String,
    /// The folder below a version's own where its files are, if not that itself.
    pub folder: Option<String>,
    /// URL of the mirror that has them.
    pub mirror: Option<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// What it is for.
    pub role: Role,
    /// The names it may have: the first that is there counts. `{version}` and `{arch}` stand for what they say,
    /// `*` for anything.
    pub names: Vec<String>,
    /// The names that its signature may have.
    pub signatures: Vec<String>,
    /// Names of files that its installer can be told to take in its place.
    pub variants: Vec<String>,
    /// Whether a version can do without it.
    pub optional: bool,
    /// Whether it comes with the boot loaders.
    pub with_loaders: bool,
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The folder of a version's files below the architecture's URL.
    pub files: String,
    /// The file that says which version is current, below the architecture's URL.
    pub current: String,
    /// How to find it there.
    pub find: FindCurrent,
}

/// How a mirror's file says which version is current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindCurrent {
    /// A line `KEY=VERSION`.
    Key(String),
    /// A JSON pointer (RFC 6901).
    Pointer(String),
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The kernel.
    Kernel,
    /// The initrd.
    Initrd,
    /// The live system's root file system.
    Rootfs,
    /// The image that goes onto the disk.
    Image,
}

impl Role {
    /// Its name in profiles and templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Rootfs => "rootfs",
            Self::Image => "image",
        }
    }
}

/// A kind of node configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigKind {
    /// `#cloud-config`, YAML.
    CloudConfig,
    /// Ignition, JSON.
    Ignition,
    /// Answers for Debian's installer.
    Preseed,
}

impl ConfigKind {
    /// Its name in profiles and templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudConfig => "cloud-config",
            Self::Ignition => "ignition",
            Self::Preseed => "preseed",
        }
    }

    /// The kind whose files' names end in this.
    pub fn of_extension(extension: &str) -> Option<ConfigKind> {
        let kinds = [ConfigKind::CloudConfig, ConfigKind::Ignition, ConfigKind::Preseed];
        kinds.into_iter().find(|kind| kind.extensions().contains(&extension))
    }

    /// What its files' names end in.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::CloudConfig => &["yml", "yaml"],
            Self::Ignition => &["ign", "json"],
            Self::Preseed => &["preseed", "cfg"],
        }
    }
}

/// What names of signatures end in.
pub const SIGNATURES: [&str; 4] = ["sig", "asc", "gpg", "sign"];

impl Profile {
    /// The program that writes the disk: its command's first word.
    pub fn installer(&self) -> &str {
        self.command.split_whitespace().next().unwrap_or("its installer")
    }

    /// Whether a version takes a configuration of this format.
    ///
    /// # Errors
    /// [`FormatError`] says why not, with those that it takes.
    pub fn takes(&self, format: &str, version: &str) -> Result<(), FormatError> {
        let Some(formats) = &self.formats else { return Ok(()) };
        let since = formats.get(format);
        if since.is_some_and(|first| is_since(version, first)) {
            return Ok(());
        }
        let taken = formats.iter().filter(|(_, first)| is_since(version, first));
        let taken: Vec<String> = taken.map(|(format, _)| format_words(format)).collect();
        Err(FormatError {
            format: format_words(format),
            profile: self.name.clone(),
            version: version.to_owned(),
            since: since.cloned(),
            taken,
        })
    }

    /// Whether its installer is handed keys.
    pub fn hands_keys(&self) -> bool {
        self.check.is_some_and(|check| check.keys == InstallerKeys::Handed)
    }

    /// What it needs on this processor, if it runs there.
    pub fn arch(&self, name: &str) -> Option<&Architecture> {
        self.arches.iter().find(|arch| arch.name == name)
    }
}

impl FileSpec {
    /// The names it may have in this version for this processor.
    pub fn names(&self, version: &str, arch: &str) -> impl Iterator<Item = String> {
        self.names.iter().map(move |name| fill(name, version, arch))
    }

    /// The names of what may take its place.
    pub fn variants(&self, version: &str, arch: &str) -> impl Iterator<Item = String> {
        self.variants.iter().map(move |name| fill(name, version, arch))
    }

    /// The names that the signature of its file called `name` may have.
    pub fn signatures(&self, name: &str, version: &str, arch: &str) -> Vec<String> {
        let own = self.signatures.iter().map(|name| fill(name, version, arch));
        let usual = SIGNATURES.iter().map(|extension| format!("{name}.{extension}"));
        let mut names: Vec<String> = own.collect();
        names.extend(usual.filter(|name| !self.signatures.contains(name)));
        names
    }
}

fn fill(name: &str, version: &str, arch: &str) -> String {
    name.replace("{version}", version).replace("{arch}", arch)
}

/// Whether a name is what a pattern with `*` means. Every `*` takes any characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inside = name.strip_prefix(start).and_then(|name| name.strip_suffix(end));
    let Some(mut inside) = inside else { return false };
    // A part's first place leaves most to those after it, so that no other place has to be tried.
    middle.split('*').all(|part| match inside.split_once(part) {
        Some((_, rest)) => {
            inside = rest;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_takes_the_formats_of_its_time() {
        let profile = |name: &str| built_in().iter().find(|profile| profile.name == name).unwrap();
        for (name, version, format, takes) in [
            ("fedora-coreos", "44.20261101.3.0", "ignition-3.4", true),
            ("fedora-coreos", "44.20261101.3.0", "ignition-2.3", false),
            ("fedora-coreos", "44.20261101.3.0", "ignition-1", false),
            ("fedora-coreos", "37.20230110.3.1", "ignition-3.4", false),
            ("fedora-coreos", "38.20230322.1.0", "ignition-3.4", true),
            ("flatcar", "2905.2.5", "ignition-3.0", false),
            ("flatcar", "2905.2.5", "ignition-2.3", true),
            ("flatcar", "3185.0.0", "ignition-3.3", true),
            ("flatcar", "3227.2.0", "ignition-3.6", false),
            ("flatcar", "4230.2.0", "ignition-3.5", true),
            ("flatcar", "4230.2.0", "ignition-1", true),
            ("flatcar", "4230.2.0", "mime", true),
            ("flatcar", "3510.2.0", "mime", false),
            ("coreos", "1010.5.0", "ignition-2.0", true),
            ("coreos", "1010.5.0", "ignition-2.1", false),
            ("coreos", "2512.3.0", "ignition-2.4", true),
            ("coreos", "2512.3.0", "ignition-3.0", false),
            ("coreos", "1010.5.0", "mime", false),
            ("coreos", "alpha", "ignition-2.4", true),
            ("fedora-coreos", "44.1", "ignition-3.4", true),
            ("raw", "1", "ignition-9", true),
        ] {
            let said = profile(name).takes(format, version);
            assert_eq!(said.is_ok(), takes, "{name} {version} {format}: {said:?}");
        }
        let said = profile("flatcar").takes("ignition-3.0", "2905.2.5").unwrap_err().to_string();
        assert!(
            said.contains("which flatcar 2905.2.5 does not take (the first that does is 3185)"),
            "{said}"
        );
        assert!(said.contains("it takes Ignition 1, Ignition 2.0, "), "{said}");
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, is) in [
            ("a.img", "a.img", true),
            ("a.img", "b.img", false),
            ("*.img", "b.img", true),
            ("*.img", "b.img.xz", false),
            ("*.img*", "b.img.xz", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXc", false),
            ("a*ab", "ab", false),
            ("*a*b*", "xbxaxb", true),
            ("*a*b*", "xbxax", false),
            ("*ab*ba*", "aba", false),
            // As many stars as somebody likes.
            (&"*a".repeat(1000), &"a".repeat(999), false),
            ("*", "", true),
            ("*é*", "xéy", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }
}
