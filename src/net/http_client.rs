//! The command line's side of the control socket.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use tokio::{
    net::UnixStream,
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

/// How long the service may take to answer: it commits to an SD card first.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer, in bytes: thousands of nodes with their logs.
const LONGEST: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum CallError {
    /// Nobody listens.
    #[error("nobody answers at {socket}; is `rackberry serve` running? start it, or name its socket with --socket", socket = .0.display())]
    NotRunning(PathBuf),
    /// The socket is for its group only.
    #[error("you may not use {socket}; join its group (`sudo adduser $USER rackberry`, then log in again), or use sudo", socket = .0.display())]
    NotAllowed(PathBuf),
    /// Anything else about the socket.
    #[error("can't connect to {socket}", socket = socket.display())]
    Socket { socket: PathBuf, source: io::Error },
    /// The path does not fit into a request.
    #[error("{0:?} makes no request")]
    Path(String),
    /// It broke off.
    #[error("the service at {socket} broke off; its log says why (`journalctl -u rackberry`)", socket = socket.display())]
    Broken { socket: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// It takes too long.
    #[error("the service at {socket} does not answer; its log may say why (`journalctl -u rackberry`)", socket = .0.display())]
    Silent(PathBuf),
    /// It is no service of ours, or of another version.
    #[error("what answers at {socket} is no rackberry, or another version (status {status})", socket = socket.display())]
    NotOurs { socket: PathBuf, status: StatusCode },
}

/// Sends one request and reads its answer, which says in its status whether it is a yes.
///
/// # Errors
/// [`CallError`] names the socket and the remedy.
pub async fn call(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(StatusCode, Value), CallError> {
    let calling = async {
        let (response, _connection) = send(socket, method, path, body).await?;
        let status = response.status();
        let content = Limited::new(response.into_body(), LONGEST).collect().await;
        let content = content.map_err(|source| broken(socket, source))?.to_bytes();
        let not_ours = |_| CallError::NotOurs { socket: socket.to_owned(), status };
        Ok((status, serde_json::from_slice(&content).map_err(not_ours)?))
    };
    timeout(PATIENCE, calling).await.unwrap_or_else(|_| Err(CallError::Silent(socket.to_owned())))
}

/// A file that the service gives.
///
/// # Errors
/// [`CallError`] names the socket and the remedy.
pub async fn fetch(socket: &Path, path: &str) -> Result<Vec<u8>, CallError> {
    let fetching = async {
        let (response, _connection) = send(socket, Method::GET, path, None).await?;
        if response.status() != StatusCode::OK {
            return Err(CallError::NotOurs { socket: socket.to_owned(), status: response.status() });
        }
        let content = Limited::new(response.into_body(), LONGEST).collect().await;
        Ok(content.map_err(|source| broken(socket, source))?.to_bytes().to_vec())
    };
    timeout(PATIENCE, fetching).await.unwrap_or_else(|_| Err(CallError::Silent(socket.to_owned())))
}

/// The service's state, each time it changes.
#[derive(Debug)]
pub struct Events {
    content: Incoming,
    /// What has arrived of events that are not complete.
    rest: Vec<u8>,
    _connection: Connection,
}

/// Follows the service's state: `{"status": …, "nodes": […]}`.
///
/// # Errors
/// [`CallError`] names the socket and the remedy.
pub async fn events(socket: &Path) -> Result<Events, CallError> {
    let sending = send(socket, Method::GET, "/api/v1/events", None);
    let sent = timeout(PATIENCE, sending).await;
    let (response, connection) = sent.map_err(|_| CallError::Silent(socket.to_owned()))??;
    if response.status() != StatusCode::OK {
        return Err(CallError::NotOurs { socket: socket.to_owned(), status: response.status() });
    }
    Ok(Events { content: response.into_body(), rest: Vec::new(), _connection: connection })
}

impl Events {
    /// The next state; none when the service has ended. No answer is lost when this is not waited for to the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(event) = take_event(&mut self.rest) {
                if let Ok(state) = serde_json::from_str(&data(&event)) {
                    return Some(state);
                }
            }
            if self.rest.len() > LONGEST {
                return None;
            }
            let frame = self.content.frame().await?.ok()?;
            if let Some(piece) = frame.data_ref() {
                self.rest.extend_from_slice(piece);
            }
        }
    }
}

/// Cuts the first event off, up to its blank line.
fn take_event(rest: &mut Vec<u8>) -> Option<String> {
    let end = rest.windows(2).position(|ends| ends == b"\n\n")? + 2;
    let event = rest.drain(..end).collect::<Vec<u8>>();
    Some(String::from_utf8_lossy(&event).into_owned())
}

/// An event's data, without the comments.
fn data(event: &str) -> String {
    let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// A connection that is served until this is dropped.
#[derive(Debug)]
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<(Response<Incoming>, Connection), CallError> {
    let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            CallError::NotRunning(socket.to_owned())
        }
        io::ErrorKind::PermissionDenied => CallError::NotAllowed(socket.to_owned()),
        _ => CallError::Socket { socket: socket.to_owned(), source },
    })?;
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(escaped(path))
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| CallError::Path(path.to_owned()))?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection): (SendRequest<_>, _) = shaken.map_err(|source| broken(socket, source))?;
    let serving: JoinHandle<_> = tokio::spawn(connection);
    let connection = Connection(serving.abort_handle());
    let response = sender.send_request(request).await.map_err(|source| broken(socket, source))?;
    Ok((response, connection))
}

fn broken(socket: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallError::Broken { socket: socket.to_owned(), source: source.into() }
}

/// What no request target may hold (RFC 3986 section 3.3).
const NOT_IN_TARGETS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path with that percent-encoded: names come as typed.
fn escaped(path: &str) -> String {
    utf8_percent_encode(path, NOT_IN_TARGETS).to_string()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn only_what_no_request_target_may_hold_is_escaped() {
        let all: String =
            (0..128u8).map(char::from).filter(|c| escaped(&c.to_string()) == c.to_string()).collect();
        let mut plain: Vec<char> = all.chars().filter(|c| !c.is_ascii_alphanumeric()).collect();
        let mut meant: Vec<char> = "-._~!$&'()*+,;=:@/?%".chars().collect();
        plain.sort_unstable();
        meant.sort_unstable();
        assert_eq!(plain, meant);
        assert_eq!(escaped("/nodes/a \u{e9}\"%20"), "/nodes/a%20%C3%A9%22%20");
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let error = call(&socket, Method::GET, "/api/v1/status", None).await.unwrap_err();
        assert!(matches!(error, CallError::NotRunning(_)));
        let text = error.to_string();
        assert!(text.contains(socket.to_str().unwrap()) && text.contains("rackberry serve"), "{text}");
        drop(tokio::net::UnixListener::bind(&socket).unwrap());
        assert!(matches!(events(&socket).await, Err(CallError::NotRunning(_))), "a dead service's socket");
    }

    #[tokio::test]
    async fn a_socket_of_others_is_named_with_the_remedy() {
        if rustix::process::geteuid().is_root() {
            return; // Root may use every socket.
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o0)).unwrap();
        let error = call(&socket, Method::GET, "/", None).await.unwrap_err();
        assert!(matches!(error, CallError::NotAllowed(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_service_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let error = call(&socket, Method::GET, "/", None).await.unwrap_err();
        assert!(matches!(error, CallError::Silent(_)), "{error}");
    }

    #[test]
    fn events_are_cut_at_blank_lines() {
        let mut rest = b":\n\ndata: {\"a\":\ndata: 1}\n\ndata: {\"b\"".to_vec();
        assert_eq!(data(&take_event(&mut rest).unwrap()), "");
        assert_eq!(data(&take_event(&mut rest).unwrap()), "{\"a\":\n1}");
        assert_eq!(take_event(&mut rest), None);
        assert_eq!(rest, b"data: {\"b\"");
    }

    #[test]
    fn names_are_sent_as_typed() {
        assert_eq!(escaped("/api/v1/nodes/00:25 ü#/forget"), "/api/v1/nodes/00:25%20%C3%BC%23/forget");
    }
}
