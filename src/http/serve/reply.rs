//! From a request to a reply.

use std::{path::Path, sync::Arc, time::SystemTime};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};

use super::{
    Peer, Shared, api,
    body::{Body, Piece},
    events,
    file::{FileBody, FileError, OpenFile},
    metrics::Kind,
    page,
    transfer::{Ticket, Transfer},
};
use crate::{
    appliance::{Answer, Ask, Refusal, Via, View},
    http::{
        range::{self, Conditions},
        route::{self, Api, Route, RouteError},
    },
    ids::Source,
};

const SERVER: &str = concat!("rackberry/", env!("CARGO_PKG_VERSION"));
const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
/// The page needs itself and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A reply that says no.
#[derive(Debug)]
struct No {
    status: StatusCode,
    text: String,
    allow: Option<&'static str>,
}

fn no(status: StatusCode, text: impl Into<String>) -> No {
    No { status, text: text.into(), allow: None }
}

/// Answers one request.
pub(super) async fn reply(shared: Arc<Shared>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let is_api = request.uri().path().starts_with("/api/");
    tracing::trace!(?peer, method = %request.method(), target = %request.uri(), "request");
    let mut response = match dispatch(&shared, peer, request).await {
        Ok(response) => response,
        Err(refused) => refusal(&shared, &refused, is_api),
    };
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static(SERVER));
    shared.counters.response(response.status().as_u16());
    if head {
        // The headers stay: they say what GET would get (RFC 9110 section 9.3.2).
        *response.body_mut() = Body::Empty;
    }
    response
}

async fn dispatch(
    shared: &Arc<Shared>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Body>, No> {
    let route = route::parse(request.uri().path(), request.uri().query())?;
    let allow = match route {
        Route::Api(Api::Arm | Api::Disarm | Api::Report(_) | Api::Reinstall(_) | Api::Forget(_)) => "POST",
        _ => "GET, HEAD",
    };
    if !allow.split(", ").any(|method| method == request.method().as_str()) {
        let text = format!("{} is not for this; use {allow}", request.method());
        return Err(No { status: StatusCode::METHOD_NOT_ALLOWED, text, allow: Some(allow) });
    }
    match route {
        Route::Api(Api::Status) => view(shared, View::Status).await,
        Route::Api(Api::Nodes) => view(shared, View::Nodes).await,
        Route::Api(Api::Node(node)) => view(shared, View::Node(node)).await,
        Route::Api(Api::Events) => follow(shared),
        Route::Api(Api::Report(mac)) => {
            let Peer::Network(peer) = peer else {
                return Err(no(
                    StatusCode::FORBIDDEN,
                    "a report comes from the node itself, over the network",
                ));
            };
            let report =
                api::report(&body(shared, request).await?).map_err(|e| no(StatusCode::BAD_REQUEST, e))?;
            done(shared, Ask::Report { peer, mac, report }).await
        }
        Route::Api(api) => order(shared, peer, &api, request).await,
        Route::Health => Ok(text(shared, PLAIN, "ok\n".into(), Kind::Other, None)),
        Route::Metrics => {
            let media = "text/plain; version=0.0.4; charset=utf-8";
            Ok(text(shared, media, shared.counters.render(), Kind::Other, None))
        }
        Route::Page => {
            let (status, nodes) = (look(shared, View::Status).await?, look(shared, View::Nodes).await?);
            let mut response = text(shared, HTML, page::render(&status, &nodes), Kind::Other, None);
            set(&mut response, header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
            Ok(response)
        }
        route => {
            let Peer::Network(peer) = peer else {
                return Err(no(StatusCode::NOT_FOUND, "files are not given over the control socket"));
            };
            fetch(shared, peer, route, &request).await
        }
    }
}

async fn order(
    shared: &Arc<Shared>,
    peer: Peer,
    api: &Api,
    request: Request<Incoming>,
) -> Result<Response<Body>, No> {
    let source = match peer {
        Peer::Socket => Source::Socket,
        Peer::Network(_) => {
            let authorization = string(request.headers(), &header::AUTHORIZATION);
            api::permit(shared.token.borrow().as_ref(), authorization)
                .map_err(|(status, text)| no(status, text))?;
            Source::Web
        }
    };
    let body = body(shared, request).await?;
    let command = api::command(api, &body).map_err(|error| no(StatusCode::BAD_REQUEST, error))?;
    match command {
        Some(command) => done(shared, Ask::Command { source, command }).await,
        None => Err(no(StatusCode::NOT_FOUND, "this takes no orders")),
    }
}

async fn done(shared: &Arc<Shared>, ask: Ask) -> Result<Response<Body>, No> {
    match shared.handle.ask(ask).await {
        Answer::Done(message) => Ok(json_text(shared, &json!({ "message": message }))),
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

async fn look(shared: &Arc<Shared>, view: View) -> Result<Value, No> {
    match shared.handle.ask(Ask::View(view)).await {
        Answer::Json(value) => Ok(value),
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

async fn view(shared: &Arc<Shared>, view: View) -> Result<Response<Body>, No> {
    look(shared, view).await.map(|value| json_text(shared, &value))
}

fn follow(shared: &Arc<Shared>) -> Result<Response<Body>, No> {
    let Ok(slot) = Arc::clone(&shared.event_clients).try_acquire_owned() else {
        return Err(no(StatusCode::SERVICE_UNAVAILABLE, "too many clients follow the events already"));
    };
    let (send, receive) = mpsc::channel(1);
    let (states, stop) = (shared.states.clone(), shared.stop.clone());
    tokio::spawn(async move {
        events::feed(states, send, stop).await;
        drop(slot);
    });
    let transfer = Transfer::new(Arc::clone(&shared.counters), Kind::Events, (0, u64::MAX, u64::MAX), None);
    let mut response = Response::new(Body::Events(receive, transfer));
    set(&mut response, header::CONTENT_TYPE, "text/event-stream");
    set(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

/// What a node asks for, from the trees.
async fn fetch(
    shared: &Arc<Shared>,
    peer: std::net::Ipv4Addr,
    route: Route,
    request: &Request<Incoming>,
) -> Result<Response<Body>, No> {
    let head = request.method() == Method::HEAD;
    let ask = Ask::Fetch { peer, via: Via::Http, head, route };
    let (handle, alive) = (shared.handle.clone(), shared.alive.clone());
    // A task of its own: when the client goes away while the owner thinks, the answer must not be lost with the
    // number of a transfer in it.
    let asking = tokio::spawn(async move {
        let answer = handle.ask(ask).await;
        let transfer = match &answer {
            Answer::File { transfer, .. } | Answer::Text { transfer, .. } => *transfer,
            _ => None,
        };
        (answer, transfer.map(|id| Ticket::new(handle, id, alive)))
    });
    let (answer, ticket) =
        asking.await.map_err(|_| no(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down"))?;
    match answer {
        Answer::File { path, .. } => {
            let opening = path.clone();
            let opened = spawn_blocking(move || OpenFile::open(&opening)).await;
            match opened.unwrap_or_else(|ended| Err(std::io::Error::other(ended).into())) {
                Ok(file) => Ok(send_file(shared, request, &path, file, ticket)),
                Err(error) => Err(no_file(&path, error)),
            }
        }
        Answer::Text { body, media, .. } => Ok(text(shared, media, body, Kind::Text, ticket)),
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

fn send_file(
    shared: &Shared,
    request: &Request<Incoming>,
    path: &Path,
    file: OpenFile,
    ticket: Option<Ticket>,
) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let field = |name| string(request.headers(), &name);
    let conditions = Conditions {
        head,
        range: field(header::RANGE),
        if_range: field(header::IF_RANGE),
        if_match: field(header::IF_MATCH),
        if_none_match: field(header::IF_NONE_MATCH),
        if_modified_since: field(header::IF_MODIFIED_SINCE),
        if_unmodified_since: field(header::IF_UNMODIFIED_SINCE),
    };
    #[allow(clippy::disallowed_methods)] // What the response's Date will say; an adapter may ask.
    let now = SystemTime::now();
    let plan = range::respond(&conditions, &file.meta, now);
    let total = file.meta.len;
    let status = StatusCode::from_u16(plan.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if status.is_success() {
        let mut response = if head {
            Response::new(Body::Empty)
        } else {
            let part = (plan.start, plan.len, total);
            let transfer = Transfer::new(Arc::clone(&shared.counters), Kind::File, part, ticket);
            Response::new(Body::File(FileBody::new(file, plan.start, plan.len, transfer)))
        };
        set(&mut response, header::CONTENT_TYPE, media(path));
        response.headers_mut().insert(header::CONTENT_LENGTH, plan.len.into());
        response
    } else if status == StatusCode::NOT_MODIFIED {
        if let Some(ticket) = ticket {
            ticket.not_needed(total);
        }
        Response::new(Body::Empty)
    } else {
        let words = format!("{}: the file has {total} bytes\n", status.canonical_reason().unwrap_or("no"));
        text(shared, PLAIN, words, Kind::Other, None)
    };
    *response.status_mut() = status;
    for (name, value) in plan.headers {
        set(&mut response, HeaderName::from_static(name), &value);
    }
    response
}

fn no_file(path: &Path, error: FileError) -> No {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match error {
        FileError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            no(StatusCode::NOT_FOUND, format!("{name} is gone"))
        }
        FileError::NotRegular => no(StatusCode::NOT_FOUND, format!("{name} is not a regular file")),
        FileError::Io(error) => {
            tracing::warn!(path = %path.display(), %error, "can't open a file that was asked for");
            no(StatusCode::INTERNAL_SERVER_ERROR, format!("{name} can't be opened: {error}"))
        }
    }
}

/// UEFI firmware looks at the type of what it is to boot; for the rest, the name is enough.
fn media(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "efi" => "application/efi",
        "iso" => "application/vnd.efi-iso",
        "txt" | "cfg" | "asc" => PLAIN,
        "json" | "ign" => JSON,
        _ => "application/octet-stream",
    }
}

async fn body(shared: &Shared, request: Request<Incoming>) -> Result<Vec<u8>, No> {
    let limit = shared.limits.body;
    let too_long = || no(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"));
    let body = request.into_body();
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    match timeout(shared.limits.body_time, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => Err(no(StatusCode::BAD_REQUEST, format!("the body can't be read: {error}"))),
        Err(_) => Err(no(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

fn json_text(shared: &Shared, value: &Value) -> Response<Body> {
    text(shared, JSON, format!("{value}\n"), Kind::Other, None)
}

/// A text of now: never to be cached.
fn text(shared: &Shared, media: &str, body: String, kind: Kind, ticket: Option<Ticket>) -> Response<Body> {
    let len = body.len();
    let part = (0, len as u64, len as u64);
    let transfer = Transfer::new(Arc::clone(&shared.counters), kind, part, ticket);
    let piece = (len > 0).then(|| Piece::new(body.into_bytes(), len, transfer));
    let mut response = Response::new(Body::Whole(piece));
    set(&mut response, header::CONTENT_TYPE, media);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
    response
}

fn refusal(shared: &Shared, refused: &No, is_api: bool) -> Response<Body> {
    let mut response = if is_api {
        json_text(shared, &json!({ "error": refused.text }))
    } else {
        text(shared, PLAIN, format!("{}\n", refused.text.replace(['\n', '\r'], " ")), Kind::Other, None)
    };
    *response.status_mut() = refused.status;
    if let Some(allow) = refused.allow {
        set(&mut response, header::ALLOW, allow);
    }
    if refused.status == StatusCode::UNAUTHORIZED {
        set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
    }
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // Every value is ours and printable ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn string<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unexpected(answer: &Answer) -> No {
    tracing::error!(?answer, "an answer that fits no question");
    no(StatusCode::INTERNAL_SERVER_ERROR, "the service made a mistake; its log has the details")
}

impl From<RouteError> for No {
    fn from(error: RouteError) -> No {
        let status = match error {
            RouteError::TooLong => StatusCode::URI_TOO_LONG,
            RouteError::NotFound(_) => StatusCode::NOT_FOUND,
            RouteError::BadEscape
            | RouteError::NotUtf8
            | RouteError::BadCharacter(_)
            | RouteError::Escapes
            | RouteError::BadQuery(_) => StatusCode::BAD_REQUEST,
        };
        no(status, error.to_string())
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        let status = match refusal {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        no(status, refusal.to_string())
    }
}
