//! The floors of the house: imports go downwards only, siblings of the pure floor leave each other alone, and
//! no pure file touches sockets, files, threads, processes or clocks. docs/architecture.md says why.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules by floor, lowest first.
const FLOORS: &[&[&str]] = &[
    &["ids", "profiles"],
    &["config", "orders"],
    &["dhcp", "nodes", "boot", "panel", "http", "assets", "templates"],
    &["appliance"],
    &["handle", "clock", "progress"],
    &["daemon", "demo", "image"],
    &["cli"],
];
/// The floor whose modules don't import each other.
const SIBLINGS: usize = 2;
/// Adapters: files of lower modules that do what the pure ones must not, and stand above the appliance.
const ADAPTERS: &[&str] = &[
    "assets/fetch.rs",
    "assets/import.rs",
    "assets/import/",
    "assets/manifest.rs",
    "assets/scan.rs",
    "assets/stage.rs",
    "assets/verify.rs",
    "config/load.rs",
    "dhcp/neighbours.rs",
    "dhcp/raw.rs",
    "dhcp/raw/",
    "dhcp/serve.rs",
    "dhcp/serve/",
    "http/client.rs",
    "http/serve.rs",
    "http/serve/",
    "nodes/journal.rs",
    "nodes/journal/",
    "panel/backend.rs",
    "panel/backend/",
    "panel/board/load.rs",
    "panel/drive.rs",
    "panel/terminal.rs",
    "panel/trial.rs",
];
const ADAPTER_FLOOR: usize = 4;
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "socket2",
    "rustix",
    "nix",
    "redb",
    "getrandom",
    "gpiocdev",
    "gpiocdev_embedded_hal",
    "linux_embedded_hal",
    "rppal",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
];

#[test]
fn imports_go_downwards_and_pure_files_are_pure() {
    let mut faults = Vec::new();
    for file in rust_files(Path::new("src")) {
        let name = file.strip_prefix("src").unwrap().to_str().unwrap().to_owned();
        if matches!(name.as_str(), "lib.rs" | "main.rs") || name.contains("/tests/") {
            continue;
        }
        let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let own = floor(&module).unwrap_or_else(|| panic!("{name}: say in FLOORS where {module} stands"));
        let is_adapter = own >= ADAPTER_FLOOR || is_listed(&name);
        let text = fs::read_to_string(&file).unwrap();
        for statement in uses(&text) {
            if !is_adapter && IMPURE.iter().any(|impure| mentions(&statement, impure)) {
                faults.push(format!("{name} is on a pure floor but has: {statement}"));
            }
            for other in crate_modules(&statement) {
                let Some(theirs) = floor(&other) else { continue };
                let mine = if is_adapter { own.max(ADAPTER_FLOOR) } else { own };
                let sibling = theirs == mine && mine == SIBLINGS && other != module;
                if theirs > mine || sibling {
                    faults.push(format!("{name} imports {other}, which is not below it: {statement}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn adapters_that_are_named_exist() {
    let gone: Vec<_> = ADAPTERS.iter().filter(|name| !Path::new("src").join(name).exists()).collect();
    assert!(gone.is_empty(), "no longer there: {gone:?}");
}

/// A web request can't claim to be the button: that source is made where edges of the line become orders.
#[test]
fn the_button_is_named_as_the_source_in_one_place() {
    let mut places = Vec::new();
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let count = code.matches("Source::Button").count();
        places.extend((count > 0).then(|| (file.display().to_string(), count)));
    }
    assert_eq!(places, [("src/panel/drive.rs".to_owned(), 1)]);
}

/// A name that ends in a slash stands for everything in that folder.
fn is_listed(name: &str) -> bool {
    ADAPTERS.iter().any(|adapter| name == *adapter || (adapter.ends_with('/') && name.starts_with(adapter)))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The `use` statements before the file's tests, each on one line.
fn uses(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut statements = Vec::new();
    let mut open: Option<String> = None;
    for line in code.lines().map(str::trim) {
        let begins = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
            .iter()
            .any(|word| line.starts_with(word));
        if begins {
            open = Some(String::new());
        }
        if let Some(statement) = &mut open {
            statement.push_str(line);
            statement.push(' ');
            if line.ends_with(';') {
                statements.extend(open.take());
            }
        }
    }
    statements
}

fn mentions(statement: &str, name: &str) -> bool {
    let flat = statement.replace(['{', '}', ',', ';', ' '], "\n");
    let (krate, item) = name.split_once("::").unwrap_or((name, ""));
    let words: Vec<&str> = flat.lines().flat_map(|line| line.split("::")).collect();
    words.contains(&krate) && (item.is_empty() || words.contains(&item))
}

/// The top modules that `use crate::…` names.
fn crate_modules(statement: &str) -> Vec<String> {
    let Some((_, rest)) = statement.split_once("crate::") else { return Vec::new() };
    if statement.trim_start().starts_with("pub(crate)") && !rest.contains("::") {
        return Vec::new();
    }
    let mut depth = 0;
    let mut modules = vec![String::new()];
    for c in rest.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth <= 1 => modules.push(String::new()),
            _ if c.is_whitespace() => {}
            _ => modules.last_mut().expect("one module at least").push(c),
        }
    }
    let first = |path: String| path.split("::").next().unwrap_or_default().trim_end_matches(';').to_owned();
    modules.into_iter().map(first).filter(|module| !module.is_empty()).collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            files.extend((!is_test).then_some(path));
        }
    }
    files
}
