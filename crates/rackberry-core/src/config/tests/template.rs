//! The commented default file `docs/rackberry.toml`, and the reference of keys for `docs/config.md`: both from the table of
//! keys. `BLESS=1 cargo test -p rackberry-core config` writes them anew.

use std::fmt::Write;

use super::super::keys::{Key, SECTIONS, Section};

/// A file that sets nothing, and shows each key with its meaning and default: `docs/rackberry.toml`. Lines
/// that begin with `#` and no space are keys; without that sign the file still gives the defaults.
fn default_file() -> String {
    let mut out = String::new();
    paragraph(
        &mut out,
        "rackberry.toml: what rackberry runs by. Everything has a default, shown here; take the # away from a \
         key to change it. An empty \"\" stands for \"not set\". `rackberry check` tells each fault with its \
         line. All about it: docs/config.md",
    );
    for section in SECTIONS {
        out.push('\n');
        paragraph(&mut out, section.meaning);
        if section.name == "node" {
            node_example(&mut out, section);
            continue;
        }
        let _ = writeln!(out, "[{}]", section.name);
        for key in section.keys {
            out.push('\n');
            paragraph(&mut out, &about(key));
            let _ = writeln!(out, "#{} = {}", key.name, key.default);
        }
    }
    out
}

fn about(key: &Key) -> String {
    let mut text = key.meaning.to_owned();
    if !key.unset.is_empty() {
        let _ = write!(text, " Without it: {}.", key.unset);
    }
    if !key.reload {
        text.push_str(" A change takes a restart.");
    }
    if key.example != key.default {
        let _ = write!(text, " For example {}", key.example);
    }
    text
}

/// Nodes have no defaults: an example in a comment, which stays one when the signs are taken away.
fn node_example(out: &mut String, section: &Section) {
    out.push_str("#\n#     [[node]]\n");
    for key in section.keys.iter().filter(|key| key.name != "macs") {
        let _ = writeln!(out, "#     {} = {}", key.name, key.example);
    }
    out.push_str("#\n");
    for key in section.keys {
        paragraph(out, &format!("{}: {}", key.name, about(key)));
    }
}

/// Writes comment lines of up to 100 characters.
fn paragraph(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

/// The part of `docs/config.md` between its two markers.
fn reference() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        let header = if section.name == "node" { "[[node]]".into() } else { format!("[{}]", section.name) };
        let _ = write!(out, "\n### `{header}`\n\n{}\n\n", section.meaning);
        out.push_str("| key | meaning | default | example | change takes |\n|---|---|---|---|---|\n");
        for key in section.keys {
            let default = match (key.default, key.unset) {
                ("" | "\"\"" | "[]", "") => "none".to_owned(),
                ("" | "\"\"" | "[]", unset) => unset.to_owned(),
                (default, "") => format!("`{default}`"),
                (default, unset) => format!("`{default}`; {unset}"),
            };
            let change = if key.reload { "reload" } else { "restart" };
            let meaning = key.meaning;
            let _ =
                writeln!(out, "| `{}` | {meaning} | {default} | `{}` | {change} |", key.name, key.example);
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{Ink, Settings, keys, parse},
        *,
    };

    const BEGIN: &str = "<!-- keys: made from crates/rackberry-core/src/config/keys.rs; BLESS=1 cargo test -p rackberry-core writes it anew -->\n";
    const END: &str = "<!-- end of keys -->\n";

    fn settings(text: String) -> Settings {
        parse(&[("rackberry.toml".into(), text)])
            .unwrap_or_else(|faults| panic!("{}", faults.render(Ink::Plain)))
    }

    /// Takes the sign away from each key.
    fn uncommented(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn the_default_file_gives_the_defaults() {
        assert_eq!(settings(default_file()), Settings::default());
        let all = uncommented(&default_file());
        assert_eq!(settings(all.clone()), Settings::default());
        for section in SECTIONS.iter().filter(|section| section.name != "node") {
            for key in section.keys {
                let line = format!("\n{} = {}\n", key.name, key.default);
                assert!(all.contains(&line), "{line}");
            }
        }
    }

    #[test]
    fn every_example_is_valid() {
        for section in SECTIONS.iter().filter(|section| section.name != "node") {
            for key in section.keys {
                settings(format!("[{}]\n{} = {}\n", section.name, key.name, key.example));
            }
        }
        let macs = keys::KEYS.find("node.macs").unwrap();
        settings(format!("[[node]]\n{} = {}\n", macs.name, macs.example));
        let file = default_file();
        let node: String = file
            .lines()
            .filter_map(|line| line.strip_prefix("#     "))
            .map(|line| format!("{line}\n"))
            .collect();
        let node = &settings(node).nodes[0];
        assert_eq!((node.name.as_str(), node.led), ("node1", Some(1)));
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn the_files_of_docs_are_current() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
        let bless = std::env::var_os("BLESS").is_some();
        let page = std::fs::read_to_string(format!("{docs}/config.md")).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let new_page = [before, BEGIN, &reference(), END, after].concat();
        if bless {
            std::fs::write(format!("{docs}/rackberry.toml"), default_file()).unwrap();
            std::fs::write(format!("{docs}/config.md"), &new_page).unwrap();
        }
        let file = std::fs::read_to_string(format!("{docs}/rackberry.toml")).unwrap();
        assert!(
            file == default_file(),
            "docs/rackberry.toml is old: run BLESS=1 cargo test -p rackberry-core config"
        );
        assert!(
            bless || page == new_page,
            "docs/config.md is old: run BLESS=1 cargo test -p rackberry-core config"
        );
    }
}
