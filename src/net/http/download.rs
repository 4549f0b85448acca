//! Files and texts for nodes.

use std::{
    net::Ipv4Addr,
    ops::Range,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName},
};

use super::{
    Shared,
    body::{Body, BodyPiece, FileBody},
    file::{FileError, OpenFile},
    metrics::ResponseKind,
    response::{JSON, No, PLAIN, no, set, string, text, unexpected},
    sendfile::Part,
    transfer::{Ticket, Transfer},
};
use rackberry_core::{
    appliance::{Answer, Ask, Extent, Via},
    http::{
        range::{self, Conditions},
        route::Target,
    },
};

/// What a node asks for, from the trees.
pub(super) async fn fetch(
    shared: &Arc<Shared>,
    peer: Ipv4Addr,
    target: Target,
    request: &Request<Incoming>,
) -> Result<Response<Body>, No> {
    let extent = if request.method() == Method::HEAD { Extent::HeadersOnly } else { Extent::Whole };
    let (handle, alive) = (shared.handle.clone(), shared.alive.clone());
    // A task of its own: when the client goes away while the owner thinks, the answer must not be lost with the
    // number of a transfer in it.
    let asking = tokio::spawn(async move {
        let from = handle.requester(peer).await;
        let answer = handle.ask(Ask::Fetch { from, via: Via::Http, extent, target }).await;
        let transfer = match &answer {
            Answer::File { transfer, .. } | Answer::Text { transfer, .. } => *transfer,
            _ => None,
        };
        (answer, transfer.map(|id| Ticket::new(handle, id, alive)))
    });
    let (answer, ticket) =
        asking.await.map_err(|_| no(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down"))?;
    match answer {
        Answer::File { path, state, .. } => match OpenFile::open(&path, state).await {
            Ok(file) => Ok(send_file(shared, request, &path, file, ticket)),
            Err(error) => Err(no_file(&path, error)),
        },
        Answer::Text { body, media, .. } => {
            Ok(text(&shared.counters, media, body, ResponseKind::Text, ticket))
        }
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

fn send_file(
    shared: &Shared,
    request: &Request<Incoming>,
    path: &Path,
    mut file: OpenFile,
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let plan = range::respond(&conditions, &file.meta, now);
    let total = file.meta.len;
    let status = StatusCode::from_u16(plan.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if status.is_success() {
        let mut response = if head {
            Response::new(Body::Empty)
        } else {
            let part = (plan.start, plan.len, total);
            let transfer = Transfer::new(Arc::clone(&shared.counters), ResponseKind::File, part, ticket);
            let small = file.bytes.take().zip(in_memory(plan.start, plan.len));
            Response::new(match small {
                Some((bytes, part)) => Body::Whole(BodyPiece::new(bytes.slice(part), transfer)),
                None => Body::File(FileBody::new(Part::new(file, (plan.start, plan.len), transfer))),
            })
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
        if let Some(ticket) = ticket {
            ticket.not_sent(total);
        }
        let words = format!("{}: the file has {total} bytes\n", status.canonical_reason().unwrap_or("no"));
        text(&shared.counters, PLAIN, words, ResponseKind::Other, None)
    };
    *response.status_mut() = status;
    for (name, value) in plan.headers {
        set(&mut response, HeaderName::from_static(name), &value);
    }
    response
}

fn in_memory(start: u64, len: u64) -> Option<Range<usize>> {
    Some(usize::try_from(start).ok()?..usize::try_from(start + len).ok()?)
}

fn no_file(path: &Path, error: FileError) -> No {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match error {
        FileError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            no(StatusCode::NOT_FOUND, format!("{name} is gone"))
        }
        FileError::Changed => no(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name} has changed and is looked at again; ask again in some seconds"),
        ),
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
