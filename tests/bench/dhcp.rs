//! DHCP, and what a start and a rack in memory take, against dnsmasq and Kea. Each round begins with servers that know nobody.

pub mod client;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Options, process,
    report::{Figure, add},
    support::{self, HERE, Net, Watched},
};

const CLIENT: &str = "client";
/// As many exchanges are measured, and as many nodes are known before a restart.
const MACHINES: (u32, u32) = (1000, 1400);

/// A server that is not started yet.
struct Server {
    name: &'static str,
    net: Net,
    command: Box<dyn Fn(&Net) -> Command>,
}

/// All rounds; the figures.
pub fn run(options: &Options) -> Vec<Figure> {
    let mut figures = Vec::new();
    if !"DHCP, start, memory, API".contains(&options.only) {
        return figures;
    }
    for round in 1..=options.rounds {
        for server in all(&options.own, options.other.as_deref()) {
            eprintln!("round {round}: DHCP, {}", server.name);
            measure(&server, options, &mut figures);
        }
    }
    figures
}

fn measure(server: &Server, options: &Options, figures: &mut Vec<Figure>) {
    let mut add = |work: &str, unit, value| add(figures, work, unit, server.name, value);
    let (measured, known) = if options.is_short { (200, 280) } else { MACHINES };
    let (mut process, milliseconds) = started(server);
    add("start, no leases, to the first OFFER", "ms", milliseconds);
    let id = process.pid().as_raw_nonzero().get().unsigned_abs();
    add("memory, idle", "MB", resident(id));
    let load = |group: u32, machines: u32, at_once: u32| {
        let before = process::seconds_of_threads(id);
        let said =
            asks(&server.net, &["load", &group.to_string(), &machines.to_string(), &at_once.to_string()]);
        let said: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
        let spent = (process::seconds_of_threads(id) - before) * 1e6 / f64::from(machines);
        (said["seconds"].as_f64().expect("seconds"), spent)
    };
    let (seconds, spent) = load(1, measured, 64);
    add("DHCP, 1,000 new machines, 64 at once", "s", seconds * 1000.0 / f64::from(measured));
    add("DHCP, 1,000 new machines, 64 at once", "us CPU/exchange", spent);
    add("memory, 1,000 leases", "MB", resident(id));
    let (_, spent) = load(1, measured, 1);
    add("DHCP, the same again, one at a time", "us CPU/exchange", spent);
    load(2, known - measured, 64);
    process.kill();
    let (mut process, milliseconds) = started(server);
    add("start, 1,400 leases, to the first OFFER", "ms", milliseconds);
    let id = process.pid().as_raw_nonzero().get().unsigned_abs();
    add("memory, 1,400 leases after a restart", "MB", resident(id));
    if server.name.starts_with("rackberry") {
        for path in ["healthz", "api/v1/nodes"] {
            add(&format!("API, /{path}, 1,400 nodes"), "ms p50", request(&server.net, path));
        }
    }
    process.kill();
}

/// Starts it while somebody asks, and says how long that had to wait.
fn started(server: &Server) -> (Watched, f64) {
    let mut asking =
        client_command(&server.net, &["first"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(asking.stdout.take().expect("its output")).lines();
    assert_eq!(said.next().expect("a line").expect("text"), "asking");
    let began = client::now();
    let process = Watched::start((server.command)(&server.net));
    let offered: u64 = said.next().expect("an OFFER").expect("text").parse().expect("a number");
    asking.wait().expect("it ends");
    // What is done after that belongs to the start too, as far as memory goes.
    std::thread::sleep(Duration::from_millis(500));
    (process, (offered - began) as f64 / 1e6)
}

fn client_command(net: &Net, words: &[&str]) -> Command {
    let mut command = net.command("ip");
    command.args(["netns", "exec", CLIENT]).arg(std::env::current_exe().expect("this program"));
    command.arg("dhcp-client").args(words);
    command
}

fn asks(net: &Net, words: &[&str]) -> String {
    let output = client_command(net, words).stderr(Stdio::inherit()).output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// Megabytes of memory, of this process alone.
fn resident(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    kilobytes.expect("VmRSS").parse::<f64>().expect("a number") / 1024.0
}

/// Milliseconds that most of a hundred requests take at most, one after the other on one connection.
fn request(net: &Net, path: &str) -> f64 {
    let line = format!("curl -q -sf -o /dev/null -w '%{{time_total}}\\n' 'http://{HERE}/{path}?[1-100]'");
    let mut times: Vec<f64> =
        net.run(&line).lines().map(|line| line.parse::<f64>().expect("seconds") * 1e3).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// All of them; `own` and `other` are builds of rackberry.
fn all(own: &Path, other: Option<&Path>) -> Vec<Server> {
    let mut servers = vec![dnsmasq(), kea()];
    servers.extend(other.map(|binary| rackberry("rackberry, other", binary)));
    servers.push(rackberry("rackberry", own));
    servers
}

/// A network of 65,000 addresses.
fn net() -> Net {
    let net = Net::new();
    net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
    net.client(CLIENT, "02:00:00:00:00:90");
    net.run(&format!("ip -n {CLIENT} address add {}/16 dev eth0", client::RELAY));
    net
}

fn rackberry(name: &'static str, binary: &Path) -> Server {
    let net = net();
    fs::create_dir(net.path("loaders")).expect("a folder");
    net.write(
        "rackberry.toml",
        format!(
            "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n\
             [dhcp]\npool = '10.10.20.1-10.10.60.254'\nprobe = false\n[assets]\ndirs = ['{0}/assets']\nloaders = '{0}/loaders'\n",
            net.dir.path().display(),
        ),
    );
    let binary = binary.to_owned();
    let command = move |net: &Net| {
        let mut command = net.command(&binary);
        command.arg("--socket").arg(net.path("control.sock")).args(["serve", "--panel", "none", "--config"]);
        command.arg(net.path("rackberry.toml")).arg("--state").arg(net.path("state"));
        command
    };
    Server { name, net, command: Box::new(command) }
}

/// As its manual configures it, without the ping before each OFFER.
fn dnsmasq() -> Server {
    let command = |net: &Net| {
        let mut command = net.command("dnsmasq");
        command.args([
            "--no-daemon",
            "--group=root",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=br0",
            "--user=root",
        ]);
        command.args([
            "--dhcp-range=10.10.20.1,10.10.60.254,255.255.0.0",
            "--dhcp-lease-max=5000",
            "--no-ping",
        ]);
        command.args(["--quiet-dhcp", "--dhcp-authoritative", "--dhcp-boot=pxelinux.0"]);
        command.arg(format!("--dhcp-leasefile={}", net.path("leases").display()));
        command.arg(format!("--pid-file={}", net.path("pid").display()));
        command
    };
    Server { name: "dnsmasq", net: net(), command: Box::new(command) }
}

/// With its leases in a file, as Debian configures it.
fn kea() -> Server {
    let net = net();
    let folder = net.dir.path().display().to_string();
    let config = json!({ "Dhcp4": {
        "interfaces-config": { "interfaces": ["br0"], "dhcp-socket-type": "raw" },
        "lease-database": { "type": "memfile", "persist": true, "name": format!("{folder}/leases.csv") },
        "valid-lifetime": 3600,
        "subnet4": [{
            "id": 1, "subnet": "10.10.0.0/16", "pools": [{ "pool": "10.10.20.1 - 10.10.60.254" }],
            "boot-file-name": "pxelinux.0",
        }],
        "loggers": [{ "name": "kea-dhcp4", "severity": "ERROR", "output_options": [{ "output": "stderr" }] }],
    }});
    net.write("kea.json", config.to_string());
    let command = |net: &Net| {
        let root = support::root().join("target/peers");
        let path = root.join("usr/sbin/kea-dhcp4");
        assert!(path.exists(), "{} is missing; run: image/setup bench", path.display());
        let mut command = net.command(path);
        command.env(
            "LD_LIBRARY_PATH",
            format!("{}/usr/lib/{}-linux-gnu", root.display(), std::env::consts::ARCH),
        );
        command.env("KEA_PIDFILE_DIR", net.dir.path()).env("KEA_LOCKFILE_DIR", "none");
        command.arg("-c").arg(net.path("kea.json"));
        command
    };
    Server { name: "Kea", net, command: Box::new(command) }
}
