//! Somebody's own pxelinux menus, and the files that they name: other menus, modules, kernels, pictures.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    assets::folder::{Found, Name, is_reserved, key},
    ids::folded,
};

/// The folder of the menus.
pub const FOLDER: &str = "pxelinux.cfg";
/// Menus that include each other are followed so far.
const MOST_MENUS: usize = 1_000;

/// A file that a menu names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The line, from 1.
    pub line: usize,
    /// The keyword, as menus write it.
    pub keyword: String,
    /// The file's path below the root of TFTP, or a URL.
    pub target: String,
    /// Whether it is a menu, too.
    pub is_menu: bool,
}

/// What belongs to somebody's own menus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Menus {
    /// Paths of files that may be asked for, as they compare.
    files: BTreeSet<Name>,
    /// Folders that menus say modules are in.
    folders: BTreeSet<Name>,
    /// Each menu that was read, by its path, with what it names.
    pub read: BTreeMap<String, Vec<Reference>>,
}

impl Menus {
    /// The menus in pxelinux.cfg/ and what they name, of the files that `find` knows by their paths.
    pub fn new<'f>(
        own: &[&'f Found],
        modules: &[&'f Found],
        find: impl Fn(&[String]) -> Option<&'f Found>,
    ) -> Menus {
        let mut menus = Menus::default();
        let mut waiting: Vec<&Found> = own.to_vec();
        menus.files.extend(own.iter().filter_map(|found| key(&found.name)));
        if own.is_empty() {
            return menus;
        }
        while let Some(found) = waiting.pop() {
            let name = found.name.join("/");
            let Some(text) = found.text().filter(|_| menus.read.len() < MOST_MENUS) else { continue };
            if menus.read.contains_key(&name) {
                continue;
            }
            let references = references(text);
            let folders = module_folders(text).filter(|folder| !is_reserved(&folder[0]));
            menus.folders.extend(folders.filter_map(|folder| key(&folder)));
            for reference in &references {
                for path in reference.paths() {
                    let Some(target) = find(&path).filter(|_| may_belong(&path)) else { continue };
                    menus.files.extend(key(&path));
                    if reference.is_menu {
                        waiting.push(target);
                    }
                }
            }
            menus.read.insert(name, references);
        }
        menus.add_modules(modules);
        menus
    }

    /// Modules load others from beside themselves, which no menu names.
    fn add_modules(&mut self, modules: &[&Found]) {
        let named = self.files.iter().filter(|file| is_module(file)).map(above);
        let folders: BTreeSet<Name> = named.chain(self.folders.iter().cloned()).collect();
        let keys = modules.iter().filter_map(|found| key(&found.name)).filter(is_module);
        let belongs = |file: &Name| file.len() == 1 || folders.contains(&above(file));
        let beside: Vec<Name> = keys.filter(belongs).collect();
        self.files.extend(beside);
    }

    /// Whether a path is that of a file of theirs.
    pub fn has(&self, path: &[String]) -> bool {
        key(path).is_some_and(|key| self.files.contains(&key))
    }
}

fn is_module(file: &Name) -> bool {
    file.last().is_some_and(|last| last.ends_with(".c32"))
}

fn above(file: &Name) -> Name {
    file[..file.len().saturating_sub(1)].to_vec()
}

/// What a menu names must not open what is nobody's.
fn may_belong(path: &[String]) -> bool {
    path.first().is_some_and(|top| path.len() == 1 || folded(top) == FOLDER || !is_reserved(top))
}

impl Reference {
    /// Whether it leads to another server, or to this one by a URL.
    pub fn is_elsewhere(&self) -> bool {
        self.target.contains("://") || self.target.trim_start_matches("::").contains("::")
    }

    /// The paths that it may mean: pxelinux completes names of programs.
    pub fn paths(&self) -> Vec<Vec<String>> {
        if self.is_elsewhere() {
            return Vec::new();
        }
        let plain = self.target.trim_start_matches("::").replace('\\', "/");
        let segments: Vec<String> =
            plain.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        let Some((last, folders)) = segments.split_last() else { return Vec::new() };
        let ends: &[&str] = if last.contains('.') { &[""] } else { &["", ".cbt", ".0", ".com", ".c32"] };
        ends.iter().map(|end| [folders, &[format!("{last}{end}")]].concat()).collect()
    }
}

/// The folders that `PATH` names.
fn module_folders(text: &str) -> impl Iterator<Item = Name> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.get(..5).filter(|word| word.eq_ignore_ascii_case("path ")).and(line.get(5..))
    });
    let folders = lines.flat_map(|folders| folders.split([':', ' ', '\t']));
    let segments =
        |folder: &str| folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    folders.map(segments).filter(|folder: &Name| !folder.is_empty())
}

/// The files that a menu's text names.
pub fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut program = String::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let lower: Vec<String> = words.iter().take(2).map(|word| word.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let mut add = |keyword: String, target: &str, is_menu: bool| {
            let reference = Reference { line: number + 1, keyword, target: target.to_owned(), is_menu };
            found.extend((!target.is_empty()).then_some(reference));
        };
        let target = words.get(1).copied().unwrap_or_default();
        match lower.as_slice() {
            ["menu", kind @ ("include" | "background")] => {
                let target = words.get(2).copied().unwrap_or_default();
                // A colour is no picture.
                if !target.starts_with('#') {
                    add(format!("MENU {}", kind.to_uppercase()), target, *kind == "include");
                }
            }
            [kind @ ("include" | "config"), ..] => add(kind.to_uppercase(), target, true),
            [
                kind @ ("kernel" | "linux" | "boot" | "bss" | "pxe" | "comboot" | "com32" | "ui" | "fdimage"),
                ..,
            ] => {
                program = target.to_ascii_lowercase();
                add(kind.to_uppercase(), target, false);
                if *kind == "ui" {
                    arguments(&program, &words[2.min(words.len())..])
                        .for_each(|menu| add("UI".into(), menu, true));
                }
            }
            [kind @ ("initrd" | "fdt" | "devicetree" | "display" | "font" | "kbdmap"), ..] => {
                target.split(',').for_each(|target| add(kind.to_uppercase(), target, false));
            }
            ["default", ..] if target.ends_with(".c32") || target.ends_with(".0") => {
                add("DEFAULT".into(), target, false);
            }
            ["append", ..] => {
                let initrds = words.iter().filter_map(|word| word.strip_prefix("initrd="));
                initrds
                    .flat_map(|list| list.split(','))
                    .for_each(|target| add("APPEND initrd=".into(), target, false));
                let urls = words
                    .iter()
                    .filter_map(|word| word.split_once('=').filter(|(_, value)| value.contains("://")));
                urls.for_each(|(key, url)| add(format!("APPEND {key}="), url, false));
                arguments(&program, &words[1.min(words.len())..])
                    .for_each(|menu| add("APPEND".into(), menu, true));
            }
            [key, ..] if is_function_key(key) => add(key.to_uppercase(), target, false),
            _ => {}
        }
    }
    found
}

/// The menus that a menu program's arguments name.
fn arguments<'w>(program: &str, words: &'w [&'w str]) -> impl Iterator<Item = &'w str> + use<'w> {
    let is_menu = program.ends_with("menu.c32") || program.ends_with("config.c32");
    let plain = |word: &&str| !word.contains('=') && !word.starts_with(['-', '~']);
    words.iter().copied().filter(move |word| is_menu && plain(word))
}

/// `F1` to `F12`, whose files are help texts.
fn is_function_key(key: &str) -> bool {
    key.strip_prefix('f')
        .and_then(|number| number.parse::<u8>().ok())
        .is_some_and(|number| (1..=12).contains(&number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assets::folder::{Content, Folder};

    const DEFAULT: &str = "\
# The rack's menu
UI vesamenu.c32 pxelinux.cfg/colours.conf
MENU BACKGROUND splash.png
menu background #80ff
Menu Include pxelinux.cfg/rack.cfg Racks
include /graphics.conf
F1 help.txt
DEFAULT coreos
LABEL coreos
  kernel images/coreos/vmlinuz
  append initrd=images/coreos/a.gz,images/coreos/b.gz cloud-config-url=http://10.10.10.1:8080/cloud-configs/pxe.yml
LABEL memtest
  LINUX memtest
LABEL more
  KERNEL menu.c32
  APPEND pxelinux.cfg/more.cfg
LABEL other
  KERNEL http://other/vmlinuz
  INITRD ::deep\\initrd.img
LABEL else
  KERNEL 10.0.0.1::vmlinuz
  LOCALBOOT 0
";

    fn targets(text: &str) -> Vec<(usize, String)> {
        references(text).into_iter().map(|reference| (reference.line, reference.target)).collect()
    }

    #[test]
    fn what_a_menu_names_is_found() {
        let expected = [
            (2, "vesamenu.c32"),
            (2, "pxelinux.cfg/colours.conf"),
            (3, "splash.png"),
            (5, "pxelinux.cfg/rack.cfg"),
            (6, "/graphics.conf"),
            (7, "help.txt"),
            (10, "images/coreos/vmlinuz"),
            (11, "images/coreos/a.gz"),
            (11, "images/coreos/b.gz"),
            (11, "http://10.10.10.1:8080/cloud-configs/pxe.yml"),
            (13, "memtest"),
            (15, "menu.c32"),
            (16, "pxelinux.cfg/more.cfg"),
            (18, "http://other/vmlinuz"),
            (19, "::deep\\initrd.img"),
            (21, "10.0.0.1::vmlinuz"),
        ];
        assert_eq!(targets(DEFAULT), expected.map(|(line, target)| (line, target.to_owned())));
        assert_eq!(references("INITRD ::deep\\initrd.img")[0].paths(), [["deep", "initrd.img"]]);
        assert_eq!(references("LINUX memtest")[0].paths().len(), 5);
        assert!(references("KERNEL 10.0.0.1::vmlinuz")[0].paths().is_empty());
    }

    /// A disk with menus, what they name, and what they don't.
    fn disk() -> Folder {
        let found = |name: &str, text: &str| {
            let name: Vec<String> = name.split('/').map(str::to_owned).collect();
            let content = if text.is_empty() { Content::Unread } else { Content::Text(text.into()) };
            Found { path: name.join("/").into(), name, content, ..Found::default() }
        };
        Folder::new(
            "usb".into(),
            [
                found("pxelinux.cfg/default", DEFAULT),
                found(
                    "PXELINUX.CFG/Rack.cfg",
                    "INCLUDE nested/more.cfg\nPath keys:/modules/bios/\nKERNEL keys/secret.asc\nKERNEL Rackberry.toml\n",
                ),
                found("pxelinux.cfg/help/one.txt", ""),
                found("nested/more.cfg", "KERNEL deep/linux\nINCLUDE pxelinux.cfg/default\n"),
                found("deep/linux", ""),
                found("deep/other", ""),
                found("images/coreos/vmlinuz", ""),
                found("graphics.conf", ""),
                found("memtest.0", ""),
                found("menu.c32", ""),
                found("vesamenu.c32", ""),
                found("libutil.c32", ""),
                found("elsewhere/libcom32.c32", ""),
                found("Modules/bios/libgpl.c32", ""),
                found("keys/secret.c32", ""),
                found("keys/secret.asc", ""),
                found("rackberry.toml", ""),
                found("photo.jpg", ""),
            ],
        )
    }

    #[test]
    fn what_the_menus_name_belongs_to_them_and_nothing_else() {
        let folder = disk();
        let own: Vec<&Found> = folder.below(&[FOLDER]).collect();
        let all: Vec<&Found> = folder.all().collect();
        let menus = Menus::new(&own, &all, |path| folder.get(path));
        let has = |path: &str| menus.has(&path.split('/').map(str::to_owned).collect::<Vec<_>>());
        for path in [
            "pxelinux.cfg/rack.cfg",
            "pxelinux.cfg/help/one.txt",
            "nested/more.cfg",
            "deep/linux",
            "images/coreos/vmlinuz",
            "Graphics.conf",
            "memtest.0",
            "menu.c32",
            "libutil.c32",
            "modules/bios/libgpl.c32",
            // It is what a menu of theirs says.
            "rackberry.toml",
        ] {
            assert!(has(path), "{path}");
        }
        for path in [
            "deep/other",
            "keys/secret.asc",
            "keys/secret.c32",
            "photo.jpg",
            "elsewhere/libcom32.c32",
            "images/coreos/a.gz",
        ] {
            assert!(!has(path), "{path}");
        }
        assert_eq!(menus.read.len(), 3);
        // Without a menu, nothing is a menu's.
        let none = Menus::new(&[], &all, |path| folder.get(path));
        assert!(!none.has(&["menu.c32".to_owned()]));
    }

    proptest! {
        #[test]
        fn any_menu_is_read(text in "(?s)[a-zA-Z0-9 =,:/.\\\\\n#~-]{0,200}") {
            for reference in references(&text) {
                prop_assert!(reference.paths().iter().all(|path| !path.is_empty()));
            }
        }
    }
}
