//! The profiles that are built in, and the parts of scripts that profiles share.

use std::sync::{Arc, LazyLock};

use super::{Profile, parse};

/// The names of those that are built in.
pub const NAMES: [&str; 5] = ["coreos", "flatcar", "fedora-coreos", "debian", "raw"];

/// Every profile that is built in; read once.
///
/// # Panics
/// Never in a build that passed its tests: they read every one of them.
#[allow(clippy::expect_used)] // Compiled in, and read by a test.
pub fn built_in() -> &'static [Arc<Profile>] {
    static READ: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
        let read = BUILT_IN.iter().map(|(name, text, templates)| {
            let templates = templates.iter().map(|(name, text)| ((*name).to_owned(), Arc::from(*text)));
            let profile = parse(name, text, &templates.collect()).expect("a built-in profile");
            Arc::new(Profile { is_built_in: true, ..profile })
        });
        read.collect()
    });
    &READ
}

/// The install script that profiles share.
pub const SHARED_SCRIPT: (&str, &str) = ("install.sh", include_str!("../../../../profiles/install.sh"));

/// What install scripts share: templates include these by name.
const PARTS: &[(&str, &str)] = &[
    ("disks.sh", include_str!("../../../../profiles/parts/disks.sh")),
    ("machine.sh", include_str!("../../../../profiles/parts/machine.sh")),
    ("mark.sh", include_str!("../../../../profiles/parts/mark.sh")),
    ("request.sh", include_str!("../../../../profiles/parts/request.sh")),
    ("why.sh", include_str!("../../../../profiles/parts/why.sh")),
];

/// The shared part of this name.
pub fn part(name: &str) -> Option<&'static str> {
    PARTS.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}

type BuiltIn = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const BUILT_IN: &[BuiltIn] = &[
    ("coreos", include_str!("../../../../profiles/coreos/profile.toml"), &[]),
    (
        "flatcar",
        include_str!("../../../../profiles/flatcar/profile.toml"),
        &[("live.ign", include_str!("../../../../profiles/flatcar/live.ign"))],
    ),
    (
        "fedora-coreos",
        include_str!("../../../../profiles/fedora-coreos/profile.toml"),
        &[("live.ign", include_str!("../../../../profiles/fedora-coreos/live.ign"))],
    ),
    (
        "debian",
        include_str!("../../../../profiles/debian/profile.toml"),
        &[
            ("preseed.cfg", include_str!("../../../../profiles/debian/preseed.cfg")),
            ("run.sh", include_str!("../../../../profiles/debian/run.sh")),
        ],
    ),
    ("raw", include_str!("../../../../profiles/raw/profile.toml"), &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_are_read() {
        let names: Vec<String> = built_in().iter().map(|profile| profile.name.clone()).collect();
        assert_eq!(names, NAMES);
    }
}
