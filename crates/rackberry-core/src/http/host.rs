//! Whether a request means this service by the name that it calls it.
//!
//! A web page of somebody's own makes its own name lead to an address of the operator's network (DNS rebinding), and then
//! the operator's browser takes this service for that page's: the page reads what only that network should. The browser
//! still says the name (RFC 9110 section 7.2). A page can't have an address for a name, nor one that no registry hands out.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Ends of names that are nobody's in the public DNS (RFC 6761, 6762, 8375; ICANN's resolution of 2024 for `internal`; the others of
/// many routers, and not delegated).
const PRIVATE: [&str; 6] = ["local", "internal", "home.arpa", "localhost", "lan", "localdomain"];

/// What is the operator's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a> {
    /// The domain that machines here are told, with all names in it.
    pub domain: Option<&'a str>,
    /// What this machine calls itself.
    pub name: Option<&'a str>,
}

/// Whether `host`, the field of a request, means this service: it has none, is an address, one word, a name of private
/// networks, or the operator's own.
pub fn is_meant(host: Option<&str>, own: Own<'_>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.split_once(']').map(|(address, _)| address.parse::<Ipv6Addr>());
            return address.is_some_and(|address| address.is_ok());
        }
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_within = |domain: &str| {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        let rest = name.strip_suffix(domain.as_str());
        !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.parse::<Ipv4Addr>().is_ok()
        || !name.contains('.')
        || PRIVATE.into_iter().any(is_within)
        || own.domain.is_some_and(is_within)
        || own.name.is_some_and(|own| own.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_internet_mean_somebody_else() {
        let own = Own { domain: Some("rack.example.org"), name: Some("pi.example.net") };
        for ours in [
            "10.10.10.1",
            "10.10.10.1:80",
            "[fd00::1]:80",
            "rackberry",
            "RackBerry:8080",
            "localhost:80",
            "rackberry.local",
            "rackberry.local.",
            "pi.home.arpa",
            "rackberry.lan:80",
            "rackberry.rack.example.org",
            "RACK.example.org",
            "PI.example.net:80",
            "",
        ] {
            assert!(is_meant(Some(ours), own), "{ours}");
        }
        assert!(is_meant(None, own), "HTTP/1.0");
        for other in [
            "evil.example.com",
            "evil.example.com:80",
            "10.10.10.1.nip.io",
            "rack.example.org.evil.com",
            "evilrack.example.org",
            "evil-local.com",
            "notlocal.xlocal.com",
            "[evil.com]",
            "[",
            "1.2.3.4.5",
            "evil.com.:80",
            "evil.pi.example.net",
            "local.evil.com",
        ] {
            assert!(!is_meant(Some(other), own), "{other}");
        }
        for (domain, name) in [("", ""), (".", "com"), ("..", "dev")] {
            let own = Own { domain: Some(domain), name: Some(name) };
            assert!(!is_meant(Some("evil.com"), own) && !is_meant(Some("evil.dev"), own), "{own:?}");
        }
    }
}
