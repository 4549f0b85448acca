//! Which configuration is in force: the card's, the last good one, or none but the defaults.

use std::path::PathBuf;

use crate::config::{self, Settings};

/// What is in force, and what is wrong with the rest.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// Where it is from.
    pub source: Source,
    /// Its text.
    pub text: String,
    /// What it means.
    pub settings: Settings,
    /// What is wrong with the card's, a fault each; empty if it is in force.
    pub faults: Vec<String>,
}

/// Where a configuration is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The card: it is good.
    Card,
    /// The last good one that was on the card.
    Kept,
    /// Neither is good.
    Defaults,
}

/// Chooses between the card's text (or the fault that keeps it from being read) and the one that was kept;
/// `defaults` comes before either. `name` is how faults call the card's file.
pub fn choose(defaults: &str, card: Result<String, String>, kept: Option<String>, name: &str) -> Choice {
    let parse = |text: &str| {
        config::parse(&[
            (PathBuf::from("image.toml"), defaults.to_owned()),
            (PathBuf::from(name), text.to_owned()),
        ])
    };
    let faults = match card {
        Ok(text) => match parse(&text) {
            Ok(settings) => return Choice { source: Source::Card, text, settings, faults: Vec::new() },
            Err(faults) => faults.iter().map(|fault| fault.render(false)).collect(),
        },
        Err(fault) => vec![fault],
    };
    if let Some(text) = kept
        && let Ok(settings) = parse(&text)
    {
        return Choice { source: Source::Kept, text, settings, faults };
    }
    // The image's own defaults are tested; a fault in them must not keep the appliance down.
    let settings = parse("").unwrap_or_default();
    Choice { source: Source::Defaults, text: String::new(), settings, faults }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[network]\naddress = '192.168.7.1/24'";
    const KEPT: &str = "[network]\naddress = '192.168.8.1/24'";
    const BAD: &str = "[network]\n\naddress = '192.168.7.1'";

    fn chosen(card: Result<&str, &str>, kept: Option<&str>) -> (Source, String, Vec<String>) {
        let choice = choose(
            "[assets]\ndirs = ['/data/assets']",
            card.map(str::to_owned).map_err(str::to_owned),
            kept.map(str::to_owned),
            "rackberry.toml",
        );
        assert_eq!(choice.settings.assets.dirs, [PathBuf::from("/data/assets")]);
        (choice.source, choice.settings.network.address.to_string(), choice.faults)
    }

    #[test]
    fn a_good_card_is_in_force() {
        assert_eq!(chosen(Ok(GOOD), Some(KEPT)), (Source::Card, "192.168.7.1".into(), Vec::new()));
        assert_eq!(chosen(Ok(""), Some(KEPT)), (Source::Card, "10.10.10.1".into(), Vec::new()));
    }

    #[test]
    fn a_faulty_card_gives_way_to_the_last_good_one_and_its_faults_are_told_by_line() {
        let (source, address, faults) = chosen(Ok(BAD), Some(KEPT));
        assert_eq!((source, address.as_str()), (Source::Kept, "192.168.8.1"));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("rackberry.toml:3:"), "{faults:?}");
    }

    #[test]
    fn without_a_good_one_the_defaults_serve() {
        for kept in [None, Some(BAD)] {
            let (source, address, faults) = chosen(Err("rackberry.toml: is not there"), kept);
            assert_eq!((source, address.as_str()), (Source::Defaults, "10.10.10.1"));
            assert_eq!(faults, ["rackberry.toml: is not there"]);
        }
    }
}
