//! Modules of the core import downwards only. What the compiler can't see, because it is one crate.

#![allow(clippy::disallowed_methods)] // It reads sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Modules by layer, lowest first; those of one layer don't import each other.
const LAYERS: [&[&str]; 5] = [
    &["ids"],
    &["profiles", "config", "orders"],
    &["dhcp", "nodes", "boot", "panel", "http", "assets"],
    &["templates"],
    &["appliance"],
];

#[test]
fn modules_import_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    for file in rust_files(&root) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if name == "lib.rs" || name.contains("/tests/") || name.ends_with("/tests.rs") {
            continue;
        }
        let module = name.split('/').next().unwrap();
        let own = layer(module).unwrap_or_else(|| panic!("{name}: say in LAYERS where {module} stands"));
        let text = fs::read_to_string(&file).unwrap();
        for other in modules_named(&text) {
            let theirs = layer(&other).unwrap_or(0);
            if other != module && theirs >= own {
                faults.push(format!("{name} names {other}, which is not below it"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Modules of the appliance by layer, lowest first.
const PARTS: [&[&str]; 7] = [
    &["event", "arm", "outcome", "view_model", "decision"],
    &["state"],
    &["policy"],
    &["render"],
    &["fetch", "check"],
    &["views"],
    &["core"],
];

/// In the appliance a module may name those of its own layer and lower ones; what is made of the parts is known to none of
/// them.
#[test]
fn parts_of_the_appliance_name_lower_ones_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/appliance");
    let exported = exports(&fs::read_to_string(root.join("mod.rs")).unwrap());
    assert!(exported.contains(&("core".into(), "Appliance".into())), "{exported:?}");
    let mut faults = Vec::new();
    for file in rust_files(&root) {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if name == "mod.rs" || name.contains("tests/") || name.ends_with("tests.rs") {
            continue;
        }
        let module = name.split(['/', '.']).next().unwrap();
        let own = part(module).unwrap_or_else(|| panic!("{name}: say in PARTS where {module} stands"));
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for module in PARTS[own + 1..].iter().flat_map(|modules| *modules) {
            if words(code).any(|(word, after)| word == *module && after.starts_with("::")) {
                faults.push(format!("{name} names {module}, which is not below it"));
            }
        }
        for (module, item) in exported.iter().filter(|(module, _)| part(module) > Some(own)) {
            if words(code).any(|(word, _)| word == item) {
                faults.push(format!("{name} names {item} of {module}, which is not below it"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn part(module: &str) -> Option<usize> {
    PARTS.iter().position(|modules| modules.contains(&module))
}

/// What a module hands on of its own ones: from which, and by which name.
fn exports(text: &str) -> Vec<(String, String)> {
    let uses = text.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';').map(|(path, _)| path));
    let items = uses.flat_map(|path| {
        let (module, names) = path.trim_start_matches("self::").split_once("::").expect("a path");
        words(names).map(move |(name, _)| (module.to_owned(), name.to_owned())).collect::<Vec<_>>()
    });
    items.collect()
}

/// The words of a source, comments apart, and what stands after each on its line.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).flat_map(move |line| {
        let words = line.split(move |c: char| !is_part(c)).filter(|word| !word.is_empty());
        words.map(move |word| (word, &line[word.as_ptr() as usize - line.as_ptr() as usize + word.len()..]))
    })
}

#[test]
fn names_of_modules_are_found_however_they_are_written() {
    let text = "use crate::{ids::{Mac, Time}, nodes};\n// crate::dhcp\nfn f() { crate::boot::x(); }\n#[cfg(test)]\nuse crate::http;";
    assert_eq!(modules_named(text), ["ids", "nodes", "boot", "http"]);
}

/// A web request can't claim to be the button: that source is made where edges of the line become orders.
#[test]
fn the_button_is_named_as_the_source_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = Vec::new();
    for file in [root.join("src"), root.join("../../src")].iter().flat_map(|dir| rust_files(dir)) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let is_test =
            file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        let count = code.matches("Source::Button").count();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        places.extend((count > 0 && !is_test).then_some((name, count)));
    }
    assert_eq!(places, [("drive.rs".to_owned(), 1)]);
}

/// A reader who meets a name knows what it is. What only its own file sees may repeat a name, and so may the crates that
/// know nothing of nodes.
#[test]
fn what_is_seen_outside_of_its_file_has_a_name_of_its_own() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut faults = Vec::new();
    for file in [core.join("src"), core.join("../../src")].iter().flat_map(|root| rust_files(root)) {
        if file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for name in text.lines().filter(|line| line.starts_with("pub")).filter_map(type_name) {
            if let Some(other) = named.insert(name.to_owned(), file.clone()) {
                faults.push(format!("{name} is in {} and {}", other.display(), file.display()));
            }
        }
    }
    assert!(named.len() > 200, "{}", named.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The type that a line of source begins to define.
fn type_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    words.find(|word| ["struct", "enum", "trait", "type"].contains(word))?;
    words.next()?.split(|c: char| !c.is_alphanumeric()).next()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The modules of the crate that are named after `crate::`, comments apart.
fn modules_named(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let mut name = String::new();
        let (mut depth, mut skips) = (0, false);
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                'a'..='z' | '_' if !skips => name.push(c),
                ':' => skips = true,
                _ => {}
            }
            let ends = matches!(c, ',' if depth == 1) || depth == 0 && !matches!(c, 'a'..='z' | '_' | '}');
            if ends || c == '}' && depth == 0 {
                modules.extend((!name.is_empty()).then(|| std::mem::take(&mut name)));
                skips = false;
            }
            if depth == 0 && !matches!(c, 'a'..='z' | '_') {
                break;
            }
        }
    }
    modules.retain(|module| layer(module).is_some());
    modules
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
