//! The HTTP server as clients meet it: curl on one side, an owner who answers by rote on the other.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rackberry::{
    net::{
        http::{Limits, Options, Server, Token},
        http_client as client,
    },
    service::{
        handle::{Handle, Message},
        seen::{self, Seen, Showing, Snapshot},
    },
};
use rackberry_core::{
    appliance::{
        Answer, Ask, Command, NodeView, Progress, Refusal, Requester, TimedView, TransferEnd, TransferId,
        Via, View,
    },
    http::route::Route,
    ids::Source,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
};

/// Bytes of the file that most tests fetch: more than one piece.
const IMAGE: usize = 700_001;
/// More than all buffers between server and client hold.
const HUGE: u64 = 64 << 20;
const MAC: &str = "00:25:90:c0:f7:86";

/// A running server, its files, and what its owner heard.
struct Service {
    folder: TempDir,
    url: String,
    port: u16,
    token: watch::Sender<Option<Token>>,
    showing: Showing,
    stop: watch::Sender<bool>,
    restarts: broadcast::Sender<Ipv4Addr>,
    running: JoinHandle<()>,
    heard: mpsc::UnboundedReceiver<Message>,
}

/// What curl got.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Service {
    fn start() -> Service {
        Service::start_within(Limits::default())
    }

    fn start_within(limits: Limits) -> Service {
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
        };
        let server = Server::bind(options, handle, seen, tokens, stopping).unwrap();
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

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    /// Runs `curl OPTIONS URL/path`.
    async fn curl(&self, path: &str, options: &[&str]) -> Reply {
        let url = format!("{}{path}", self.url);
        let output = curl().arg("-i").args(options).arg(url).output().await.unwrap();
        Reply::read(&output.stdout)
    }

    async fn curl_socket(&self, path: &str, options: &[&str]) -> Reply {
        let socket = self.socket();
        let options = [&["--unix-socket", socket.to_str().unwrap()], options].concat();
        self.curl(path, &options).await
    }

    /// The next thing the owner heard that is no progress.
    async fn asked(&mut self) -> Ask {
        loop {
            match self.heard.recv().await.unwrap() {
                Message::Ask(ask, _) => return ask,
                Message::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Stops the server; what its owner heard that nobody has looked at.
    async fn finish(mut self) -> Vec<Message> {
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
    async fn ends(self) -> Vec<Progress> {
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
    fn read(output: &[u8]) -> Reply {
        let end = output.windows(4).position(|ends| ends == b"\r\n\r\n").map_or(output.len(), |at| at + 4);
        let head = String::from_utf8(output[..end].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if status == 100 {
            return Reply::read(&output[end..]);
        }
        Reply { status, head, body: output[end..].to_vec() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

fn curl() -> tokio::process::Command {
    let mut curl = tokio::process::Command::new("curl");
    curl.args(["-q", "-sS", "--noproxy", "*"]);
    curl
}

fn image() -> Vec<u8> {
    (0..IMAGE).map(|n| (n % 251) as u8).collect()
}

/// Answers by rote and tells the test what it heard. Every file that is not only looked at is a transfer.
async fn own(
    folder: PathBuf,
    mut inbox: mpsc::Receiver<Message>,
    mut seen: Seen,
    told: mpsc::UnboundedSender<Message>,
) {
    let mut transfers = 0;
    while let Some(message) = inbox.recv().await {
        let message = match message {
            Message::Ask(ask, reply) => {
                let is_get = matches!(&ask, Ask::Fetch { head: false, .. });
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

fn state(nodes: impl IntoIterator<Item = NodeView>) -> Snapshot {
    let timed = |view: NodeView| (view.mac, Arc::new(TimedView { view, since: None, seen: None }));
    Snapshot { nodes: Arc::new(nodes.into_iter().map(timed).collect()), ..Snapshot::default() }
}

fn answer(folder: &Path, ask: &Ask, transfer: Option<TransferId>) -> Answer {
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

/// What a machine that was switched off has left open leaves nothing behind either, not even in the kernel.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_ends_without_a_trace() {
    let service =
        Service::start_within(Limits { header_time: Duration::from_millis(200), ..Limits::default() });
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, service.port)).unwrap();
    stream.write_all(b"GET /image HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(answer.len() > IMAGE, "the whole answer came first");
    service.finish().await;
}

/// Who is slow to take the end of a file is not silent, and gets it.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_for_a_request_begins_when_the_last_reply_is_sent() {
    let limits = Limits { header_time: Duration::from_millis(200), ..Limits::default() };
    let mut service = Service::start_within(limits);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, service.port)).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /image HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    while !matches!(service.heard.recv().await.unwrap(), Message::Progress(Progress { end: Some(_), .. })) {}
    // The kernel holds all of it, and the client has taken nothing. Time for a request to come passes.
    let a_second = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut ended = [PollFd::new(&stream, PollFlags::empty())];
    assert_eq!(rustix::event::poll(&mut ended, Some(&a_second)).unwrap(), 0, "it is cut off");
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    assert!(answer.ends_with(&image()), "{} bytes", answer.len());
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    service.finish().await;
}

/// Nor does one that takes nothing any more, with all that the kernel still holds for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_takes_nothing_ends_without_a_trace() {
    let service =
        Service::start_within(Limits { stall_time: Duration::from_millis(200), ..Limits::default() });
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, service.port)).unwrap();
    stream.write_all(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 8];
    stream.read_exact(&mut first).unwrap();
    // Without reading on, which would have it take something.
    let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(&stream, PollFlags::empty())], Some(&patience)).unwrap();
    let end = stream.take_error().unwrap().expect("it has ended");
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].end), (1, Some(TransferEnd::Cut)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_describes_itself() {
    let service = Service::start();
    let reply = service.curl("/api/v1/openapi.json", &[]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let document: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/arm"]["post"]["requestBody"].is_object(), "{document}");
    service.finish().await;
}

/// GRUB uses the same ports after each start of its machine: what the last start left behind must not swallow the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_starts_anew_has_no_connections_left() {
    let service = Service::start();
    let connect = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, service.port)).unwrap();
        stream.write_all(b"GET /image HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut first = [0; 8];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1");
        stream
    };
    let (mut old, mut others) = (connect(), connect());
    service.restarts.send([10, 10, 10, 9].into()).unwrap();
    service.restarts.send(Ipv4Addr::LOCALHOST).unwrap();
    for stream in [&mut old, &mut others] {
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut new = connect();
    service.restarts.send([10, 10, 10, 9].into()).unwrap();
    let mut more = [0; 1000];
    new.read_exact(&mut more).expect("another machine's start is nothing to it");
    drop(new);
    service.finish().await;
}

#[tokio::test]
async fn head_and_get_agree_on_the_exact_length() {
    let mut service = Service::start();
    let head = service.curl("/current/image", &["-I"]).await;
    let Ask::Fetch { from: Requester { address: peer, .. }, via: Via::Http, head: true, target } =
        service.asked().await
    else {
        panic!("HEAD is not asked as such")
    };
    assert_eq!(
        (peer, target.route),
        (Ipv4Addr::LOCALHOST, Route::File(vec!["current".into(), "image".into()]))
    );
    let get = service.curl("/current/image", &[]).await;
    for reply in [&head, &get] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-length"), Some("700001"));
        assert_eq!(reply.header("transfer-encoding"), None);
        assert_eq!(reply.header("accept-ranges"), Some("bytes"));
        assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
        assert!(reply.header("server").is_some_and(|server| server.starts_with("rackberry/")));
        assert!(reply.header("etag").is_some() && reply.header("last-modified").is_some());
    }
    assert_eq!(head.header("etag"), get.header("etag"));
    assert!(head.body.is_empty() && get.body == image());
    let end = Some(TransferEnd::Complete);
    let (total, sent) = (IMAGE as u64, IMAGE as u64);
    assert_eq!(service.ends().await, [Progress { transfer: TransferId(1), total, start: 0, sent, end }]);
}

#[tokio::test]
async fn parts_are_sent_as_asked_for() {
    let service = Service::start();
    let image = image();
    let total = IMAGE as u64;
    for (range, status, from, to) in [
        ("0-9", 206, 0, 10),
        ("-5", 206, IMAGE - 5, IMAGE),
        ("262143-262145", 206, 262_143, 262_146),
        ("0-1,5-6", 200, 0, IMAGE),
    ] {
        let reply = service.curl("/image", &["-r", range]).await;
        assert_eq!((reply.status, reply.body.as_slice()), (status, &image[from..to]), "{range}");
        assert_eq!(reply.header("content-length"), Some((to - from).to_string().as_str()), "{range}");
    }
    let beyond = service.curl("/image", &["-r", "9999999-"]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */700001")));
    let other = service.curl("/image", &["-r", "0-9", "-H", "If-Range: \"other\""]).await;
    assert_eq!((other.status, other.body.len()), (200, IMAGE));
    let ends = service.ends().await;
    let sent: Vec<_> = ends.iter().map(|end| end.sent).collect();
    assert_eq!(sent, [10, total, 262_146, total, 0, total]);
    let kinds: Vec<_> = ends.iter().map(|end| (end.total, end.end == Some(TransferEnd::Cut))).collect();
    assert_eq!(kinds, [false, false, false, false, true, false].map(|cut| (total, cut)));
}

#[tokio::test]
async fn an_interrupted_download_goes_on() {
    let service = Service::start();
    let file = service.folder.path().join("download");
    fs::write(&file, &image()[..300_000]).unwrap();
    let url = format!("{}/image", service.url);
    let status = curl().args(["-C", "-", "-o"]).arg(&file).arg(url).status().await.unwrap();
    assert!(status.success() && fs::read(&file).unwrap() == image());
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].sent, ends[0].end), (1, IMAGE as u64, Some(TransferEnd::Complete)));
}

#[tokio::test]
async fn who_has_the_file_gets_no_body() {
    let service = Service::start();
    let path = service.folder.path().join("image");
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_463_000_000);
    fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    let first = service.curl("/image", &["-I"]).await;
    let tag = format!("If-None-Match: {}", first.header("etag").unwrap());
    let date = format!("If-Modified-Since: {}", "Wed, 11 May 2016 20:53:20 GMT");
    for field in [tag, date] {
        let reply = service.curl("/image", &["-H", &field]).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{field}");
        assert_eq!(reply.header("etag"), first.header("etag"));
    }
    let ends = service.ends().await;
    assert!(
        ends.len() == 2 && ends.iter().all(|end| end.end == Some(TransferEnd::Complete) && end.sent == 0)
    );
}

#[tokio::test]
async fn a_connection_goes_on_after_every_kind_of_reply() {
    let service = Service::start();
    service.token.send_replace(Token::new("secret"));
    let url = |path: &str| format!("{}{path}", service.url);
    let mut curl = curl();
    let each = ["-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n"];
    curl.args(each).args(["-I", &url("/image")]);
    curl.arg("--next").args(each).arg(url("/image"));
    curl.arg("--next").args(each).args(["-r", "1-2", &url("/image")]);
    curl.arg("--next").args(each).arg(url("/none/such"));
    curl.arg("--next").args(each).arg(url("/../x%"));
    curl.arg("--next").args(each).args(["-d", "{}", &url("/api/v1/arm")]);
    curl.arg("--next").args(each).args(["-H", "If-None-Match: *", &url("/image")]);
    curl.arg("--next").args(each).arg(url("/healthz"));
    let output = curl.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "200 1\n200 0\n206 0\n404 0\n400 0\n401 0\n304 0\n200 0\n";
    assert_eq!(text, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn no_path_leads_out_of_the_trees() {
    let service = Service::start();
    for path in [
        "/../../etc/passwd",
        "/coreos/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/coreos/..%2f..%2fetc%2fpasswd",
        "/coreos/..%5c..%5cetc",
        "/coreos/%00",
    ] {
        let reply = service.curl(path, &["--path-as-is"]).await;
        assert_eq!(reply.status, 400, "{path}");
        assert!(reply.text().ends_with('\n') && reply.text().lines().count() == 1, "{reply:?}");
    }
    let folder = service.curl("/folder", &[]).await;
    assert_eq!((folder.status, folder.text().contains("not a regular file")), (404, true));
    let asked = service.finish().await.into_iter().filter(|heard| matches!(heard, Message::Ask(..)));
    assert_eq!(asked.count(), 1, "bad paths don't reach the owner");
}

#[tokio::test]
async fn other_methods_are_told_which_would_do() {
    let service = Service::start();
    for (method, path, allow) in [
        ("DELETE", "/image", "get, head"),
        ("POST", "/api/v1/status", "get, head"),
        ("GET", "/api/v1/arm", "post"),
        ("PUT", "/api/v1/nodes/node1/forget", "post"),
    ] {
        let reply = service.curl(path, &["-X", method]).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        assert_eq!(path.starts_with("/api"), reply.header("content-type") == Some("application/json"));
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let service = Service::start();
    let header = format!("X-Filler: {}", "x".repeat(20_000));
    assert_eq!(service.curl("/image", &["-H", &header]).await.status, 431);
    assert_eq!(service.curl(&format!("/{}", "x".repeat(2000)), &[]).await.status, 414);
    let file = service.folder.path().join("body");
    let data = format!("@{}", file.display());
    for length in [70_000, 900_000, 3 << 20] {
        fs::write(&file, vec![b' '; length]).unwrap();
        let reply = service.curl_socket("/api/v1/arm", &["--data-binary", &data]).await;
        assert_eq!((reply.status, reply.error().contains("65536")), (413, true), "{length}");
    }
    assert_eq!(service.curl("/healthz", &[]).await.text(), "ok\n");
}

#[tokio::test]
async fn refusals_say_why() {
    let service = Service::start();
    for (path, status, text) in [
        ("/refused/forbidden", 403, "not without a grant\n"),
        ("/refused/invalid", 400, "it makes no sense\n"),
        ("/refused/conflict", 409, "not now\n"),
        ("/refused/unavailable", 503, "the disk is full\n"),
        ("/current/none", 404, "none is gone\n"),
        ("/ignition", 400, "say for which node: ?mac=00:25:90:c0:f7:86\n"),
    ] {
        let reply = service.curl(path, &[]).await;
        assert_eq!((reply.status, reply.text()), (status, text));
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(service.curl(path, &["-I"]).await.status, status);
    }
    let node = service.curl("/api/v1/nodes/node9", &[]).await;
    assert_eq!((node.status, node.error().as_str()), (404, "there is no such node"));
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].end), (1, Some(TransferEnd::Cut)), "the missing file's");
}

#[tokio::test]
async fn what_is_made_for_a_node_is_never_cached() {
    let service = Service::start();
    let reply = service.curl(&format!("/cloud-configs/{MAC}.yml"), &[]).await;
    assert_eq!((reply.status, reply.text()), (200, format!("#cloud-config {MAC}\n").as_str()));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("text/cloud-config"));
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].sent, ends[0].total), (1, 32, 32));
}

#[tokio::test]
async fn reports_come_from_the_network() {
    let mut service = Service::start();
    let path = format!("/api/v1/nodes/{MAC}/report");
    let body = r#"{"stage":"installing","ok":false,"message":"no disk"}"#;
    let reply = service.curl(&path, &["-d", body]).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "message": "taken" })));
    let report =
        serde_json::from_str(r#"{"stage":"installing","ok":false,"message":"no disk"}"#).expect("a report");
    let mac = MAC.parse().unwrap();
    assert_eq!(
        service.asked().await,
        Ask::Report {
            from: Requester { address: Ipv4Addr::LOCALHOST, hardware: None },
            grant: None,
            mac,
            report
        }
    );
    for bad in ["", "{}", r#"{"stage":"lost","ok":true}"#, "nonsense"] {
        assert_eq!(service.curl(&path, &["-d", bad]).await.status, 400, "{bad}");
    }
    assert_eq!(service.curl_socket(&path, &["-d", body]).await.status, 403);
    assert!(service.finish().await.is_empty(), "nothing else reached the owner");
}

#[tokio::test]
async fn orders_from_the_network_need_the_token() {
    let mut service = Service::start();
    let arm = "/api/v1/arm";
    let bearer = "Authorization: Bearer secret";
    let none = service.curl(arm, &["-d", "{}", "-H", bearer]).await;
    assert_eq!((none.status, none.error().contains("read-only")), (403, true));
    service.token.send_replace(Token::new("secret\n"));
    for options in [&["-d", "{}"][..], &["-d", "{}", "-H", "Authorization: Bearer Secret"]] {
        let reply = service.curl(arm, options).await;
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("bearer")));
    }
    let body = r#"{"for":"5m","live":true,"nodes":["node1"]}"#;
    assert_eq!(service.curl(arm, &["-d", body, "-H", bearer]).await.json()["message"], "taken");
    let arm_for = Some(Duration::from_secs(300));
    let command = Command::Arm {
        arm_for,
        live: true,
        all: false,
        again: false,
        wake: false,
        nodes: vec!["node1".into()],
    };
    assert_eq!(service.asked().await, Ask::Command { source: Source::Web, command });
    assert_eq!(service.curl(arm, &["-d", "{\"for\":\"soon\"}", "-H", bearer]).await.status, 400);
    assert!(service.finish().await.is_empty(), "nothing else reached the owner");
}

#[tokio::test]
async fn the_control_socket_needs_no_token() {
    let mut service = Service::start();
    assert_eq!(fs::metadata(service.socket()).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(service.curl_socket("/api/v1/status", &[]).await.json(), json!({ "view": "Status" }));
    assert_eq!(service.asked().await, Ask::View(View::Status));
    for (path, command) in [
        ("/api/v1/disarm", Command::Disarm),
        ("/api/v1/nodes/node1/reinstall", Command::Reinstall("node1".into())),
        ("/api/v1/nodes/node1/forget", Command::Forget("node1".into())),
    ] {
        assert_eq!(service.curl_socket(path, &["-X", "POST"]).await.status, 200);
        assert_eq!(service.asked().await, Ask::Command { source: Source::Socket, command });
    }
    assert_eq!(service.curl_socket("/image", &[]).await.status, 404);
}

#[tokio::test]
async fn the_command_line_calls_and_follows() {
    let mut service = Service::start();
    let socket = service.socket();
    let (status, body) = client::call(&socket, "GET".parse().unwrap(), "/api/v1/nodes", None).await.unwrap();
    assert_eq!((status.as_u16(), body), (200, json!([])));
    let path = "/api/v1/nodes/the first/forget";
    let (_, body) = client::call(&socket, "POST".parse().unwrap(), path, Some(json!({}))).await.unwrap();
    assert_eq!(body, json!({ "message": "taken" }));
    let command = Command::Forget("the first".into());
    assert_eq!(service.asked().await, Ask::Command { source: Source::Socket, command });
    let (status, body) =
        client::call(&socket, "GET".parse().unwrap(), "/api/v1/nodes/x", None).await.unwrap();
    assert_eq!((status.as_u16(), body), (404, json!({ "error": "there is no such node" })));

    let mut events = client::events(&socket).await.unwrap();
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [] })));
    let node = json!({
        "mac": MAC, "macs": [MAC], "diagnosis": null, "offer_style": null, "loader": null, "name": "node1", "led": 1, "stage": "idle", "stage_seconds": 0, "seen_seconds": null,
        "arch": null, "address": null, "granted": false, "image": null, "failure": null, "installed": null,
        "next_boot": { "leads_to": "disk", "words": "boots its disk", "overwrites": null },
        "writes": 0, "log": "one\ntwo",
    });
    let view: NodeView = serde_json::from_value(node.clone()).unwrap();
    service.showing.show(state([view]));
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [node] })));
    let nodes = service.curl("/api/v1/nodes", &[]).await;
    assert_eq!(nodes.json(), json!([node]));
    let tag = format!("If-None-Match: {}", nodes.header("etag").unwrap());
    let same = service.curl("/api/v1/nodes", &["-H", &tag]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let packed = service.curl("/api/v1/nodes", &["--compressed", "-H", &tag]).await;
    assert_eq!((packed.json(), packed.header("content-encoding")), (json!([node]), Some("gzip")));
    assert_ne!(packed.header("etag"), nodes.header("etag"));
    service.showing.show(state([]));
    assert_eq!(service.curl("/api/v1/nodes", &["-H", &tag]).await.json(), json!([]));
    assert_eq!(events.next().await, Some(json!({ "status": null, "nodes": [] })));
    service.showing.show(state([serde_json::from_value(node).unwrap()]));
    let metrics = service.curl("/metrics", &[]).await;
    assert!(metrics.text().contains("rackberry_nodes{stage=\"idle\"} 1\n"), "{}", metrics.text());
    service.finish().await;
    assert_eq!(events.next().await, None, "the service has ended");
    assert!(matches!(client::events(&socket).await, Err(client::CallError::NotRunning(_))));
}

#[tokio::test]
async fn the_page_needs_nothing_else() {
    let service = Service::start();
    let page = service.curl("/", &[]).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(
        page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert!(!page.text().contains("//"), "it names no other place");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_transfer_once() {
    let service = Service::start();
    let mut curl = curl();
    let mut child = curl.arg(format!("{}/huge", service.url)).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let mut first = [0; 1000];
    tokio::io::AsyncReadExt::read_exact(&mut pipe, &mut first).await.unwrap();
    drop(pipe);
    assert!(!child.wait().await.unwrap().success());
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].end, ends[0].total), (1, Some(TransferEnd::Cut), HUGE));
    assert!((1000..HUGE).contains(&ends[0].sent), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_ends_its_connection_and_nothing_else() {
    let service = Service::start();
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    stream.write_all(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1000];
    stream.read_exact(&mut first).unwrap();
    let huge = service.folder.path().join("huge");
    fs::File::options().write(true).open(huge).unwrap().set_len(1000).unwrap();
    let rest = stream.read_to_end(&mut Vec::new());
    assert!(
        rest.is_err() || rest.is_ok_and(|rest| (rest as u64) < HUGE),
        "the client sees that bytes are missing"
    );
    assert_eq!(service.curl("/healthz", &[]).await.status, 200);
    let ends = service.ends().await;
    assert_eq!((ends.len(), ends[0].end), (1, Some(TransferEnd::Cut)));
}
