//! `rackberry image prove`: whether the configuration in force can be lived with. One by which the service served for a
//! minute is kept as the last good one; one that leaves the appliance out of reach gives way, in the same run.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::Context as _;
use hyper::Method;

use super::{
    Root,
    publish::said_by,
    setup::{self, CONFIG, ConfigSource},
};
use crate::net::{http_client as client, link};
use rackberry_core::config::{self, Settings};

/// Time between two looks at the service.
const LOOK: Duration = Duration::from_secs(5);
/// It served for so long: it is good.
const GOOD: Duration = Duration::from_secs(60);
/// An interface may be missing for so long: adapters and drivers take their time.
const MISSING: Duration = Duration::from_secs(60);
/// A service may take so long until it serves. Slow cards and emulated boards take minutes.
const SILENT: Duration = Duration::from_secs(600);

/// Watches the configuration in force, and those that take its place, until one is good or none is left.
///
/// # Errors
/// When what the system starts by can't be written, or the service not be started again.
pub async fn prove(root: &Root, socket: &Path) -> anyhow::Result<()> {
    loop {
        let settings = in_force(root);
        let source = setup::source(root);
        let mut trial = Trial::default();
        let verdict = loop {
            let seen = look(socket, &settings).await;
            if let Some(verdict) = trial.see(&seen) {
                break verdict;
            }
            tokio::time::sleep(LOOK).await;
        };
        let why = match verdict {
            Ok(()) if source == ConfigSource::Card => {
                setup::keep(root).context("the good configuration can't be kept for later")?;
                println!("the configuration is kept as the last good one");
                return Ok(());
            }
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        if !give_up(root, source, &why)? {
            println!("{why}");
            return Ok(());
        }
        println!("{}; another configuration takes its place", why.words);
        setup::setup(root)?;
        start_anew()?;
    }
}

fn in_force(root: &Root) -> Settings {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let defaults = text(root.at("usr/lib/rackberry/image.toml"));
    let files = [("image.toml".into(), defaults), (CONFIG.into(), text(root.found(CONFIG)))];
    // What is in force was read before.
    config::parse(&files).unwrap_or_default()
}

/// Notes that a configuration is given up in this run. Not so if nothing better is to be had.
fn give_up(root: &Root, source: ConfigSource, why: &Why) -> anyhow::Result<bool> {
    let same = setup::kept(root).is_ok_and(|kept| kept.trim_end() == text_in_force(root).trim_end());
    let refuse = |what: &str| fs::write(root.found(what), &why.words).context("can't note what is given up");
    match source {
        ConfigSource::Nowhere => return Ok(false),
        // The one before is of use only if there is one; the defaults are only where nobody can reach the appliance.
        ConfigSource::Card if !why.is_out_of_reach && (same || setup::kept(root).is_err()) => {
            return Ok(false);
        }
        ConfigSource::Kept if !why.is_out_of_reach => return Ok(false),
        ConfigSource::Card => refuse(setup::REFUSED_CARD)?,
        ConfigSource::Kept => {}
    }
    if source == ConfigSource::Kept || same {
        refuse(setup::REFUSED_KEPT)?;
    }
    Ok(true)
}

fn text_in_force(root: &Root) -> String {
    fs::read_to_string(root.found(CONFIG)).unwrap_or_default()
}

/// Everything that goes by the configuration.
fn start_anew() -> anyhow::Result<()> {
    let units = ["systemd-networkd", "systemd-timesyncd", "rackberry", "rackberry-report"];
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["restart", "--no-block"]).args(units);
    let restarted = systemctl.status().context("can't run systemctl")?;
    anyhow::ensure!(
        restarted.success(),
        "the service can't be started again: systemctl ended with {restarted}"
    );
    // Who may log in stands there, too. It runs only if there are keys.
    let _ = Command::new("systemctl").args(["try-restart", "--no-block", "ssh"]).status();
    Ok(())
}

/// What can be seen of the service and its interface.
struct Observed {
    /// The interface that the configuration names, if any.
    named: Option<String>,
    /// The wired ones that there are.
    wired: Vec<String>,
    serves: bool,
}

async fn look(socket: &Path, settings: &Settings) -> Observed {
    let state = said_by("systemctl", &["show", "--property=ActiveState", "--value", "rackberry"]);
    // Its interface has its address then: it waits for that.
    let is_active = matches!(state.concat().as_str(), "active" | "reloading");
    let answers = async {
        client::call(socket, Method::GET, "/api/v1/status", None)
            .await
            .is_ok_and(|(status, _)| status.is_success())
    };
    Observed {
        named: settings.network.interface.clone(),
        wired: link::wired(),
        serves: is_active && answers.await,
    }
}

/// Why a configuration can't be lived with.
#[derive(Debug, PartialEq, Eq)]
struct Why {
    words: String,
    /// Whether nobody can reach the appliance.
    is_out_of_reach: bool,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

/// How long which state has lasted.
#[derive(Debug, Default)]
struct Trial {
    served: Duration,
    missing: Duration,
    silent: Duration,
}

impl Trial {
    /// Takes a look into account; what is to be thought of the configuration, once that is clear.
    fn see(&mut self, seen: &Observed) -> Option<Result<(), Why>> {
        let add = |counts: bool, time: Duration| if counts { time + LOOK } else { Duration::ZERO };
        self.served = add(seen.serves, self.served);
        // Where there is no other interface, nothing would be won; an adapter may still be plugged in.
        let is_missing = |name: &String| !seen.wired.is_empty() && !seen.wired.contains(name);
        let missing = seen.named.as_ref().filter(|name| !seen.serves && is_missing(name));
        self.missing = add(missing.is_some(), self.missing);
        self.silent = add(!seen.serves && !seen.wired.is_empty(), self.silent);
        if self.served > GOOD {
            return Some(Ok(()));
        }
        if let Some(name) = missing.filter(|_| self.missing > MISSING) {
            let words = format!(
                "network.interface is {name:?}, which this board does not have (it has {}); name that one, or leave the line \
                 out where there is one only, and start the appliance anew",
                seen.wired.join(", ")
            );
            return Some(Err(Why { words, is_out_of_reach: true }));
        }
        (self.silent > SILENT).then(|| {
            let minutes = SILENT.as_secs() / 60;
            let words = format!("by it the service did not serve for {minutes} minutes; its log says why");
            Err(Why { words, is_out_of_reach: false })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is thought after so many looks that all show this, and after how many.
    fn verdict(
        named: Option<&str>,
        wired: &[&str],
        serves: impl Fn(u32) -> bool,
    ) -> Option<(u32, Result<(), bool>)> {
        let mut trial = Trial::default();
        (1..500).find_map(|look| {
            let wired = wired.iter().map(|name| (*name).to_owned()).collect();
            let seen = Observed { named: named.map(str::to_owned), wired, serves: serves(look) };
            let verdict = trial.see(&seen)?;
            Some((look, verdict.map_err(|why| why.is_out_of_reach)))
        })
    }

    #[test]
    fn a_minute_of_service_is_good_and_what_is_broken_off_counts_anew() {
        assert_eq!(verdict(None, &["eth0"], |_| true), Some((13, Ok(()))));
        assert_eq!(verdict(Some("eth0"), &["eth0"], |look| look > 20), Some((33, Ok(()))));
        assert_eq!(verdict(Some("eth0"), &["eth0"], |look| look % 12 != 0), None);
        // A bridge, or whatever else the service finds.
        assert_eq!(verdict(Some("br0"), &["eth0"], |_| true), Some((13, Ok(()))));
    }

    #[test]
    fn an_interface_that_is_not_there_is_out_of_reach_after_a_minute_if_there_is_another() {
        assert_eq!(verdict(Some("eth7"), &["eth0"], |_| false), Some((13, Err(true))));
        assert_eq!(verdict(Some("eth7"), &[], |_| false), None, "an adapter may be plugged in");
        assert_eq!(verdict(None, &[], |_| false), None);
    }

    #[test]
    fn a_service_that_never_serves_is_given_up_later() {
        assert_eq!(verdict(None, &["eth0"], |_| false), Some((121, Err(false))));
    }

    #[test]
    fn what_is_given_up_depends_on_what_is_left() {
        let unreachable = Why { words: "no eth7".into(), is_out_of_reach: true };
        let silent = Why { words: "silent".into(), is_out_of_reach: false };
        for (source, kept, why, gives_up, refused) in [
            (ConfigSource::Card, Some("other"), &unreachable, true, [true, false]),
            (ConfigSource::Card, Some("mine"), &unreachable, true, [true, true]),
            (ConfigSource::Card, None, &unreachable, true, [true, false]),
            (ConfigSource::Card, Some("other"), &silent, true, [true, false]),
            (ConfigSource::Card, Some("mine"), &silent, false, [false, false]),
            (ConfigSource::Card, None, &silent, false, [false, false]),
            (ConfigSource::Kept, Some("mine"), &unreachable, true, [false, true]),
            (ConfigSource::Kept, Some("mine"), &silent, false, [false, false]),
            (ConfigSource::Nowhere, None, &unreachable, false, [false, false]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let root = Root(folder.path().to_owned());
            fs::create_dir_all(root.found("")).unwrap();
            fs::create_dir_all(root.data("")).unwrap();
            if let Some(kept) = kept {
                fs::write(root.found(CONFIG), kept).unwrap();
                setup::keep(&root).unwrap();
            }
            fs::write(root.found(CONFIG), "mine").unwrap();
            let label = format!("{source:?} {kept:?} {why}");
            assert_eq!(give_up(&root, source, why).unwrap(), gives_up, "{label}");
            let found = [setup::REFUSED_CARD, setup::REFUSED_KEPT].map(|name| root.found(name).exists());
            assert_eq!(found, refused, "{label}");
        }
    }
}
