//! What a download costs, counted and not timed: the system calls of the whole service while it sends a file.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod support;

use std::{collections::BTreeMap, fs, time::Duration};

use rustix::process::Signal;
use support::{HERE, Net, Watched, service::Service};

const PATIENCE: Duration = Duration::from_secs(20);
/// Length of the file in MiB.
const SIZE: usize = 64;
/// Two MiB take one look whether they are in memory, one whether the file has changed, some sendfile, and one wait for each
/// time the socket was full: 4 to 5 calls a MiB. Reading and writing would take more.
const MOST: usize = 8;

#[test]
fn a_mebibyte_takes_few_system_calls() {
    let net = Net::new();
    let content = "a block of sixty-four bytes, which no other part of it looks at.".repeat(SIZE << 14);
    let file = net.write("assets/files/large", &content);
    let service = Service::start(&net, "");
    net.client("client", "02:00:00:00:00:90");
    net.run("ip -n client address add 10.10.10.90/24 dev eth0");
    let download = format!("curl -q -sSf http://{HERE}/files/large | cmp - {}", file.display());
    net.run_in("client", &download);

    let trace = net.path("trace");
    let mut strace = net.command("strace");
    strace.args(["-f", "-o"]).arg(&trace).args(["-p", &service.process.pid().to_string()]);
    let mut strace = Watched::start(strace);
    strace.wait_for("attached", 0, PATIENCE);
    net.run_in("client", &download);
    strace.signal(Signal::INT);
    strace.end(PATIENCE);

    let trace = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> =
        trace.lines().filter(|line| line.contains('(') && !line.contains(" resumed>")).collect();
    let mut kinds = BTreeMap::<_, usize>::new();
    for call in &calls {
        let name = call.split('(').next().and_then(|before| before.split(' ').next_back());
        *kinds.entry(name.unwrap_or_default()).or_default() += 1;
    }
    assert!(kinds.get("sendfile").is_some_and(|sent| *sent >= SIZE), "it is sent in another way: {kinds:?}");
    assert!(calls.len() <= MOST * SIZE, "{} calls for {SIZE} MiB: {kinds:?}", calls.len());
}
