//! Names of files and folders, which compare as on FAT: USB disks come from Windows, and go back there.

/// A name as it compares: without regard to case, and without the dots and spaces at its end, which Windows does not
/// keep. Two names of one file are the same text; empty for a name of dots and spaces only, which is none.
pub fn folded(name: &str) -> String {
    name.trim_end_matches(['.', ' ']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::folded;

    #[test]
    fn names_are_the_same_that_windows_takes_for_the_same() {
        for (one, other) in [
            ("Cloud-Configs", "cloud-configs"),
            ("KEYS", "keys"),
            ("files.", "files"),
            ("files . .", "FILES"),
            ("CoreOS", "coreos"),
            ("DISK.IMG", "disk.img"),
            ("É", "é"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [(" files", "files"), ("a.b", "ab"), ("a b", "ab"), (".files", "files")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
        assert_eq!(folded(". ."), "");
    }

    proptest! {
        #[test]
        fn what_is_folded_stays(name in ".{0,24}") {
            prop_assert_eq!(folded(&folded(&name)), folded(&name));
        }
    }
}
