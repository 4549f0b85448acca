//! The client: `peers client FOLDER WORK NUMBER NUMBER`. It compares each byte with the file in FOLDER, and stops at the first
//! that is another.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{LARGE, SMALL};
use crate::support::HERE;

/// Between two small requests beside downloads.
const PACE: Duration = Duration::from_millis(5);
/// A server that sends nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Does what its words say, and tells in JSON how it went.
pub fn main(words: &[String]) {
    let [folder, work, first, second] = words else { panic!("client FOLDER WORK NUMBER NUMBER") };
    let number = |word: &String| word.parse::<usize>().expect("a number");
    let file = |name: &str| std::fs::read(Path::new(folder).join(name)).expect("the file");
    let (large, small) = (file(LARGE), file(SMALL));
    let said = match work.as_str() {
        "download" => all((LARGE, &large), number(first), number(second)),
        "small" => all((SMALL, &small), number(first), number(second) / number(first)),
        "connect" => connect(&small, number(first), number(second) / number(first)),
        "beside" => beside((&large, &small), number(first), number(second)),
        _ => panic!("{work}?"),
    };
    println!("{said}");
}

/// Each of `clients` fetches the file so many times, on one connection.
fn all((name, content): (&str, &[u8]), clients: usize, times: usize) -> Value {
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open();
                for _ in 0..times {
                    connection.fetch(name, content);
                }
            });
        }
    });
    let requests = clients * times;
    json!({ "bytes": requests * content.len(), "requests": requests, "seconds": started.elapsed().as_secs_f64() })
}

/// Each of `clients` fetches the small file so many times, each time on a connection of its own.
fn connect(content: &[u8], clients: usize, times: usize) -> Value {
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| (0..times).for_each(|_| Connection::open().fetch(SMALL, content)));
        }
    });
    let requests = clients * times;
    json!({ "bytes": requests * content.len(), "requests": requests, "seconds": started.elapsed().as_secs_f64() })
}

/// Small requests on one connection while `clients` download.
fn beside((large, small): (&[u8], &[u8]), clients: usize, requests: usize) -> Value {
    let (is_over, downloads) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut times = Vec::new();
    let mut elapsed = Duration::ZERO;
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open();
                while !is_over.load(Relaxed) {
                    connection.fetch(LARGE, large);
                    downloads.fetch_add(1, Relaxed);
                }
            });
        }
        let mut connection = Connection::open();
        let started = Instant::now();
        for _ in 0..requests {
            thread::sleep(PACE);
            let asked = Instant::now();
            connection.fetch(SMALL, small);
            times.push(asked.elapsed().as_secs_f64());
        }
        elapsed = started.elapsed();
        is_over.store(true, Relaxed);
    });
    times.sort_by(f64::total_cmp);
    json!({
        "bytes": downloads.load(Relaxed) * large.len() as u64,
        "seconds": elapsed.as_secs_f64(),
        "p50": times[times.len() / 2],
        "p99": times[times.len() * 99 / 100],
    })
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open() -> Connection {
        let stream = TcpStream::connect((HERE, 80)).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        Connection { stream, buffer: vec![0; 256 * 1024] }
    }

    /// Asks for a file, whose content has to be this.
    fn fetch(&mut self, name: &str, content: &[u8]) {
        let request = format!("GET /{name} HTTP/1.1\r\nHost: {HERE}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).expect("written");
        let mut filled = 0;
        let end = loop {
            filled += self.read(filled);
            if let Some(end) = self.buffer[..filled].windows(4).position(|ends| ends == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", content.len())), "{head}");
        let mut at = 0;
        let mut from = end;
        loop {
            let piece = &self.buffer[from..filled];
            assert!(
                content.get(at..at + piece.len()) == Some(piece),
                "other bytes than the file's, from {at} on"
            );
            at += piece.len();
            if at == content.len() {
                return;
            }
            (from, filled) = (0, self.read(0));
        }
    }

    fn read(&mut self, filled: usize) -> usize {
        let got = self.stream.read(&mut self.buffer[filled..]).expect("bytes");
        assert!(got > 0, "the server ended the connection");
        got
    }
}
