//! The one table of keys. Help texts, the commented default file and the reference in `docs/config.md` come
//! from it, so they can't disagree.

/// A table of the file, with its keys in the order in which the docs show them.
#[cfg_attr(not(test), expect(dead_code, reason = "the docs are made of it, by a test"))]
pub(crate) struct Section {
    /// The table's name.
    pub name: &'static str,
    /// What it is about.
    pub meaning: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key.
#[cfg_attr(not(test), expect(dead_code, reason = "the docs are made of it, by a test"))]
pub(crate) struct Key {
    /// Its name in the table.
    pub name: &'static str,
    /// Its default as TOML; an empty string or list stands for "not set".
    pub default: &'static str,
    /// A value that people might write, as TOML.
    pub example: &'static str,
    /// What it does, limits included.
    pub meaning: &'static str,
    /// What happens without it, where the default doesn't say.
    pub unset: &'static str,
    /// Whether a reload (SIGHUP) takes a change over; otherwise the service must be restarted.
    pub reload: bool,
}

pub(crate) const fn key(
    name: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, default, example, meaning, unset: "", reload: true }
}

impl Key {
    /// Says what happens without the key.
    pub(crate) const fn unset(self, unset: &'static str) -> Key {
        Key { unset, ..self }
    }

    const fn restart(self) -> Key {
        Key { reload: false, ..self }
    }
}

/// Every table and key.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "network",
        meaning: "The network that rackberry serves.",
        keys: &[
            key("interface", r#""""#, r#""eth0""#, "The network interface.")
                .unset("the only wired one, found at start")
                .restart(),
            key(
                "address",
                r#""10.10.10.1/24""#,
                r#""10.10.10.1/24""#,
                "The service's own address, with the length of the network's prefix (/1 to /30).",
            )
            .restart(),
            key(
                "mode",
                r#""auto""#,
                r#""full""#,
                "`full` hands out addresses; `proxy` gives boot data only, beside another DHCP server; `auto` \
                 is full unless another DHCP server answers, then proxy.",
            )
            .restart(),
        ],
    },
    Section {
        name: "dhcp",
        meaning: "What leases hold.",
        keys: &[
            key(
                "pool",
                r#""10.10.10.100-10.10.10.200""#,
                r#""10.10.10.100-10.10.10.200""#,
                "First and last address to hand out. The service's own address, the router's, and those \
                 reserved for a node may lie inside: they are left out.",
            )
            .unset(
                "follows from network.address: the 100th to the 200th address, or the upper half of a network \
                 smaller than /24",
            ),
            key("router", r#""""#, r#""10.10.10.254""#, "The default gateway.").unset("nodes get none"),
            key("dns", "[]", r#"["8.8.8.8"]"#, "Name servers, up to 8."),
            key("ntp", "[]", r#"["10.10.10.254"]"#, "Time servers, up to 8."),
            key("domain", r#""""#, r#""rack.lan""#, "The domain of the nodes' names.").unset("none"),
            key("lease", r#""1h""#, r#""12h""#, "How long a lease lasts: 2m to 365d."),
            key("probe", "true", "false", "Whether a new address is probed by ARP before it is offered."),
        ],
    },
    Section {
        name: "http",
        meaning: "The HTTP server.",
        keys: &[
            key(
                "ports",
                "[80, 8080]",
                "[80, 8080]",
                "TCP ports. Links name port 80 if it is among them, else the first.",
            )
            .restart(),
            key(
                "token_file",
                r#""""#,
                r#""/data/token""#,
                "File with the token that the network API asks for, by absolute path.",
            )
            .unset("the network API is read-only"),
        ],
    },
    Section {
        name: "install",
        meaning: "Defaults for installs.",
        keys: &[
            key("profile", r#""coreos""#, r#""flatcar""#, "The profile that nodes install."),
            key("version", r#""current""#, r#""1010.5.0""#, "A version of it, or `current`."),
            key(
                "disk",
                r#""/dev/sda""#,
                r#""/dev/nvme0n1""#,
                "The disk to write: a whole disk's path (`/dev/disk/by-id/...` too), or `smallest`.",
            ),
            key(
                "unknown_nodes",
                r#""install""#,
                r#""ignore""#,
                "`install`: any machine may install while armed; `ignore`: only those with a `[[node]]`.",
            ),
            key("arm_for", r#""30m""#, r#""2h""#, "How long arming lasts: 1m to 24h."),
            key(
                "tries",
                "2",
                "3",
                "How often one order leads a machine into an installer that is not heard of: 1 to 10.",
            ),
            key(
                "console",
                r#""""#,
                r#""ttyS0,115200""#,
                "The console of the installer's kernel: a device, and the speed of a serial port.",
            )
            .unset("the kernel's default"),
            key(
                "loader",
                r#""auto""#,
                r#""shim""#,
                "The boot loader. `auto`: the one that suits the firmware and, where a machine does not get on with it, the \
                 next one. Or `pxelinux`, `lpxelinux` (BIOS), `grub`, `shim` (UEFI; `shim` is the signed one, for Secure \
                 Boot), `ipxe`; firmware that such a loader is not for gets its own.",
            ),
            key(
                "ssh_keys",
                "[]",
                r#"["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me@laptop"]"#,
                "SSH public keys, for config templates (`ssh_keys`).",
            )
            .unset("none"),
            key(
                "vars",
                "{}",
                r#"{ discovery = "https://example.org/1" }"#,
                "Values for every node's config template (`vars`).",
            )
            .unset("none"),
        ],
    },
    Section {
        name: "assets",
        meaning: "Where operating systems and node configs lie.",
        keys: &[
            key(
                "dirs",
                r#"["/media/usb/rackberry", "/data/assets"]"#,
                r#"["/media/usb/rackberry", "/data/assets"]"#,
                "Folders to look in, by absolute path; the first match wins.",
            ),
            key(
                "verify",
                r#""required""#,
                r#""unsigned-ok""#,
                "`required`: only what an accepted key has signed is installed; `unsigned-ok`: what nobody \
                 vouches for, too, with a warning on every view. What is proven to be wrong is never installed.",
            ),
            key(
                "loaders",
                r#""/usr/lib/rackberry/loaders""#,
                r#""/usr/lib/rackberry/loaders""#,
                "The folder of boot loaders that come with rackberry.",
            ),
        ],
    },
    Section {
        name: "node",
        meaning: "A machine of the rack; one `[[node]]` for each.",
        keys: &[
            key(
                "name",
                "",
                r#""node1""#,
                "Unique name: letters, digits, dashes, dots. It is the node's host name.",
            )
            .unset("its first MAC, with dashes"),
            key("mac", "", r#""00:25:90:c0:f7:86""#, "The MAC of its network card, in any usual spelling.")
                .unset("`macs` must be there"),
            key(
                "macs",
                "",
                r#"["00:25:90:c0:f7:86", "00:25:90:c0:f7:87"]"#,
                "Several of them, instead of `mac`; the first names the node.",
            ),
            key("address", "", r#""10.10.10.11""#, "Its reserved address.").unset("one of the pool"),
            key("profile", "", r#""flatcar""#, "Its profile.").unset("install.profile"),
            key("version", "", r#""4230.2.0""#, "Its version.").unset("install.version"),
            key("disk", "", r#""smallest""#, "The disk to write.").unset("install.disk"),
            key("loader", "", r#""shim""#, "Its boot loader.").unset("install.loader"),
            key("led", "", "1", "Number of its LED on the panel, from 1; unique.")
                .unset("the panel gives it one; nodes beyond the last LED share that one"),
            key("vars", "", r#"{ role = "master" }"#, "Values for its config template."),
        ],
    },
    Section {
        name: "panel",
        meaning: "LEDs and button.",
        keys: &[key(
            "board",
            r#""breadboard-8""#,
            r#""breadboard-8""#,
            "The wiring: a built-in board (`breadboard-8`, `blinkt`, `apa102-16`, `mcp23017-16`, `sim`), or the \
             absolute path of a board file of your own (docs/panel.md).",
        )
        .restart()],
    },
    Section {
        name: "system",
        meaning: "The SD image itself; where rackberry came as a package, these have no effect.",
        keys: &[
            key("hostname", r#""rackberry""#, r#""rack7""#, "The appliance's own name: HOSTNAME.local on the network.")
                .restart(),
            key(
                "root_login",
                "false",
                "true",
                "Whether the keys of authorized_keys may log in as root too, not only as rackberry.",
            )
            .restart(),
            key(
                "keep_journal",
                "true",
                "false",
                "Whether the log is kept over restarts, up to 64 MB of it, on the card. Without, it is gone with the power.",
            )
            .restart(),
            key(
                "usb",
                r#""serve""#,
                r#""import""#,
                "`serve`: operating systems on a USB disk are served from there while it is plugged in; \
                 `import`: they are copied to the card, and the disk may be pulled.",
            )
            .restart(),
        ],
    },
];

/// The keys of `rackberry.toml`.
pub(crate) const KEYS: KeyTable = KeyTable(SECTIONS);

/// The keys of one kind of file.
#[derive(Clone, Copy)]
pub(crate) struct KeyTable(pub &'static [Section]);

impl KeyTable {
    /// The key at `path` (`dhcp.pool`).
    pub fn find(self, path: &str) -> Option<&'static Key> {
        let (table, name) = path.split_once('.')?;
        self.0.iter().find(|section| section.name == table)?.keys.iter().find(|key| key.name == name)
    }

    /// Help by example: "for example `lease = "12h"`".
    pub fn example(self, path: &str) -> String {
        self.find(path)
            .map_or_else(String::new, |key| format!("for example `{} = {}`", key.name, key.example))
    }

    /// The table to write `key` in, if exactly this name exists somewhere.
    pub fn home_of(self, key: &str) -> Option<&'static str> {
        // Names of `[[node]]` that exist elsewhere too belong elsewhere: a node's are rarely misplaced.
        let mut homes = self.0.iter().filter(|section| section.keys.iter().any(|k| k.name == key));
        homes
            .find(|section| section.name != "node" || matches!(key, "mac" | "macs" | "led" | "vars"))
            .map(|section| section.name)
    }
}

/// The table called `name`.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// As [`KeyTable::example`], in `rackberry.toml`.
pub(super) fn example(path: &str) -> String {
    KEYS.example(path)
}

/// Of `known`, the name that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase().replace(['-', ' '], "_");
    let limit = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&given, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many letters were left out, put in, replaced, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    // Beyond any key's length, the exact number matters to nobody.
    let a: Vec<char> = a.chars().take(40).collect();
    let b: Vec<char> = b.chars().take(40).collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_key() {
        let known = ["pool", "router", "dns", "ntp", "domain", "lease", "probe"];
        for (given, meant) in [
            ("rotuer", Some("router")),
            ("gateway", None),
            ("routers", Some("router")),
            ("Lease", Some("lease")),
            ("dsn", Some("dns")),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
        assert_eq!(nearest("arm-for", ["arm_for"]), Some("arm_for"));
    }

    #[test]
    fn a_distance_counts_letters_left_out_put_in_replaced_or_swapped() {
        for (a, b, d) in [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("é", "e", 1)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn misplaced_keys_have_one_home() {
        assert_eq!(KEYS.home_of("pool"), Some("dhcp"));
        assert_eq!(KEYS.home_of("profile"), Some("install"));
        assert_eq!(KEYS.home_of("mac"), Some("node"));
        assert_eq!(KEYS.home_of("address"), Some("network"));
        assert_eq!(KEYS.home_of("nothing"), None);
    }
}
