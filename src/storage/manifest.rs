//! The manifest of the boot loaders' folder: what each file is, and whether it is still that.

use std::{fs, io, path::Path};

use serde::Deserialize;

use release_signature::digest::{Algorithm, Digest, Digester};

/// Its name in the folder; `image/loaders/manifest` writes it.
pub const NAME: &str = "manifest.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    file: Vec<Entry>,
}

/// A file of the folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its path below the folder.
    name: String,
    /// The Debian package that it is from, or made from.
    package: String,
    /// That package's version.
    version: String,
    /// The licence, as the package's copyright file calls it. For people.
    #[serde(rename = "licence")]
    _licence: String,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
}

/// What is wrong with the files that the manifest names, a sentence each; none where the folder has no manifest,
/// because it is somebody's own.
pub fn faults(folder: &Path) -> Vec<String> {
    let path = folder.join(NAME);
    let fault = |why: String| vec![format!("{}: {why}", path.display())];
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return fault(format!("can't be read: {error}")),
    };
    match toml::from_str::<Manifest>(&text) {
        Ok(manifest) => manifest.file.iter().filter_map(|entry| examine(folder, entry).err()).collect(),
        Err(error) => fault(error.message().to_owned()),
    }
}

fn examine(folder: &Path, entry: &Entry) -> Result<(), String> {
    let path = folder.join(&entry.name);
    let Entry { name, package, version, sha256, .. } = entry;
    let wanted = Digest::from_hex(Algorithm::Sha256, sha256)
        .ok_or_else(|| format!("{}: {name} has no SHA-256", folder.join(NAME).display()))?;
    // Loaders, and an initrd of some 20 MB.
    let bytes = fs::read(&path).map_err(|error| format!("{}: can't be read: {error}", path.display()))?;
    if sha256_of(&bytes) == vec![wanted] {
        return Ok(());
    }
    Err(format!(
        "{}: is not the file of {package} {version} that the manifest has: damaged, or replaced. Your own loaders go \
         into a folder loaders/ of an asset folder",
        path.display()
    ))
}

fn sha256_of(bytes: &[u8]) -> Vec<Digest> {
    let mut digester = Digester::new([Algorithm::Sha256]);
    digester.update(bytes);
    digester.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_with_the_manifest() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(faults(dir.path()), [""; 0], "somebody's own folder");
        let entry = |name: &str, sum: &str| {
            format!(
                "[[file]]\nname = '{name}'\npackage = 'p'\nversion = '1'\nlicence = 'GPL-2+'\nsha256 = '{sum}'\n"
            )
        };
        let sum_of = |bytes: &[u8]| sha256_of(bytes)[0].hex();
        let text =
            entry("a", &sum_of(b"good")) + &entry("in/b", &sum_of(b"good")) + &entry("c", &sum_of(b"gone"));
        fs::write(dir.path().join(NAME), text).unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("a"), "good").unwrap();
        fs::write(dir.path().join("in/b"), "another").unwrap();
        let said = faults(dir.path());
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("in/b: is not the file of p 1 that the manifest has"), "{said:?}");
        assert!(said[1].contains("/c: can't be read"), "{said:?}");
        fs::write(dir.path().join(NAME), "[[file]]\nname = 1\n").unwrap();
        assert_eq!(faults(dir.path()).len(), 1);
    }
}
