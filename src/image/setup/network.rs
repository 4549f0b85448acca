//! The configuration as systemd's own files: what the network, the clock and the SSH server are to do.

use std::fmt::Write as _;

use rackberry_core::config::Settings;

/// A file below /run, and its text.
pub type NetworkFile = (&'static str, String);

/// What the clock's keeper reads.
pub const CLOCK: &str = "systemd/timesyncd.conf.d/rackberry.conf";

/// Every file that systemd and the SSH server read.
pub fn files(settings: &Settings) -> Vec<NetworkFile> {
    let mut files = vec![("systemd/network/50-rackberry.network", network(settings))];
    if !settings.dhcp.ntp.is_empty() {
        let servers: Vec<String> = settings.dhcp.ntp.iter().map(ToString::to_string).collect();
        let text = format!("[Time]\nNTP={}\n", servers.join(" "));
        files.push((CLOCK, text));
    }
    let root = if settings.system.root_login { "PermitRootLogin prohibit-password\n" } else { "" };
    files.push(("rackberry-setup/sshd_config", root.into()));
    files
}

/// The interface has its address whether a cable is in or not: the service starts, and people can ask it.
fn network(settings: &Settings) -> String {
    let network = &settings.network;
    let name = match &network.interface {
        Some(name) => format!("Name={name}"),
        // The only wired one, which is what the service takes.
        None => "Type=ether\nName=eth* en* usb*".into(),
    };
    let mut text = format!(
        "[Match]\n{name}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nAddress={}/{}\nConfigureWithoutCarrier=yes\n\
         IgnoreCarrierLoss=yes\nDHCP=no\nIPv6AcceptRA=no\nMulticastDNS=yes\nLLMNR=no\n",
        network.address, network.prefix
    );
    if let Some(router) = settings.dhcp.router.filter(|router| *router != network.address) {
        let _ = writeln!(text, "Gateway={router}");
    }
    for server in &settings.dhcp.dns {
        let _ = writeln!(text, "DNS={server}");
    }
    if let Some(domain) = &settings.dhcp.domain {
        let _ = writeln!(text, "Domains={domain}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackberry_core::config;

    fn made(text: &str) -> Vec<NetworkFile> {
        files(&config::parse(&[("f".into(), text.to_owned())]).unwrap())
    }

    #[test]
    fn defaults_serve_every_wired_interface_and_ask_no_time_server() {
        let files = made("");
        assert_eq!(files.len(), 2);
        assert!(files[0].1.starts_with("[Match]\nType=ether\nName=eth* en* usb*\n"), "{}", files[0].1);
        assert!(files[0].1.contains("\nAddress=10.10.10.1/24\nConfigureWithoutCarrier=yes\n"));
        assert!(!files[0].1.contains("Gateway"));
        assert_eq!(files[1].1, "");
    }

    #[test]
    fn everything_that_is_configured_is_there() {
        let files = made(
            "[network]\ninterface = 'eth1'\naddress = '192.168.7.1/25'\n[dhcp]\nrouter = '192.168.7.126'\n\
             dns = ['9.9.9.9', '8.8.8.8']\nntp = ['192.168.7.126']\ndomain = 'rack.lan'\n[system]\nroot_login = true",
        );
        let network = &files[0].1;
        for line in [
            "Name=eth1",
            "Address=192.168.7.1/25",
            "Gateway=192.168.7.126",
            "DNS=9.9.9.9",
            "DNS=8.8.8.8",
            "Domains=rack.lan",
        ] {
            assert!(network.lines().any(|found| found == line), "{line} is not in {network}");
        }
        assert!(!network.contains("Type="), "{network}");
        assert_eq!(files[1].1, "[Time]\nNTP=192.168.7.126\n");
        assert_eq!(files[2].1, "PermitRootLogin prohibit-password\n");
    }
}
