//! Replays what is kept of inputs: those that found something, those that go ways of their own, and files of the project.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| if path.is_dir() { files_below(path) } else { vec![path.clone()] }).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    files(folder)
}

/// Runs a target over an input, and over its beginnings: what is cut off is the commonest damage.
fn replay(name: &str, target: fuzz::Target, input: &Path) {
    let bytes = fs::read(input).unwrap();
    println!("{name}: {}", input.display());
    target(&bytes);
    for parts in 1..8 {
        target(&bytes[..bytes.len() * parts / 8]);
    }
}

#[test]
fn kept_inputs_are_taken_as_they_are() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in fuzz::TARGETS {
        let inputs = files(&corpus.join(name));
        assert!(!inputs.is_empty(), "{name} has no inputs in {}", corpus.display());
        for input in inputs {
            replay(name, target, &input);
        }
    }
}

/// What the project itself has of a kind is not refused by accident, and none of it is too much for another reader.
#[test]
fn files_of_the_project_go_through_every_target() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["board", "profiles", "docs"] {
        for input in
            files(&top.join(folder)).iter().filter(|path| fs::metadata(path).unwrap().len() < 64 << 10)
        {
            for (name, target) in fuzz::TARGETS {
                replay(name, target, input);
            }
        }
    }
}
