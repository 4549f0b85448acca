//! What the server asks of the kernel: how often, and what if that can't do it. Needs `strace`, and namespaces.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod plain_client;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use plain_client::fetch;
use tokio_tftp_server::{Directory, Options, Server};

const LENGTH: usize = 8 << 20;
const BLKSIZE: usize = 1468;
const FOLDER: &str = "TFTP_TEST_FOLDER";

/// A server in a process of its own, which ends with its standard input.
#[test]
fn server_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let server = Server::bind(Options::new(([127, 0, 0, 1], 0).into())).unwrap();
    println!("\nlistens at {}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || stop.send(std::io::stdin().read(&mut [0])));
    let stopped = async { drop(stopped.await) };
    runtime.block_on(server.run(Directory::open(folder).unwrap(), stopped)).unwrap();
}

/// Such a process. Nobody reads what it says after its address, but it is let say it.
fn start(folder: &Path, before: &[&str]) -> (Started, SocketAddr) {
    let own = std::env::current_exe().unwrap();
    let own = [own.to_str().unwrap(), "--exact", "server_process", "--nocapture"];
    let line: Vec<&str> = before.iter().chain(&own).copied().collect();
    let mut child = Command::new(line[0])
        .args(&line[1..])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let address = said.by_ref().lines().map(Result::unwrap);
    let address = address.filter_map(|line| line.strip_prefix("listens at ")?.parse().ok()).next().unwrap();
    (Started { child, said }, address)
}

struct Started {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Started {
    fn end(mut self) {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.said, &mut std::io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn content() -> Vec<u8> {
    (0..LENGTH as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// System calls for each MiB, by a count of all that the server's process makes from start to end.
fn system_calls(windowsize: usize) -> (usize, String) {
    let folder =
        tempfile::tempdir_in(std::env::var("CARGO_TARGET_TMPDIR").unwrap_or("/var/tmp".into())).unwrap();
    let bytes = content();
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    let counted = folder.path().join("counted");
    let (server, address) = start(folder.path(), &["strace", "-f", "-c", "-o", counted.to_str().unwrap()]);
    assert!(fetch(address, "file", BLKSIZE, windowsize).unwrap() == bytes);
    server.end();
    let table = std::fs::read_to_string(&counted).unwrap();
    let total = table.lines().rev().find(|line| line.ends_with("total")).unwrap();
    // Percent, seconds, microseconds for each call, calls.
    let calls: usize = total.split_whitespace().nth(3).unwrap().parse().unwrap();
    (calls * (1 << 20) / LENGTH, table)
}

/// A MiB is 715 blocks. Each is sent, and its ACK is waited for and received by one call. Where other work keeps the client from answering
/// soon, that takes three, so the best of some attempts counts. Before, a block took four to five.
#[test]
fn a_block_costs_few_system_calls() {
    let attempts = (0..4).map(|_| system_calls(1));
    let (calls, table) = attempts.min_by_key(|(calls, _)| *calls).unwrap();
    assert!(calls < 2300, "{calls} a MiB\n{table}");
}

/// A MiB is 12 windows: each is read, sent in two parts, and acknowledged.
#[test]
fn a_window_costs_few_system_calls() {
    let (calls, table) = system_calls(64);
    assert!(calls < 140, "{calls} a MiB\n{table}");
}

/// Blocks that don't fit into a frame are refused by the kernel's cutting, so they go one by one, in fragments.
#[test]
fn a_link_with_small_frames_gets_its_blocks_one_by_one() {
    if std::env::var("TFTP_TEST_SMALL").is_err() {
        let own = std::env::current_exe().unwrap();
        let script = "ip link set lo up mtu 1400 && exec \"$0\" --exact \"$1\"";
        let status = Command::new("unshare")
            .args(["-Urn", "sh", "-ec", script, own.to_str().unwrap()])
            .arg("a_link_with_small_frames_gets_its_blocks_one_by_one")
            .env("TFTP_TEST_SMALL", "1")
            .status();
        return assert!(status.unwrap().success());
    }
    let folder = tempfile::tempdir().unwrap();
    let (bytes, traced) = (content(), folder.path().join("traced"));
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    let trace = ["strace", "-f", "-e", "trace=sendmsg,sendto", "-o", traced.to_str().unwrap()];
    let (server, address) = start(folder.path(), &trace);
    assert!(fetch(address, "file", BLKSIZE, 16).unwrap() == bytes);
    server.end();
    let traced = std::fs::read_to_string(traced).unwrap();
    let refused = traced.lines().filter(|line| line.contains("sendmsg(")).count();
    let sent = traced.lines().filter(|line| line.contains("sendto(")).count();
    assert_eq!(refused, 1, "it is tried once");
    assert!(sent > LENGTH / BLKSIZE, "{sent}");
}
