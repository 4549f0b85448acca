//! A capture of everything that is said of DHCP, in packets.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use super::{Net, Watched};

const SOON: Duration = Duration::from_secs(30);

/// Writes an interface's UDP datagrams, both ways, for tcpdump to read: in a user namespace it can't capture itself,
/// because it insists on dropping groups that it may not drop there. The kernel's filter is `udp`, in BPF.
const PROGRAM: &str = r#"
import ctypes, socket, struct, sys
code = [(0x28, 0, 0, 12), (0x15, 0, 3, 0x800), (0x30, 0, 0, 23), (0x15, 0, 1, 17), (6, 0, 0, 65535), (6, 0, 0, 0)]
program = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in code))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.setsockopt(socket.SOL_SOCKET, 26, struct.pack('HP', len(code), ctypes.addressof(program)))
s.bind((sys.argv[1], 3))
out = open(sys.argv[2], 'wb', buffering=0)
out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
print('listening', flush=True)
while True:
    frame = s.recv(65535)
    out.write(struct.pack('<IIII', 0, 0, len(frame), len(frame)) + frame)
"#;

/// A capture of one interface, which ends with the test.
pub struct Capture {
    file: PathBuf,
    _python: Watched,
}

impl Capture {
    /// Begins to capture on an interface of the network.
    pub fn start(net: &Net, interface: &str) -> Capture {
        // What goes from port to port, too.
        net.run(&format!("ip link set {interface} promisc on"));
        let file = net.path("dhcp.pcap");
        let mut python = net.command("python3");
        python.args(["-c", PROGRAM, interface]).arg(&file);
        let python = Watched::start(python);
        python.wait_for("listening", 0, SOON);
        Capture { file, _python: python }
    }

    /// What tcpdump says of each packet so far.
    pub fn packets(&self) -> Vec<String> {
        let pcap = File::open(&self.file).expect("a capture");
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["-vv", "-n", "-tt", "-r", "-", "port 67 or port 68 or port 4011"]).stdin(pcap);
        let said = tcpdump.output().expect("tcpdump");
        // Every packet begins with its time, which the capture leaves at zero.
        String::from_utf8_lossy(&said.stdout).split("0.000000 IP").skip(1).map(str::to_owned).collect()
    }

    /// The servers whose OFFERs with an address each conversation has seen, by client and transaction.
    pub fn offers(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut offers = BTreeMap::<String, BTreeSet<String>>::new();
        let words = |packet: &str, after: &str| {
            let rest = packet.split_once(after)?.1.trim_start();
            rest.split([',', '\n', ' ']).next().map(str::to_owned)
        };
        for packet in self.packets().iter().filter(|packet| packet.contains("length 1: Offer")) {
            let (Some(xid), Some(_address)) = (words(packet, "xid "), words(packet, "Your-IP")) else {
                continue;
            };
            let client = words(packet, "Client-Ethernet-Address").expect("a client");
            let server = words(packet, "Server-ID (54), length 4:").expect("a server");
            offers.entry(format!("{client} {xid}")).or_default().insert(server);
        }
        offers
    }
}

/// That never two servers offered addresses in one conversation; returns all that offered any.
pub fn offering(offers: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&str> {
    for (conversation, servers) in offers {
        assert_eq!(servers.len(), 1, "{conversation} had offers of {servers:?}");
    }
    offers.values().flatten().map(String::as_str).collect()
}
