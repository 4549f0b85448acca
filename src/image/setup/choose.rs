//! Which configuration is in force: the card's, the last good one, or one by which nothing installs.

use std::path::PathBuf;

use rackberry_core::config::{self, Settings, UnknownNodes};
use release_signature::digest::{Algorithm, Digester};

/// What is in force where no good configuration is to be had: it must not allow more than the last good one did, and
/// nobody knows what that allowed.
const LOCKED: &str = "[install]\nunknown_nodes = \"ignore\"\n";
/// What stands before the digest in the kept file's last line.
const SEAL: &str = "# rackberry keeps this copy; sha256 of all above: ";

/// What is in force, and what is wrong with the rest.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// Where it is from.
    pub source: ConfigSource,
    /// The configuration as it was written.
    pub text: String,
    /// The same, read and checked.
    pub settings: Settings,
    /// What is wrong with the card's, a fault each; empty if it is in force.
    pub faults: Vec<String>,
}

/// Where a configuration is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// The card: it is good.
    Card,
    /// The last good one that was on the card.
    Kept,
    /// Neither is good, so nobody may install.
    Nowhere,
}

/// Chooses between the card's text (or the fault that keeps it from being read) and the one that was kept (or why there
/// is none); `defaults` comes before either. `name` is how faults call the card's file.
pub fn choose(
    defaults: &str,
    card: Result<String, String>,
    kept: Result<String, String>,
    name: &str,
) -> Choice {
    let parse = |text: &str| {
        config::parse(&[
            (PathBuf::from("image.toml"), defaults.to_owned()),
            (PathBuf::from(name), text.to_owned()),
        ])
    };
    let mut faults = match card {
        Ok(text) if is_blank(&text) => {
            vec![format!(
                "{name}: is empty, as a copy that was cut off is; copy it again, or, if all defaults are what you want, \
                 write `# all defaults` into it"
            )]
        }
        Ok(text) => match parse(&text) {
            Ok(settings) => return Choice { source: ConfigSource::Card, text, settings, faults: Vec::new() },
            Err(faults) => faults.iter().map(|fault| fault.render(config::Ink::Plain)).collect(),
        },
        Err(fault) => vec![fault],
    };
    let kept = kept.and_then(|text| {
        let settings = parse(&text).map_err(|faults| {
            let first =
                faults.iter().next().map(|fault| fault.render(config::Ink::Plain)).unwrap_or_default();
            format!("the last good {name} is not good any more: {first}")
        })?;
        Ok((text, settings))
    });
    match kept {
        Ok((text, settings)) => Choice { source: ConfigSource::Kept, text, settings, faults },
        Err(why) => {
            faults.push(why);
            faults.push(format!("nothing installs, and every machine is left alone, until {name} is good"));
            // The image's own defaults are tested; a fault in them must not keep the appliance down.
            let mut settings = parse(LOCKED).unwrap_or_default();
            settings.install.unknown_nodes = UnknownNodes::Ignore;
            Choice { source: ConfigSource::Nowhere, text: LOCKED.into(), settings, faults }
        }
    }
}

/// Spaces and line ends, or what a file system has where nothing was written.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == '\0')
}

/// A good configuration as it is kept: with a last line by which damage is noticed, because half of it may be good TOML,
/// too, and allow more.
pub fn seal(text: &str) -> String {
    let break_ = if text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{break_}");
    let mut digester = Digester::new([Algorithm::Sha256]);
    digester.update(text.as_bytes());
    let digest: String = digester.finish().iter().map(|digest| digest.hex()).collect();
    format!("{text}{SEAL}{digest}\n")
}

/// What was sealed.
///
/// # Errors
/// When it is not whole any more.
pub fn unseal(kept: &[u8]) -> Result<String, String> {
    let damaged = || "the last good configuration, which was kept, is damaged".to_owned();
    let text = std::str::from_utf8(kept).map_err(|_| damaged())?;
    let (text, _) = text.rsplit_once(SEAL).ok_or_else(damaged)?;
    if seal(text).as_bytes() == kept { Ok(text.to_owned()) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "[network]\naddress = '192.168.7.1/24'";
    const KEPT: &str = "[network]\naddress = '192.168.8.1/24'\n[install]\nunknown_nodes = 'ignore'\n";
    const BAD: &str = "[network]\n\naddress = '192.168.7.1'";

    fn chosen(card: Result<&str, &str>, kept: Result<&str, &str>) -> Choice {
        let choice = choose(
            "[assets]\ndirs = ['/data/assets']",
            card.map(str::to_owned).map_err(str::to_owned),
            kept.map(str::to_owned).map_err(str::to_owned),
            "rackberry.toml",
        );
        assert_eq!(choice.settings.assets.dirs, [PathBuf::from("/data/assets")]);
        let meant = config::parse(&[
            ("image.toml".into(), "[assets]\ndirs = ['/data/assets']".into()),
            ("rackberry.toml".into(), choice.text.clone()),
        ]);
        assert_eq!(meant.unwrap(), choice.settings, "the service reads the text, and means the same by it");
        choice
    }

    #[track_caller]
    fn is(choice: &Choice, source: ConfigSource, address: &str) {
        assert_eq!((choice.source, choice.settings.network.address.to_string().as_str()), (source, address));
    }

    #[test]
    fn a_good_card_is_in_force() {
        for kept in [Ok(KEPT), Err("none")] {
            let choice = chosen(Ok(GOOD), kept);
            is(&choice, ConfigSource::Card, "192.168.7.1");
            assert_eq!(choice.faults, Vec::<String>::new());
            is(&chosen(Ok("# all defaults\n"), kept), ConfigSource::Card, "10.10.10.1");
        }
    }

    /// A fresh card's own file is a normal first day.
    #[test]
    fn the_file_that_the_image_brings_is_good_and_lets_machines_install() {
        let choice =
            chosen(Ok(&include_str!("../../../docs/rackberry.toml").replace('\n', "\r\n")), Err("none"));
        assert_eq!(
            (choice.source, choice.settings.install.unknown_nodes),
            (ConfigSource::Card, UnknownNodes::Install)
        );
    }

    #[test]
    fn a_faulty_card_gives_way_to_the_last_good_one_and_its_faults_are_told_by_line() {
        let choice = chosen(Ok(BAD), Ok(KEPT));
        is(&choice, ConfigSource::Kept, "192.168.8.1");
        assert_eq!(choice.settings.install.unknown_nodes, UnknownNodes::Ignore, "as it was, and no more");
        assert_eq!(choice.faults.len(), 1);
        assert!(choice.faults[0].starts_with("rackberry.toml:3:"), "{:?}", choice.faults);
    }

    #[test]
    fn without_a_good_one_nothing_installs_and_that_is_said() {
        for (card, told) in [
            (Err("rackberry.toml: is not there"), "rackberry.toml: is not there"),
            (Ok(BAD), "rackberry.toml:3:"),
            (Ok(""), "rackberry.toml: is empty, as a copy that was cut off is"),
            (Ok(" \r\n\t\n"), "rackberry.toml: is empty"),
            (Ok("\0\0\0\0"), "rackberry.toml: is empty"),
            (Ok("[install]\nunknown_nodes = 'ign"), "rackberry.toml:2:"),
            (Ok("[network]\naddress = '10.10.10.1/24'\n\0\0\0"), "rackberry.toml:3:"),
        ] {
            for (kept, why) in [
                (Err("no good one was kept"), "no good one was kept"),
                (Ok(BAD), "the last good rackberry.toml is not good any more: rackberry.toml:3:"),
            ] {
                let choice = chosen(card, kept);
                is(&choice, ConfigSource::Nowhere, "10.10.10.1");
                let install = (choice.settings.install.unknown_nodes, choice.settings.nodes.len());
                assert_eq!(install, (UnknownNodes::Ignore, 0), "{card:?}");
                let [first, second, third] = choice.faults.as_slice() else { panic!("{:?}", choice.faults) };
                assert!(first.starts_with(told) && second.starts_with(why), "{:?}", choice.faults);
                assert!(third.starts_with("nothing installs"), "{third}");
            }
        }
    }

    #[test]
    fn a_cut_off_card_does_not_drop_what_was_forbidden() {
        for card in ["", "\0"] {
            let choice = chosen(Ok(card), Ok(KEPT));
            assert_eq!(
                (choice.source, choice.settings.install.unknown_nodes),
                (ConfigSource::Kept, UnknownNodes::Ignore)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back_as_it_was(text in "[^\r]{0,200}") {
            let kept = seal(&text);
            let back = unseal(kept.as_bytes()).unwrap();
            prop_assert_eq!(back.trim_end_matches('\n'), text.trim_end_matches('\n'));
            prop_assert_eq!(seal(&back), kept);
        }

        /// Cut off, or with a byte that changed.
        #[test]
        fn damage_to_what_is_kept_is_noticed(text in "[a-z =\n]{1,200}", at in 0usize..1000, bit in 0u8..8, cut in any::<bool>()) {
            let mut kept = seal(&text).into_bytes();
            let at = at % kept.len();
            if cut { kept.truncate(at) } else { kept[at] ^= 1 << bit }
            prop_assert!(unseal(&kept).is_err());
        }
    }
}
