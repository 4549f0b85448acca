//! hyper on a real socket, files behind it, and clients that read as they like.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::{Response, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    task::JoinHandle,
    time::{advance, timeout},
};

use super::*;
use crate::{
    net::http::{
        body::{Body, FileBody},
        file::OpenFile,
        metrics::ResponseKind,
        transfer::{Ticket, Transfer},
    },
    service::handle::{Handle, Message},
};
use rackberry_core::appliance::{Progress, TransferEnd, TransferId};

/// Longer than a small file, and no multiple of anything.
const LENGTH: usize = 2 * TURN + 12_345;

/// A file, and a connection that sends parts of it.
struct Rig {
    folder: tempfile::TempDir,
    client: UnixStream,
    serving: JoinHandle<hyper::Result<()>>,
    heard: mpsc::Receiver<Message>,
    reset: Arc<AtomicBool>,
}

fn content() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 251) as u8).collect()
}

fn file(folder: &Path) -> PathBuf {
    folder.join("file")
}

impl Rig {
    /// A connection that answers its requests by `parts`, each a start and a length.
    fn new(parts: &[(usize, usize)], patience: Duration) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        fs::write(file(folder.path()), content()).unwrap();
        let (client, server) = UnixStream::pair().unwrap();
        let (handle, heard) = Handle::channel(64);
        let (outlet, lane) = (Arc::<Outlet>::default(), Arc::new(Lane::bulk_only()));
        let reset = Arc::<AtomicBool>::default();
        let connected = Connected::new(server, patience, Arc::clone(&reset), (Arc::clone(&outlet), lane));
        let parts: Vec<_> = parts.into();
        let parts = std::sync::Mutex::new(parts.into_iter());
        let path = file(folder.path());
        let serving = tokio::spawn(async move {
            let service = service_fn(move |_| {
                let (start, len) = parts.lock().unwrap().next().expect("a part for each request");
                let (path, handle, outlet) = (path.clone(), handle.clone(), Arc::clone(&outlet));
                async move {
                    let reply = reply(&path, (start as u64, len as u64), &handle).await;
                    Ok::<_, Infallible>(reply.map(|body| body.on(&outlet)))
                }
            });
            http1::Builder::new().serve_connection(TokioIo::new(connected), service).await
        });
        Rig { folder, client, serving, heard, reset }
    }

    async fn ask(&mut self, times: usize) {
        let requests = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(times);
        self.client.write_all(requests.as_bytes()).await.unwrap();
    }

    /// A reply's head; its length is checked.
    async fn head(&mut self, length: usize) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(&format!("content-length: {length}\r\n")), "{head}");
    }

    /// How the transfers ended: where each began, what was sent, and whether that was all.
    async fn ends(mut self) -> Vec<(usize, usize, bool)> {
        drop(self.client);
        if !self.serving.is_finished() {
            let _ = self.serving.await.unwrap();
        }
        let mut ends = Vec::new();
        while let Some(message) = self.heard.recv().await {
            if let Message::Progress(Progress { start, sent, end: Some(end), .. }) = message {
                ends.push((start as usize, (sent - start) as usize, end == TransferEnd::Complete));
            }
        }
        ends
    }
}

async fn reply(path: &Path, (start, len): (u64, u64), handle: &Handle) -> Response<Body> {
    let ticket = Ticket::new(handle.clone(), TransferId(1), mpsc::channel(1).0);
    let opened = OpenFile::open(path, None).await.unwrap();
    let transfer =
        Transfer::new(Arc::default(), ResponseKind::File, (start, len, LENGTH as u64), Some(ticket));
    let body = Body::File(FileBody::new(Part::new(opened, (start, len), transfer)));
    Response::builder().header(header::CONTENT_LENGTH, len).body(body).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(60);

fn parts() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let part = (0..LENGTH).prop_flat_map(|start| (Just(start), 1..=LENGTH - start));
    prop::collection::vec(part, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn every_part_arrives_whole_however_it_is_read(
        parts in parts(),
        sizes in prop::collection::vec(1_usize..200_000, 1..8),
        is_pipelined: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let content = content();
            let mut rig = Rig::new(&parts, PATIENCE);
            if is_pipelined {
                rig.ask(parts.len()).await;
            }
            let mut sizes = sizes.iter().cycle();
            for (start, len) in &parts {
                if !is_pipelined {
                    rig.ask(1).await;
                }
                rig.head(*len).await;
                let mut at = *start;
                while at < start + len {
                    let mut piece = vec![0; (*sizes.next().unwrap()).min(start + len - at)];
                    rig.client.read_exact(&mut piece).await.unwrap();
                    assert!(piece == content[at..at + piece.len()], "other bytes at {at}");
                    at += piece.len();
                }
            }
            let expected: Vec<_> = parts.iter().map(|(start, len)| (*start, *len, true)).collect();
            assert_eq!(rig.ends().await, expected);
        });
    }
}

/// Asks for the whole file, takes 100,000 bytes of it, does something to the file, and takes the rest. Returns what was
/// counted as sent, and whether that was all.
async fn meanwhile(change: impl FnOnce(&Path)) -> (Vec<u8>, (usize, bool)) {
    let mut rig = Rig::new(&[(0, LENGTH)], PATIENCE);
    rig.ask(1).await;
    rig.head(LENGTH).await;
    let mut got = vec![0; 100_000];
    rig.client.read_exact(&mut got).await.unwrap();
    change(&file(rig.folder.path()));
    let mut piece = vec![0; 100_000];
    while got.len() < LENGTH {
        match rig.client.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(n) => got.extend_from_slice(&piece[..n]),
        }
    }
    let ends = rig.ends().await;
    let [(0, sent, is_complete)] = ends[..] else { panic!("{ends:?}") };
    (got, (sent, is_complete))
}

#[tokio::test]
async fn a_file_that_is_replaced_is_sent_as_it_was() {
    let (got, end) = meanwhile(|path| {
        let new = path.with_extension("new");
        fs::write(&new, vec![0xff; LENGTH]).unwrap();
        fs::rename(new, path).unwrap();
    })
    .await;
    assert_eq!(end, (LENGTH, true));
    assert!(got == content());
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_cut_off_there() {
    let (got, end) =
        meanwhile(|path| fs::File::options().write(true).open(path).unwrap().set_len(9).unwrap()).await;
    assert_eq!(end, (got.len(), false));
    assert!(got.len() < LENGTH);
}

#[tokio::test]
async fn a_file_that_is_written_over_is_cut_off_and_counts_as_such() {
    let (got, end) = meanwhile(|path| fs::write(path, vec![0xff; LENGTH]).unwrap()).await;
    assert_eq!(end, (got.len(), false));
    assert!(got.len() < LENGTH);
}

#[tokio::test]
async fn a_client_that_goes_away_cuts_its_transfer_once() {
    let mut rig = Rig::new(&[(0, LENGTH)], PATIENCE);
    rig.ask(1).await;
    rig.head(LENGTH).await;
    let mut first = [0; 10];
    rig.client.read_exact(&mut first).await.unwrap();
    let ends = rig.ends().await;
    let [(0, sent, false)] = ends[..] else { panic!("{ends:?}") };
    assert!((10..LENGTH).contains(&sent), "{sent}");
}

#[tokio::test]
async fn what_is_not_in_memory_is_read() {
    let mut rig = Rig::new(&[(0, LENGTH)], PATIENCE);
    let open = fs::File::open(file(rig.folder.path())).unwrap();
    open.sync_all().unwrap();
    rustix::fs::fadvise(&open, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    rig.ask(1).await;
    rig.head(LENGTH).await;
    let mut got = vec![0; LENGTH];
    rig.client.read_exact(&mut got).await.unwrap();
    assert!(got == content());
    assert_eq!(rig.ends().await, [(0, LENGTH, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up() {
    let mut rig = Rig::new(&[(0, LENGTH)], PATIENCE);
    rig.ask(1).await;
    let ended = timeout(PATIENCE * 3 / 2, &mut rig.serving).await.expect("given up").unwrap();
    assert!(ended.is_err() && rig.reset.load(Relaxed));
    assert!(matches!(rig.ends().await[..], [(0, _, false)]));
}

#[tokio::test(start_paused = true)]
async fn patience_begins_anew_with_each_byte_that_is_taken() {
    let mut patience = Patience { limit: PATIENCE, times: 1, since: None, waiting: None };
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut waits =
        |patience: &mut Patience, written: Poll<io::Result<usize>>| patience.or_late(written, &mut context);
    for _ in 0..5 {
        assert!(waits(&mut patience, Poll::Pending).is_pending());
        advance(PATIENCE - Duration::from_secs(1)).await;
        assert!(waits(&mut patience, Poll::Pending).is_pending());
        assert!(matches!(waits(&mut patience, Poll::Ready(Ok(1))), Poll::Ready(Ok(1))));
    }
    // A longer wait that was over soon does not prolong the next one.
    patience.times = DRAINING;
    assert!(waits(&mut patience, Poll::Pending).is_pending());
    advance(PATIENCE * 2).await;
    assert!(waits(&mut patience, Poll::Ready(Ok(1))).is_ready());
    patience.times = 1;
    assert!(waits(&mut patience, Poll::Pending).is_pending());
    advance(PATIENCE).await;
    let late = waits(&mut patience, Poll::Pending);
    assert!(matches!(&late, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut), "{late:?}");
}
