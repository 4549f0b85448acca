//! From a request to a reply.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Peer, Shared, api,
    body::Body,
    download::fetch,
    events,
    metrics::ResponseKind,
    openapi, page,
    response::{HTML, No, PLAIN, RefusalReader, json_text, no, refusal, set, string, text, unexpected},
    transfer::Transfer,
};
use crate::service::seen::Snapshot;
use rackberry_core::{
    appliance::{Answer, Ask, View},
    http::{
        host,
        route::{self, Api, Route, Target},
    },
    ids::{Mac, Source},
};

const SERVER: &str = concat!("rackberry/", env!("CARGO_PKG_VERSION"));
/// How much of a body that is too long is read and dropped, as a multiple of what is allowed, so that its client
/// reads the refusal rather than see the connection break.
const DROPPED: usize = 16;
/// The page needs itself and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const RENDERED_HERE: &str =
    "what a node would be given is shown on the machine itself only: `rackberry node show --render`";
const PACKETS_HERE: &str = "packets are given on the machine itself only: `rackberry report save`";
const REPORTS_BY_NODE: &str = "a report comes from the node itself, over the network";

/// Answers one request.
pub(super) async fn respond(shared: Arc<Shared>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let reader = match request.uri().path().starts_with("/api/") {
        true => RefusalReader::Program,
        false => RefusalReader::Other,
    };
    tracing::trace!(?peer, method = %request.method(), target = %request.uri(), "request");
    let mut response = match dispatch(&shared, peer, request).await {
        Ok(response) => response,
        Err(refused) => refusal(&shared.counters, &refused, &reader),
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
    let Target { grant, route } = route::parse(request.uri().path(), request.uri().query())?;
    if matches!(route, Route::Api(_) | Route::Metrics | Route::Page) && matches!(peer, Peer::Network(_)) {
        require_own_name(shared, &request)?;
    }
    require_method(&route, request.method())?;
    match route {
        Route::Api(Api::OpenApi) => Ok(json_text(&shared.counters, &openapi::DOCUMENT)),
        Route::Api(Api::Status) => view(shared, View::Status).await,
        Route::Api(Api::Nodes) => {
            Ok(shared.nodes_text.reply(&now(shared).await?, request.headers(), &shared.counters))
        }
        Route::Api(Api::Node(node)) => view(shared, View::Node(node)).await,
        Route::Api(Api::Render(node)) => match peer {
            Peer::Socket => view(shared, View::Render(node)).await,
            Peer::Network(_) => Err(no(StatusCode::FORBIDDEN, RENDERED_HERE)),
        },
        Route::Api(Api::Packets(node)) => match peer {
            Peer::Socket => packets(shared, node).await,
            Peer::Network(_) => Err(no(StatusCode::FORBIDDEN, PACKETS_HERE)),
        },
        Route::Api(Api::Assets) => view(shared, View::Assets).await,
        Route::Api(Api::Events) => follow(shared, peer).await,
        Route::Api(Api::Report(mac)) => {
            let Peer::Network(peer) = peer else {
                return Err(no(StatusCode::FORBIDDEN, REPORTS_BY_NODE));
            };
            let report = api::report(&body(shared, request.into_body()).await?)
                .map_err(|e| no(StatusCode::BAD_REQUEST, e))?;
            let from = shared.handle.requester(peer).await;
            done(shared, Ask::Report { from, grant, mac, report }).await
        }
        Route::Api(api) => order(shared, peer, &api, request).await,
        Route::Health => {
            // Healthy is an owner that answers.
            look(shared, View::Status).await?;
            Ok(text(&shared.counters, PLAIN, "ok\n", ResponseKind::Other, None))
        }
        Route::Metrics => {
            let media = "text/plain; version=0.0.4; charset=utf-8";
            Ok(text(
                &shared.counters,
                media,
                shared.counters.render(&now(shared).await?),
                ResponseKind::Other,
                None,
            ))
        }
        Route::Page => show_page(shared).await,
        route => {
            let Peer::Network(peer) = peer else {
                return Err(no(StatusCode::NOT_FOUND, "files are not given over the control socket"));
            };
            fetch(shared, peer, Target { grant, route }, &request).await
        }
    }
}

fn require_method(route: &Route, method: &Method) -> Result<(), No> {
    let allow = match route {
        Route::Api(
            Api::Arm
            | Api::Disarm
            | Api::AcceptLoss
            | Api::Report(_)
            | Api::Reinstall(_)
            | Api::Forget(_)
            | Api::Wake(_),
        ) => "POST",
        _ => "GET, HEAD",
    };
    if allow.split(", ").any(|allowed| allowed == method.as_str()) {
        return Ok(());
    }
    let text = format!("{method} is not for this; use {allow}");
    Err(No { status: StatusCode::METHOD_NOT_ALLOWED, text, allow: Some(allow) })
}

async fn show_page(shared: &Arc<Shared>) -> Result<Response<Body>, No> {
    let (status, nodes) = (look(shared, View::Status).await?, now(shared).await?);
    let nodes = json!(nodes.node_views().collect::<Vec<_>>());
    let mut response = text(&shared.counters, HTML, page::render(&status, &nodes), ResponseKind::Other, None);
    set(&mut response, header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    Ok(response)
}

/// Refuses what comes by a name of the Internet's: a page of somebody's own may have made that lead here.
fn require_own_name(shared: &Shared, request: &Request<Incoming>) -> Result<(), No> {
    // A target may be a whole URL, whose name counts then (RFC 9112 section 3.2.2).
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?."));
    let named = request.uri().host().or(named);
    let settings = shared.settings.borrow();
    let system = rustix::system::uname();
    let own = host::Own { domain: settings.dhcp.domain.as_deref(), name: system.nodename().to_str().ok() };
    if host::is_meant(named, own) {
        return Ok(());
    }
    let address = settings.network.address;
    Err(no(
        StatusCode::MISDIRECTED_REQUEST,
        format!(
            "this is not the host that was asked for; call it by its address, {address}, or by a name in dhcp.domain"
        ),
    ))
}

async fn order(
    shared: &Arc<Shared>,
    peer: Peer,
    api: &Api,
    request: Request<Incoming>,
) -> Result<Response<Body>, No> {
    let (head, content) = request.into_parts();
    // Read before anything is refused, so that the connection can go on.
    let body = body(shared, content).await?;
    let source = match peer {
        Peer::Socket => Source::Socket,
        Peer::Network(client) => {
            let authorization = string(&head.headers, &header::AUTHORIZATION);
            if authorization.is_some() && !shared.guesses.may_try(client) {
                return Err(no(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; wait some seconds"));
            }
            api::permit(shared.token.borrow().as_ref(), authorization).map_err(|(status, text)| {
                if authorization.is_some() {
                    shared.guesses.was_wrong(client);
                }
                no(status, text)
            })?;
            Source::Web
        }
    };
    let command = api::command(api, &body).map_err(|error| no(StatusCode::BAD_REQUEST, error))?;
    match command {
        Some(command) => done(shared, Ask::Command { source, command }).await,
        None => Err(no(StatusCode::NOT_FOUND, "this takes no orders")),
    }
}

/// A request's body, whole.
async fn body(shared: &Shared, mut content: Incoming) -> Result<Vec<u8>, No> {
    let limit = shared.limits.body;
    let too_long = || no(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"));
    let most = limit.saturating_mul(DROPPED);
    if content.size_hint().lower() > most as u64 {
        return Err(too_long());
    }
    let reading = async {
        let (mut whole, mut length) = (Vec::new(), 0_usize);
        while let Some(frame) = content.frame().await {
            let frame = frame
                .map_err(|error| no(StatusCode::BAD_REQUEST, format!("the body can't be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            length = length.saturating_add(data.len());
            if length <= limit {
                whole.extend_from_slice(&data);
            } else if length > most {
                break;
            }
        }
        if length > limit { Err(too_long()) } else { Ok(whole) }
    };
    match timeout(shared.limits.body_time, reading).await {
        Ok(read) => read,
        Err(_) => Err(no(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

async fn done(shared: &Arc<Shared>, ask: Ask) -> Result<Response<Body>, No> {
    match shared.handle.ask(ask).await {
        Answer::Done(message) => Ok(json_text(&shared.counters, &json!({ "message": message }))),
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
    look(shared, view).await.map(|value| json_text(&shared.counters, &value))
}

/// The state as it is now.
async fn now(shared: &Shared) -> Result<Snapshot, No> {
    let gone = || no(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down");
    shared.handle.look().await.ok_or_else(gone)
}

async fn packets(shared: &Arc<Shared>, node: Option<String>) -> Result<Response<Body>, No> {
    let macs: Option<Vec<Mac>> = match node {
        Some(node) => {
            let mut known = look(shared, View::Node(node)).await?;
            Some(serde_json::from_value(known["macs"].take()).unwrap_or_default())
        }
        None => None,
    };
    let file = shared.handle.packets().pcap(macs.as_deref());
    Ok(text(&shared.counters, "application/vnd.tcpdump.pcap", file, ResponseKind::Other, None))
}

async fn follow(shared: &Arc<Shared>, peer: Peer) -> Result<Response<Body>, No> {
    let slot = Arc::clone(&shared.event_clients).try_acquire_owned().ok();
    // Whoever has a shell here gets in even when the network takes every place.
    if slot.is_none() && matches!(peer, Peer::Network(_)) {
        return Err(no(StatusCode::SERVICE_UNAVAILABLE, "too many clients follow the events already"));
    }
    let (send, receive) = mpsc::channel(1);
    let (lines, stop) = (shared.lines.subscribe(), shared.stop.clone());
    shared.followed.notify_one();
    let first = events::line(&now(shared).await?);
    shared.lines.send_replace(first);
    tokio::spawn(async move {
        events::feed(lines, send, stop).await;
        drop(slot);
    });
    let transfer =
        Transfer::new(Arc::clone(&shared.counters), ResponseKind::Events, (0, u64::MAX, u64::MAX), None);
    let mut response = Response::new(Body::Events(receive, transfer));
    set(&mut response, header::CONTENT_TYPE, "text/event-stream");
    set(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}
