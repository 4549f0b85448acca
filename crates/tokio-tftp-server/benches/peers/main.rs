//! Compares this server with those that people have: CPU time of the server's process for each GB, in one run, alternately.
//!
//! `cargo bench -p tokio-tftp-server --bench peers -- [ROUNDS]`. It makes two network namespaces, joined by a veth, and takes those of
//! dnsmasq, tftpd-hpa and atftpd that are on the path or, unpacked, below the folder `PEERS` (`apt-get download atftpd tftpd-hpa`, then
//! `dpkg -x` each). `WORK=...` and `SERVERS=...` take a part of it (`SERVERS="ours;dnsmasq"`). It writes a table to the terminal, and JSON
//! to `target/tftp-bench.json`.

mod client;
mod servers;

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{Error, Result},
    net::SocketAddr,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use client::{Asked, Fetched, fetch};
use servers::{Running, Server};
use tokio_tftp_server::{Directory, Options};

const ADDRESS: &str = "10.9.0.1:69";
const BLKSIZE: usize = 1468;
/// Two namespaces, in which this program runs on as it was called.
const NETWORK: &str = "
mount -t tmpfs none /run && mkdir -p /run/netns
ip netns add servers
ip link add eth0 type veth peer name eth0 netns servers
ip address add 10.9.0.2/24 dev eth0 && ip link set eth0 up && ip link set lo up
ip -n servers address add 10.9.0.1/24 dev eth0 && ip -n servers link set eth0 up && ip -n servers link set lo up
exec \"$@\"";

/// What is done with each server.
#[derive(Debug, Clone, Copy)]
struct Work {
    name: &'static str,
    clients: usize,
    windowsize: u64,
    /// Bytes of the file that each client fetches.
    length: usize,
    lost: Option<u64>,
}

const WORK: [Work; 5] = [
    Work { name: "windowsize 1, one client", clients: 1, windowsize: 1, length: 64 << 20, lost: None },
    Work { name: "windowsize 1, 16 clients", clients: 16, windowsize: 1, length: 6 << 20, lost: None },
    Work { name: "windowsize 64, one client", clients: 1, windowsize: 64, length: 256 << 20, lost: None },
    Work { name: "windowsize 64, 16 clients", clients: 16, windowsize: 64, length: 32 << 20, lost: None },
    Work { name: "windowsize 1, a block lost", clients: 1, windowsize: 1, length: 1 << 20, lost: Some(300) },
];

/// What was measured once.
#[derive(Debug, Clone, Copy)]
struct Sample {
    cpu_per_gb: f64,
    megabytes_per_second: f64,
    recovery_ms: f64,
    disorder: u64,
}

#[allow(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve", folder, address] => serve(folder, address),
        ["--inside", rounds] => measure(rounds.parse().map_err(Error::other)?),
        [] => enter("5"),
        [rounds] => enter(rounds),
        _ => Err(Error::other("usage: peers [ROUNDS]")),
    }
}

fn enter(rounds: &str) -> Result<()> {
    let own = std::env::current_exe()?;
    // tftpd-hpa changes its groups, which only root may. Everything else needs no privilege.
    let namespaces = if nix::unistd::geteuid().is_root() { "-nm" } else { "-Urnm" };
    let script = [namespaces, "sh", "-ec", NETWORK, "sh"];
    let status = Command::new("unshare").args(script).arg(own).args(["--inside", rounds]).status()?;
    if status.success() { Ok(()) } else { Err(Error::other("the measurement failed")) }
}

#[tokio::main]
async fn serve(folder: &str, address: &str) -> Result<()> {
    let server = tokio_tftp_server::Server::bind(Options::new(address.parse().map_err(Error::other)?));
    server.map_err(Error::other)?.run(Directory::open(folder)?, std::future::pending()).await
}

fn measure(rounds: usize) -> Result<()> {
    let folder = tempfile::tempdir_in(std::env::var("FOLDER").unwrap_or("/var/tmp".into()))?;
    let longest = WORK.map(|work| work.length).into_iter().max().unwrap_or_default();
    let bytes: Vec<u8> =
        (0..longest as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    for work in WORK {
        std::fs::write(folder.path().join(work.length.to_string()), &bytes[..work.length])?;
    }
    // Servers don't run as whoever has made it.
    Command::new("chmod").arg("-R").arg("a+rX").arg(folder.path()).status()?;
    let servers = servers::servers(folder.path());
    let mut all: Vec<(Work, &Server, Vec<Sample>)> = WORK
        .iter()
        .flat_map(|work| servers.iter().map(move |server| (*work, server, Vec::new())))
        .filter(|(work, server, _)| work.windowsize == 1 || server.windows)
        .filter(|(work, server, _)| wanted("WORK", work.name) && wanted("SERVERS", &server.name))
        .collect();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (work, server, samples) in &mut all {
            let running = server.start()?;
            match sample(&running, *work, &bytes) {
                Ok(sample) => samples.push(sample),
                Err(error) => eprintln!("{}, {}: {error}", server.name, work.name),
            }
        }
    }
    let table = table(&all);
    println!("{table}");
    std::fs::create_dir_all("target")?;
    std::fs::write("target/tftp-bench.json", json(&all))
}

/// Whether a word of an environment variable is in this name, or nothing was asked for.
fn wanted(variable: &str, name: &str) -> bool {
    std::env::var(variable).map_or(true, |words| words.split(';').any(|word| name.contains(word.trim())))
}

fn sample(running: &Running, work: Work, bytes: &[u8]) -> Result<Sample> {
    let server: SocketAddr = ADDRESS.parse().map_err(Error::other)?;
    let (name, expected) = (work.length.to_string(), &bytes[..work.length]);
    let asked = Asked { blksize: BLKSIZE, windowsize: work.windowsize, lost: None };
    wait_for(server)?;
    let mut children = HashMap::new();
    let (before, start) = (running.cpu(&mut children), now());
    let (fetched, cpu): (Vec<Result<Fetched>>, Duration) = thread::scope(|scope| {
        let fetch = || fetch(server, &name, expected, Asked { lost: work.lost, ..asked });
        let clients: Vec<_> = (0..work.clients).map(|_| scope.spawn(fetch)).collect();
        let mut cpu = before;
        while clients.iter().any(|client| !client.is_finished()) {
            cpu = running.cpu(&mut children).max(cpu);
            thread::park_timeout(Duration::from_millis(10));
        }
        let fetched = clients.into_iter().map(|it| it.join().unwrap_or(Err(Error::other("panic")))).collect();
        (fetched, running.cpu(&mut children).max(cpu) - before)
    });
    let took = start.elapsed();
    let gigabytes = (work.length * work.clients) as f64 / 1e9;
    let fetched = fetched.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Sample {
        cpu_per_gb: cpu.as_secs_f64() / gigabytes,
        megabytes_per_second: gigabytes * 1e3 / took.as_secs_f64(),
        recovery_ms: fetched[0].recovery.unwrap_or_default().as_secs_f64() * 1e3,
        disorder: fetched.iter().map(|fetched| fetched.disorder).sum(),
    })
}

/// Until the server answers, be it that there is no such file.
fn wait_for(server: SocketAddr) -> Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    for _ in 0..100 {
        socket.send_to(b"\0\x01nothing\0octet\0", server)?;
        if socket.recv_from(&mut [0; 600]).is_ok() {
            return Ok(());
        }
    }
    Err(Error::other("the server does not start"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Medians of CPU seconds a GB, of throughput, and of the time until a lost block is there.
fn medians(samples: &[Sample]) -> (f64, f64, f64) {
    let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
    (of(|it| it.cpu_per_gb), of(|it| it.megabytes_per_second), of(|it| it.recovery_ms))
}

fn table(all: &[(Work, &Server, Vec<Sample>)]) -> String {
    let mut text = String::from(
        "| work | server | CPU s/GB | MB/s | until a lost block is there | packets again |\n|---|---|---|---|---|---|\n",
    );
    for (work, server, samples) in all {
        let (cpu, speed, recovery) = medians(samples);
        let disorder: u64 = samples.iter().map(|it| it.disorder).sum();
        let (cpu, speed, recovery) = match work.lost {
            Some(_) => (String::new(), String::new(), format!("{recovery:.1} ms")),
            None => (format!("{cpu:.2}"), format!("{speed:.0}"), String::new()),
        };
        let _ =
            writeln!(text, "| {} | {} | {cpu} | {speed} | {recovery} | {disorder} |", work.name, server.name);
    }
    text
}

fn json(all: &[(Work, &Server, Vec<Sample>)]) -> String {
    let rows: Vec<String> = all
        .iter()
        .map(|(work, server, samples)| {
            let (cpu, speed, recovery) = medians(samples);
            let Work { name, clients, windowsize, length, .. } = work;
            let rounds = samples.len();
            let did = format!(r#""work": "{name}", "server": "{}", "rounds": {rounds}"#, server.name);
            let with = format!(r#""clients": {clients}, "windowsize": {windowsize}, "bytes": {length}"#);
            let took = format!(r#""cpu_seconds_per_gb": {cpu:.3}, "megabytes_per_second": {speed:.1}"#);
            format!(r#"  {{{did}, {with}, {took}, "recovery_ms": {recovery:.2}}}"#)
        })
        .collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}
