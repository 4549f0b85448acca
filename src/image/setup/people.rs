//! What people put onto the card, under the names that it has then: Windows hides the ends of names and adds its own, so
//! that who writes `rackberry.toml` gets `rackberry.toml.txt`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use super::{super::Root, keys};

/// What the configuration is called on the card.
pub const CONFIG: &str = "rackberry.toml";
const CONFIG_TXT: &str = "rackberry.toml.txt";
const KEYS: &str = "authorized_keys";
const KEYS_TXT: &str = "authorized_keys.txt";
/// The longest file of the card that is read.
const LONGEST: u64 = 1 << 20;

/// The configuration on the card.
#[derive(Debug)]
pub struct Config {
    /// What the file is called on the card.
    pub name: &'static str,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
    /// What is to be said of files that are not read.
    pub faults: Vec<String>,
}

/// Reads the configuration. One with Windows' ending is taken if the other is not there, or says nothing: that is how the
/// image brings it.
pub fn config(root: &Root) -> Config {
    let own = read_config(root, CONFIG);
    let mut faults = Vec::new();
    if root.card(CONFIG_TXT).exists() {
        if !root.card(CONFIG).exists() || own.as_ref().is_ok_and(|text| says_nothing(text)) {
            return Config { name: CONFIG_TXT, text: read_config(root, CONFIG_TXT), faults };
        }
        faults.push(format!(
            "{CONFIG_TXT}: is not read, because {CONFIG} is there too; delete one of them, and let the other be called \
             {CONFIG} (Windows shows the ends of names if its Explorer is told so: View, Show, File name extensions)"
        ));
    }
    Config { name: CONFIG, text: own, faults }
}

fn read_config(root: &Root, name: &'static str) -> Result<String, String> {
    crate::storage::configuration::read(&root.card(name)).map_err(|mut fault| {
        fault.file = name.into();
        if !root.card(name).exists() {
            fault.help = "put one onto the card; the image brings one with every key and its default".into();
        }
        fault.render(rackberry_core::config::Ink::Plain)
    })
}

/// Whether a configuration has comments and titles of tables only. An empty one was cut off, and says that.
fn says_nothing(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| line.starts_with('#') || line.starts_with('['))
}

/// The keys of people who may log in, of both files, and what is wrong with those.
pub fn keys(root: &Root) -> (String, Vec<String>) {
    let (mut good, mut faults) = (String::new(), Vec::new());
    let has_txt = root.card(KEYS_TXT).exists();
    for name in [KEYS, KEYS_TXT] {
        match read(&root.card(name)) {
            Ok(text) => {
                let (more, wrong) = keys::keys(name, &text);
                good += &more;
                faults.extend(wrong);
            }
            // One is enough.
            Err(error) if error.kind() == io::ErrorKind::NotFound && (name == KEYS_TXT || has_txt) => {}
            Err(error) => faults.push(format!("{name}: can't be read: {error}")),
        }
    }
    (good, faults)
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4xYh3dTqBVY4nLBlvMNBNfhY8rJ2sTfCjO2bRmZ0Kq a";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4xYh3dTqBVY4nLBlvMNBNfhY8rJ2sTfCjO2bRmZ0Kr b";

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root(folder.path().to_owned());
        fs::create_dir(root.card("")).unwrap();
        for (name, text) in files {
            fs::write(root.card(name), text).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn windows_name_for_the_configuration_is_taken_beside_one_that_says_nothing() {
        let brought = include_str!("../../../docs/rackberry.toml").replace('\n', "\r\n");
        let own = "[system]\nhostname = 'rack7'\n";
        for (files, name, is_told) in [
            (&[(CONFIG, own)][..], CONFIG, false),
            (&[(CONFIG_TXT, own)], CONFIG_TXT, false),
            (&[(CONFIG, &brought), (CONFIG_TXT, own)], CONFIG_TXT, false),
            (&[(CONFIG, own), (CONFIG_TXT, "[dhcp]\nlease = '1h'\n")], CONFIG, true),
        ] {
            let (_folder, root) = root(files);
            let config = config(&root);
            assert_eq!(
                (config.name, config.text.as_deref(), config.faults.len()),
                (name, Ok(own), is_told.into())
            );
        }
        // One that was cut off is not one that says nothing.
        let (_folder, root) = root(&[(CONFIG, ""), (CONFIG_TXT, own)]);
        assert_eq!(config(&root).name, CONFIG);
    }

    #[test]
    fn keys_are_taken_from_both_files() {
        for (files, good, told) in [
            (&[(KEYS, KEY)][..], vec![KEY], ""),
            (&[(KEYS_TXT, KEY)], vec![KEY], ""),
            (&[(KEYS, "# none\r\n"), (KEYS_TXT, KEY)], vec![KEY], ""),
            (&[(KEYS, KEY), (KEYS_TXT, OTHER)], vec![KEY, OTHER], ""),
            (&[(KEYS, KEY), (KEYS_TXT, "hello")], vec![KEY], "authorized_keys.txt:1: "),
            (&[], vec![], "authorized_keys: can't be read: "),
        ] {
            let (_folder, root) = root(files);
            let (keys, faults) = keys(&root);
            assert_eq!(keys.lines().collect::<Vec<_>>(), good);
            assert!(
                faults.concat().starts_with(told) && faults.len() == usize::from(!told.is_empty()),
                "{faults:?}"
            );
        }
    }
}
