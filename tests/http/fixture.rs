//! A server whose owner answers by rote, and curl.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::Arc,
};

use rackberry::{
    net::http::{HttpServer, Limits, Options, Token},
    service::{
        handle::{Handle, Message},
        seen::{self, Seen, Showing, Snapshot},
    },
};
use rackberry_core::{
    appliance::{Answer, Ask, Extent, NodeView, Progress, Refusal, TimedView, TransferId, View},
    http::route::Route,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
};

/// Bytes of the file that most tests fetch: more than one piece.
pub const IMAGE: usize = 700_001;
/// More than all buffers between server and client hold.
pub const HUGE: u64 = 64 << 20;
pub const MAC: &str = "00:25:90:c0:f7:86";

/// A running server, its files, and what its owner heard.
pub struct Service {
    pub folder: TempDir,
    pub url: String,
    pub port: u16,
    pub token: watch::Sender<Option<Token>>,
    pub showing: Showing,
    pub stop: watch::Sender<bool>,
    pub restarts: broadcast::Sender<Ipv4Addr>,
    pub running: JoinHandle<()>,
    pub heard: mpsc::UnboundedReceiver<Message>,
}

/// What curl got.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Service {
    pub fn start() -> Service {
        Service::start_within(Limits::default())
    }

    pub fn start_within(limits: Limits) -> Service {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("image"), image()).unwrap();
        fs::File::create(folder.path().join("huge")).unwrap().set_len(HUGE).unwrap();
        let (handle, inbox) = Handle::channel(16);
        let restarts = handle.restarts().clone();
        let (told, heard) = mpsc::unbounded_channel();
        let (showing, seen) = seen::channel(Snapshot::default());
        tokio::spawn(own(folder.path().to_owned(), inbox, seen.clone(), told));
        let (token, tokens) = watch::channel(None);
        let (stop, stopping) = watch::channel(false);
        let options = Options {
            addresses: vec![SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)],
            socket: Some(folder.path().join("run/control.sock")),
            limits,
            settings: watch::channel(Arc::new(rackberry_core::config::parse(&[]).unwrap())).1,
        };
        let server = HttpServer::bind(options, handle, seen, tokens, stopping).unwrap();
        let port = server.addresses()[0].port();
        let running = tokio::spawn(server.run());
        Service {
            folder,
            url: format!("http://127.0.0.1:{port}"),
            port,
            token,
            showing,
            stop,
            restarts,
            running,
            heard,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    /// Runs `curl OPTIONS URL/path`.
    pub async fn curl(&self, path: &str, options: &[&str]) -> Reply {
        let url = format!("{}{path}", self.url);
        let output = curl().arg("-i").args(options).arg(url).output().await.unwrap();
        Reply::read(&output.stdout)
    }

    pub async fn curl_socket(&self, path: &str, options: &[&str]) -> Reply {
        let socket = self.socket();
        let options = [&["--unix-socket", socket.to_str().unwrap()], options].concat();
        self.curl(path, &options).await
    }

    /// The next thing the owner heard that is no progress.
    pub async fn asked(&mut self) -> Ask {
        loop {
            match self.heard.recv().await.unwrap() {
                Message::Ask(ask, _) => return ask,
                Message::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Stops the server; what its owner heard that nobody has looked at.
    pub async fn finish(mut self) -> Vec<Message> {
        self.stop.send_replace(true);
        self.running.await.unwrap();
        assert!(!self.folder.path().join("run/control.sock").exists());
        let mut rest = Vec::new();
        while let Some(message) = self.heard.recv().await {
            rest.push(message);
        }
        rest
    }

    /// Stops the server; how the transfers ended, in order.
    pub async fn ends(self) -> Vec<Progress> {
        let heard = self.finish().await.into_iter();
        let mut ends: Vec<_> = heard
            .filter_map(|message| match message {
                Message::Progress(progress) if progress.end.is_some() => Some(progress),
                _ => None,
            })
            .collect();
        ends.sort_by_key(|progress| progress.transfer);
        ends
    }
}

impl Reply {
    /// The last answer in what `curl -i` wrote: a 100 may come before it.
    pub fn read(output: &[u8]) -> Reply {
        let end = output.windows(4).position(|ends| ends == b"\r\n\r\n").map_or(output.len(), |at| at + 4);
        let head = String::from_utf8(output[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if status == 100 {
            return Reply::read(&output[end..]);
        }
        Reply { status, head, body: output[end..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

pub fn curl() -> tokio::process::Command {
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-q", "-sS", "--noproxy", "*"]);
    curl
}

pub fn image() -> Vec<u8> {
    (0..IMAGE).map(|n| (n % 251) as u8).collect()
}

/// Answers by rote and tells the test what it heard. Every file that is not only looked at is a transfer.
pub async fn own(
    folder: PathBuf,
    mut inbox: mpsc::Receiver<Message>,
    mut seen: Seen,
    told: mpsc::UnboundedSender<Message>,
) {
    let mut transfers = 0;
    while let Some(message) = inbox.recv().await {
        let message = match message {
            Message::Ask(ask, reply) => {
                let is_get = matches!(&ask, Ask::Fetch { extent: Extent::Whole, .. });
                transfers += u64::from(is_get);
                let _ = reply.send(answer(&folder, &ask, is_get.then_some(TransferId(transfers))));
                Message::Ask(ask, tokio::sync::oneshot::channel().0)
            }
            Message::Look(reply) => {
                let _ = reply.send(seen.look().clone());
                continue;
            }
            other => other,
        };
        // A test that has seen enough does not listen.
        let _ = told.send(message);
    }
}

pub fn state(nodes: impl IntoIterator<Item = NodeView>) -> Snapshot {
    let timed = |view: NodeView| (view.mac, Arc::new(TimedView { view, since: None, seen: None }));
    Snapshot { nodes: Arc::new(nodes.into_iter().map(timed).collect()), ..Snapshot::default() }
}

pub fn answer(folder: &Path, ask: &Ask, transfer: Option<TransferId>) -> Answer {
    let Ask::Fetch { target, .. } = ask else {
        return match ask {
            Ask::View(View::Node(_)) => Answer::Refused(Refusal::NotFound("there is no such node".into())),
            Ask::View(view) => Answer::Json(json!({ "view": format!("{view:?}") })),
            _ => Answer::Done("taken".into()),
        };
    };
    match &target.route {
        Route::NodeConfig(mac, _) => {
            Answer::Text { body: format!("#cloud-config {mac}\n"), media: "text/cloud-config", transfer }
        }
        Route::File(path) => match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["refused", "forbidden"] => Answer::Refused(Refusal::Forbidden("not without\na grant".into())),
            ["refused", "invalid"] => Answer::Refused(Refusal::Invalid("it makes no sense".into())),
            ["refused", "conflict"] => Answer::Refused(Refusal::Conflict("not now".into())),
            ["refused", "unavailable"] => Answer::Refused(Refusal::Unavailable("the disk is full".into())),
            ["folder"] => Answer::File { path: folder.to_owned(), state: None, transfer },
            [.., name] => Answer::File { path: folder.join(name), state: None, transfer },
            [] => Answer::Refused(Refusal::NotFound("nothing".into())),
        },
        other => Answer::Refused(Refusal::NotFound(format!("there is no {other:?}"))),
    }
}
