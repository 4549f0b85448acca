//! Another DHCP server: a real dnsmasq, with a namespace of its own.

use std::time::Duration;

use super::{Net, Watched};

/// The address of the other DHCP server.
pub const ROUTER: &str = "10.10.10.254";
/// The hardware address that its frames come from.
pub const ROUTER_MAC: &str = "02:00:00:00:00:dd";
const SOON: Duration = Duration::from_secs(30);

/// dnsmasq as it is configured on many routers, which pings an address before it offers it.
pub fn router(net: &Net, more: &str) -> Watched {
    if !net.run("ip -o link").contains("router") {
        net.client("router", ROUTER_MAC);
        net.run_in("router", &format!("ip address add {ROUTER}/24 dev eth0"));
    }
    let mut dnsmasq = net.command("ip");
    dnsmasq.args(["netns", "exec", "router", "dnsmasq", "--no-daemon", "--port=0", "--conf-file=/dev/null"]);
    dnsmasq.args(["--user=root", "--group=root", "--interface=eth0", "--log-dhcp"]);
    dnsmasq.arg(format!("--dhcp-leasefile={}", net.path("dnsmasq.leases").display()));
    dnsmasq.arg("--dhcp-range=10.10.10.150,10.10.10.180,1h").args(more.split_whitespace());
    let dnsmasq = Watched::start(dnsmasq);
    dnsmasq.wait_for("DHCP, IP range", 0, SOON);
    dnsmasq
}
