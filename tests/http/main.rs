//! The HTTP server as clients meet it: curl on one side, an owner who answers by rote on the other.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod fixture;
mod orders;

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use rackberry::{
    net::http::{Limits, Token},
    service::handle::Message,
};
use rackberry_core::{
    appliance::{Ask, Extent, Progress, Requester, TransferEnd, TransferId, Via},
    http::route::Route,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::Value;

use fixture::{HUGE, IMAGE, Service, curl, image};

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
    let Ask::Fetch {
        from: Requester { address: peer, .. },
        via: Via::Http,
        extent: Extent::HeadersOnly,
        target,
    } = service.asked().await
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
