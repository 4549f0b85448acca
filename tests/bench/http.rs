//! HTTP: whole files, and small requests beside them, against nginx and lighttpd.

pub mod client;
mod servers;

use std::{io::Write as _, process::Stdio};

use serde_json::Value;

use crate::{
    Options, process,
    report::{Figure, add},
    support::Net,
};
use servers::Server;

/// The client's name, and its address.
const CLIENT: &str = "client";
const ADDRESS: &str = "10.10.10.90/24";
/// What is fetched: below `files/`, because that is served to everybody.
pub const LARGE: &str = "files/large";
pub const SMALL: &str = "files/small";
/// Bytes of the two.
const SIZES: (usize, usize) = (64 << 20, 2048);

/// A work, and the client's words for it.
struct Work {
    name: String,
    words: Vec<String>,
}

impl Work {
    /// `gigabytes` in all, by `clients` at once.
    fn downloads(clients: usize, gigabytes: usize) -> Work {
        let times = ((gigabytes << 30) / SIZES.0).div_ceil(clients);
        Work {
            name: format!("HTTP, {clients} at once"),
            words: vec!["download".into(), clients.to_string(), times.to_string()],
        }
    }

    /// Small requests one after the other while `clients` download.
    fn beside(clients: usize, requests: usize) -> Work {
        Work {
            name: format!("HTTP, 2 KB beside {clients} downloads"),
            words: vec!["beside".into(), clients.to_string(), requests.to_string()],
        }
    }

    /// Small requests, each on a connection of its own.
    fn connect(clients: usize, requests: usize) -> Work {
        Work {
            name: format!("HTTP, 2 KB, {clients} at once, a connection each"),
            words: vec!["connect".into(), clients.to_string(), requests.to_string()],
        }
    }

    /// Small requests only.
    fn small(clients: usize, requests: usize) -> Work {
        Work {
            name: format!("HTTP, 2 KB, {clients} at once"),
            words: vec!["small".into(), clients.to_string(), requests.to_string()],
        }
    }
}

/// What is asked for.
fn works(options: &Options) -> Vec<Work> {
    let (gigabytes, requests) = if options.is_short { (1, 200) } else { (4, 1000) };
    let mut works: Vec<Work> = [1, 16, 64].map(|clients| Work::downloads(clients, gigabytes)).into();
    works.extend([
        Work::beside(16, requests),
        Work::small(16, 10 * requests),
        Work::connect(200, 4 * requests),
    ]);
    works.retain(|work| work.name.contains(&options.only));
    works
}

/// All works, in rounds; the figures.
pub fn run(options: &Options) -> Vec<Figure> {
    if works(options).is_empty() {
        return Vec::new();
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, size) in [(LARGE, SIZES.0), (SMALL, SIZES.1)] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        // Bytes that tell where they are from: no block is like another.
        let content: Vec<u8> =
            (0..size as u64 / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
        std::fs::write(path, content).expect("written");
    }
    let servers = servers::all(folder.path(), &options.own, options.other.as_deref());
    for server in &servers {
        server.net.client(CLIENT, "02:00:00:00:00:90");
        server.net.run(&format!("ip -n {CLIENT} address add {ADDRESS} dev eth0"));
    }
    let works = works(options);
    let mut figures = Vec::new();
    for round in 1..=options.rounds {
        for work in &works {
            eprintln!("round {round}: {}", work.name);
            for server in &servers {
                measure(work, server, folder.path(), &mut figures);
            }
        }
    }
    figures
}

fn measure(work: &Work, server: &Server, folder: &std::path::Path, figures: &mut Vec<Figure>) {
    let before = process::seconds(server.id());
    let said = client(&server.net, folder, &work.words);
    let spent = process::seconds(server.id()) - before;
    let number = |name: &str| said[name].as_f64().unwrap_or_else(|| panic!("{said}"));
    let mut add = |unit, value| add(figures, &work.name, unit, &server.name, value);
    let gigabytes = number("bytes") / 1e9;
    match work.words[0].as_str() {
        "download" => {
            add("s CPU/GB", spent / gigabytes);
            add("MB/s", gigabytes * 1e3 / number("seconds"));
        }
        "small" | "connect" => add("us CPU/request", spent * 1e6 / number("requests")),
        _ => {
            add("ms p50", number("p50") * 1e3);
            add("ms p99", number("p99") * 1e3);
            add("MB/s meanwhile", gigabytes * 1e3 / number("seconds"));
        }
    }
    std::io::stdout().flush().expect("stdout");
}

fn client(net: &Net, folder: &std::path::Path, words: &[String]) -> Value {
    let mut command = net.command("ip");
    command.args(["netns", "exec", CLIENT]).arg(std::env::current_exe().expect("this program")).arg("client");
    let output = command.arg(folder).args(words).stderr(Stdio::inherit()).output().expect("it starts");
    assert!(output.status.success(), "{words:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("JSON")
}
