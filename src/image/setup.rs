//! `rackberry image setup`: reads the card and leaves for everybody else what they need to start.

mod choose;
mod keys;
mod network;
mod people;

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Root, mark};
pub use choose::ConfigSource;
use choose::{Choice, choose, seal, unseal};
pub use people::CONFIG;
use rackberry_core::config::Usb;

/// Why the configuration on the card, or the kept one, was given up in this run, if it was.
pub const REFUSED_CARD: &str = "refused-card";
pub const REFUSED_KEPT: &str = "refused-kept";
/// Where the last good one is kept on the data partition.
const KEPT: &str = "config/rackberry.toml";
/// Where the one in force is from.
const SOURCE: &str = "source";

/// Reads the card, and writes what systemd, the SSH server and the service start by.
///
/// # Errors
/// When /run can't be written. Faults of the card and of the data partition are written down, not errors.
pub fn setup(root: &Root) -> anyhow::Result<()> {
    let config = people::config(root);
    let choice = choose_config(root, &config);
    // What people most often have to mend is told first.
    let mut faults = choice.faults.clone();
    faults.extend(config.faults);
    let (keys, key_faults) = people::keys(root);
    faults.extend(key_faults);
    let mark = mark::of_card(root).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    faults.extend(boot_faults(root));
    let in_force = in_force(choice.source, config.name);
    // It is done again when a configuration is given up.
    let is_first = !root.found(SOURCE).exists();
    let found = CardFindings { in_force: &in_force, keys: &keys, mark: mark.as_deref(), faults: &faults };
    write_all(root, &choice, found).context("can't write what the system starts by")?;
    if is_first && let Err(error) = mark_running(root) {
        eprintln!("the end of this run will not be known: {error}");
    }
    if choice.settings.system.keep_journal
        && let Err(error) = keep_journal(root)
    {
        eprintln!("the log is not kept over restarts: {error}");
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    println!("{in_force}");
    Ok(())
}

/// Which configuration runs, in a sentence.
fn in_force(source: ConfigSource, name: &str) -> String {
    match source {
        ConfigSource::Card => format!("{name} is good and in force"),
        ConfigSource::Kept => format!("the last good {CONFIG} is in force, not the one on the card"),
        ConfigSource::Nowhere => {
            format!("nothing installs: neither the {name} on the card nor a kept one is good")
        }
    }
}

/// Where the configuration in force is from.
pub fn source(root: &Root) -> ConfigSource {
    match fs::read_to_string(root.found(SOURCE)).unwrap_or_default().as_str() {
        "card" => ConfigSource::Card,
        "kept" => ConfigSource::Kept,
        _ => ConfigSource::Nowhere,
    }
}

fn choose_config(root: &Root, config: &people::Config) -> Choice {
    let defaults = fs::read_to_string(root.at("usr/lib/rackberry/image.toml")).unwrap_or_default();
    let refused = |what: &str| fs::read_to_string(root.found(what)).ok();
    let card = match refused(REFUSED_CARD) {
        Some(why) => Err(format!("{}: {why}", config.name)),
        None => config.text.clone(),
    };
    let kept = match refused(REFUSED_KEPT) {
        Some(why) => Err(format!("the last good {CONFIG}: {why}")),
        None => kept(root),
    };
    choose(&defaults, card, kept, config.name)
}

/// The last good configuration.
///
/// # Errors
/// When there is none, or it is not whole any more.
pub fn kept(root: &Root) -> Result<String, String> {
    let kept = fs::read(root.data(KEPT)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "no good configuration was kept".to_owned(),
        _ => format!("the last good configuration, which was kept, can't be read: {error}"),
    });
    kept.and_then(|kept| unseal(&kept))
}

/// What the initramfs found wrong.
fn boot_faults(root: &Root) -> Vec<String> {
    let text = fs::read_to_string(root.run("rackberry-boot/faults")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Keeps the configuration in force as the last good one, unless it is that already: the card is written as little as can
/// be.
///
/// # Errors
/// When the data partition can't be written.
pub fn keep(root: &Root) -> io::Result<()> {
    let text = fs::read_to_string(root.found(CONFIG))?;
    let (path, text) = (root.data(KEPT), seal(&text));
    if fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

/// What was found on the card beside the configuration.
struct CardFindings<'a> {
    in_force: &'a str,
    keys: &'a str,
    mark: Option<&'a str>,
    faults: &'a [String],
}

fn write_all(root: &Root, choice: &Choice, found: CardFindings<'_>) -> io::Result<()> {
    let CardFindings { in_force, keys, mark, faults } = found;
    let usb = if choice.settings.system.usb == Usb::Import { "import" } else { "serve" };
    let source = match choice.source {
        ConfigSource::Card => "card",
        ConfigSource::Kept => "kept",
        ConfigSource::Nowhere => "nowhere",
    };
    let faults: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    let mut files: Vec<(PathBuf, &str)> = vec![
        (root.found(CONFIG), &choice.text),
        (root.found("authorized_keys"), keys),
        (root.found("faults"), &faults),
        (root.found("in-force"), in_force),
        (root.found(SOURCE), source),
        (root.found("usb"), usb),
    ];
    let mark = mark.map(|mark| format!("{mark}\n"));
    // Without the file, no journal was ever made.
    files.extend(mark.iter().map(|mark| (root.found("journal.mark"), mark.as_str())));
    let network = network::files(&choice.settings);
    files.extend(network.iter().map(|(name, text)| (root.run(name), text.as_str())));
    // One that was given up may have asked other time servers.
    let _ = fs::remove_file(root.run(network::CLOCK));
    for (path, text) in files {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        fs::write(path, text)?;
    }
    fs::write(root.at("proc/sys/kernel/hostname"), &choice.settings.system.hostname)
}

/// Notes that the appliance runs. A shut-down takes the note away; who finds it knows that there was none.
fn mark_running(root: &Root) -> io::Result<()> {
    let mark = root.data("running");
    if mark.exists() { fs::write(root.found("was-cut"), "") } else { fs::write(mark, "") }
}

/// The journal goes to the data partition if its folder is there, below /var/log. Who may read it has the group of the
/// folder that it is in.
fn keep_journal(root: &Root) -> io::Result<()> {
    let mounts = fs::read_to_string(root.at("proc/mounts")).unwrap_or_default();
    // A data partition that can't be mounted is replaced by memory, of which the journal has its own share.
    if mounts.lines().any(|mount| mount.split(' ').skip(1).take(2).eq(["/data", "tmpfs"])) {
        return Ok(());
    }
    let kept = root.data("journal");
    fs::create_dir_all(&kept)?;
    if let Some(readers) = group(root, "systemd-journal") {
        chown(&kept, None, Some(readers))?;
        fs::set_permissions(&kept, Permissions::from_mode(0o2755))?;
    }
    let link = root.at("var/log/journal");
    if link.symlink_metadata().is_err() {
        symlink(kept, link)?;
    }
    Ok(())
}

/// The number of a group.
fn group(root: &Root, name: &str) -> Option<u32> {
    let groups = fs::read_to_string(root.at("etc/group")).unwrap_or_default();
    let mut fields =
        groups.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
    fields.nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[network]\naddress = '192.168.7.1/24'\n[system]\nhostname = 'rack7'\n";

    /// A root as the image has it, with this on the card.
    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root(folder.path().to_owned());
        for folder in ["card", "data", "run", "proc/sys/kernel", "var/log"] {
            fs::create_dir_all(root.at(folder)).unwrap();
        }
        fs::write(root.card("journal.txt"), "journal: none\n").unwrap();
        for (name, text) in files {
            fs::write(root.card(name), text).unwrap();
        }
        (folder, root)
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_good_card_is_in_force_everywhere() {
        let (_folder, root) = root(&[(CONFIG, GOOD), ("authorized_keys", "# none\n")]);
        setup(&root).unwrap();
        assert_eq!((text(root.found(CONFIG)), text(root.found("faults"))), (GOOD.into(), String::new()));
        assert_eq!(text(root.at("proc/sys/kernel/hostname")), "rack7");
        assert!(text(root.run("systemd/network/50-rackberry.network")).contains("Address=192.168.7.1/24"));
        assert!(root.at("var/log/journal").is_dir());
        assert!(!root.found("was-cut").exists());
    }

    #[test]
    fn the_log_is_kept_unless_there_is_no_place_for_it_or_it_is_not_wanted() {
        for (settings, mounts, is_kept) in [
            ("# all defaults\n", "/dev/mmcblk0p4 /data ext4 rw 0 0\n", true),
            ("# all defaults\n", "tmp /run tmpfs rw 0 0\ntmp /data tmpfs rw 0 0\n", false),
            ("[system]\nkeep_journal = false\n", "/dev/mmcblk0p4 /data ext4 rw 0 0\n", false),
        ] {
            let (_folder, root) = root(&[(CONFIG, settings), ("authorized_keys", "")]);
            fs::write(root.at("proc/mounts"), mounts).unwrap();
            setup(&root).unwrap();
            assert_eq!(root.at("var/log/journal").is_dir(), is_kept, "{settings}{mounts}");
        }
    }

    #[test]
    fn the_last_good_one_comes_back_when_a_bad_one_follows() {
        let (_folder, root) = root(&[(CONFIG, GOOD), ("authorized_keys", "")]);
        setup(&root).unwrap();
        assert!(!root.data(KEPT).exists(), "nobody knows yet whether one can live with it");
        keep(&root).unwrap();
        fs::write(root.card(CONFIG), "[network]\naddress = 7\n").unwrap();
        fs::remove_dir_all(root.run("rackberry-setup")).unwrap();
        setup(&root).unwrap();
        assert!(root.found("was-cut").exists(), "nothing took the mark of the first run away");
        assert_eq!(text(root.found(CONFIG)), GOOD);
        assert!(text(root.found("faults")).starts_with("rackberry.toml:2:11: network.address: "));
        assert!(text(root.found("in-force")).starts_with("the last good"));
        // The disk loses a part of what was kept, which is still good TOML.
        let kept = fs::read(root.data(KEPT)).unwrap();
        fs::write(root.data(KEPT), &kept[..GOOD.find("[system]").unwrap()]).unwrap();
        assert!(rackberry_core::config::parse(&[("f".into(), text(root.data(KEPT)))]).is_ok());
        setup(&root).unwrap();
        assert_eq!(text(root.found(CONFIG)), "[install]\nunknown_nodes = \"ignore\"\n");
        assert!(text(root.found("faults")).contains("which was kept, is damaged\nnothing installs"));
    }

    #[test]
    fn what_is_given_up_gives_way_to_the_one_before_and_then_to_the_defaults() {
        let (_folder, root) = root(&[(CONFIG, GOOD), ("authorized_keys", "")]);
        setup(&root).unwrap();
        keep(&root).unwrap();
        let ntp = "[network]\ninterface = 'eth7'\n[dhcp]\nntp = ['10.10.10.2']\n";
        fs::write(root.card(CONFIG), ntp).unwrap();
        setup(&root).unwrap();
        assert!(root.run(network::CLOCK).exists() && source(&root) == ConfigSource::Card);
        fs::write(root.found(REFUSED_CARD), "there is no eth7").unwrap();
        setup(&root).unwrap();
        assert_eq!((source(&root), text(root.found(CONFIG))), (ConfigSource::Kept, GOOD.into()));
        assert_eq!(text(root.found("faults")), "rackberry.toml: there is no eth7\n");
        assert!(!root.run(network::CLOCK).exists() && !root.found("was-cut").exists());
        fs::write(root.found(REFUSED_KEPT), "there is no eth0").unwrap();
        setup(&root).unwrap();
        assert_eq!(source(&root), ConfigSource::Nowhere);
        assert!(
            text(root.found("faults"))
                .contains("\nthe last good rackberry.toml: there is no eth0\nnothing installs")
        );
    }

    /// As Windows' editor saves it.
    #[test]
    fn a_configuration_in_utf_16_is_read_as_it_is_meant() {
        let (_folder, root) = root(&[("authorized_keys", "")]);
        let utf16: Vec<u8> = format!("\u{feff}{GOOD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(root.card(CONFIG), utf16).unwrap();
        setup(&root).unwrap();
        assert_eq!((text(root.found(CONFIG)), text(root.found("faults"))), (GOOD.into(), String::new()));
    }

    #[test]
    fn what_the_card_remembers_of_a_journal_is_handed_on() {
        let (_folder, root) = root(&[(CONFIG, GOOD), ("authorized_keys", "")]);
        setup(&root).unwrap();
        assert!(!root.found("journal.mark").exists(), "a first day");
        fs::write(root.card("journal.txt"), "journal: 4f2a 2026-11-28\r\nThis line\r\n\n\n\n").unwrap();
        setup(&root).unwrap();
        assert_eq!(text(root.found("journal.mark")), "4f2a 2026-11-28\n");
        fs::write(root.card("journal.txt"), "").unwrap();
        fs::remove_file(root.found("journal.mark")).unwrap();
        setup(&root).unwrap();
        assert!(text(root.found("faults")).starts_with("journal.txt: is not as rackberry wrote it"));
        assert!(!root.found("journal.mark").exists());
    }

    #[test]
    fn an_empty_card_lets_nothing_install_and_says_so() {
        let (_folder, root) = root(&[]);
        fs::remove_file(root.card("journal.txt")).unwrap();
        fs::create_dir_all(root.run("rackberry-boot")).unwrap();
        fs::write(root.run("rackberry-boot/faults"), "the data partition was damaged\n").unwrap();
        setup(&root).unwrap();
        let faults = text(root.found("faults"));
        for words in [
            "rackberry.toml: can't be read: ",
            "authorized_keys: can't be read: ",
            "journal.txt: can't be read: ",
            "\nno good configuration was kept\nnothing installs",
            "\nthe data partition was",
        ] {
            assert!(faults.contains(words), "{words} is not in {faults}");
        }
        assert_eq!(text(root.found(CONFIG)), "[install]\nunknown_nodes = \"ignore\"\n");
        assert!(text(root.found("in-force")).starts_with("nothing installs: "));
        assert!(!root.data(KEPT).exists());
    }

    #[test]
    fn what_was_kept_is_not_written_again() {
        let (_folder, root) = root(&[(CONFIG, GOOD)]);
        setup(&root).unwrap();
        keep(&root).unwrap();
        let old = std::time::UNIX_EPOCH;
        File::options().write(true).open(root.data(KEPT)).unwrap().set_modified(old).unwrap();
        keep(&root).unwrap();
        assert_eq!(fs::metadata(root.data(KEPT)).unwrap().modified().unwrap(), old);
    }
}
