//! What a reload (SIGHUP) can't take over.

use super::Settings;

impl Settings {
    /// The keys that `new` changes and that only a restart can take over: sockets are bound by them, or
    /// hardware is held. All other keys take effect with the reload.
    pub fn diff_needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        let (network, to) = (&self.network, &new.network);
        [
            ("network.interface", network.interface != to.interface),
            ("network.address", (network.address, network.prefix) != (to.address, to.prefix)),
            ("network.mode", network.mode != to.mode),
            ("http.ports", self.http.ports != new.http.ports),
            ("panel.board", self.panel.board != new.panel.board),
            ("system.hostname", self.system.hostname != new.system.hostname),
            ("system.root_login", self.system.root_login != new.system.root_login),
            ("system.keep_journal", self.system.keep_journal != new.system.keep_journal),
            ("system.usb", self.system.usb != new.system.usb),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, keys, parse};

    fn settings(text: &str) -> Settings {
        parse(&[("f".into(), text.to_owned())]).unwrap()
    }

    #[test]
    fn each_key_is_told_as_its_docs_say() {
        let old = Settings::default();
        assert!(old.diff_needs_restart(&old).is_empty());
        for (text, path) in [
            ("[network]\ninterface = 'eth7'", "network.interface"),
            ("[network]\naddress = '10.10.10.2/24'", "network.address"),
            (
                "[network]\naddress = '10.10.10.1/25'\n[dhcp]\npool = '10.10.10.100-10.10.10.120'",
                "network.address",
            ),
            ("[network]\nmode = 'proxy'", "network.mode"),
            ("[dhcp]\npool = '10.10.10.100-10.10.10.120'", "dhcp.pool"),
            ("[dhcp]\nrouter = '10.10.10.254'", "dhcp.router"),
            ("[dhcp]\ndns = ['8.8.8.8']", "dhcp.dns"),
            ("[dhcp]\nntp = ['8.8.8.8']", "dhcp.ntp"),
            ("[dhcp]\ndomain = 'rack.lan'", "dhcp.domain"),
            ("[dhcp]\nlease = '2h'", "dhcp.lease"),
            ("[dhcp]\nprobe = false", "dhcp.probe"),
            ("[http]\nports = [8080, 80]", "http.ports"),
            ("[http]\ntoken_file = '/data/token'", "http.token_file"),
            ("[install]\nprofile = 'flatcar'", "install.profile"),
            ("[install]\nversion = '1'", "install.version"),
            ("[install]\ndisk = 'smallest'", "install.disk"),
            ("[install]\nunknown_nodes = 'ignore'", "install.unknown_nodes"),
            ("[install]\narm_for = '1h'", "install.arm_for"),
            ("[install]\nconsole = 'tty0'", "install.console"),
            ("[install]\nloader = 'shim'", "install.loader"),
            ("[install]\nssh_keys = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me']", "install.ssh_keys"),
            ("[install]\nvars = { a = 1 }", "install.vars"),
            ("[assets]\ndirs = ['/data']", "assets.dirs"),
            ("[assets]\nverify = 'unsigned-ok'", "assets.verify"),
            ("[assets]\nloaders = '/l'", "assets.loaders"),
            ("[[node]]\nmac = '00:25:90:c0:f7:86'", "node.mac"),
            ("[panel]\nboard = 'other'", "panel.board"),
            ("[system]\nhostname = 'rack7'", "system.hostname"),
            ("[system]\nroot_login = true", "system.root_login"),
            ("[system]\nkeep_journal = false", "system.keep_journal"),
            ("[system]\nusb = 'import'", "system.usb"),
        ] {
            let new = settings(text);
            assert_ne!(old, new, "{text}");
            let expected: Vec<&str> =
                if keys::KEYS.find(path).unwrap().reload { Vec::new() } else { vec![path] };
            assert_eq!(old.diff_needs_restart(&new), expected, "{text}");
        }
    }
}
