//! Frames that no client can be made to send.

use super::Net;

/// Runs a Python program in a client's namespace, with `packets.py` at hand; what it prints.
pub fn run(net: &Net, client: &str, program: &str) -> String {
    net.write("packets.py", include_str!("packets.py"));
    let path = net.write("program.py", format!("from packets import *\n{program}"));
    net.run_in(client, &format!("ip link set eth0 promisc on; python3 {}", path.display()))
}
