//! What replies are made of: texts, JSON, refusals.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use super::{
    body::{Body, BodyPiece},
    metrics::{Counters, ResponseKind},
    transfer::{Ticket, Transfer},
};
use rackberry_core::{
    appliance::{Answer, Refusal},
    http::route::RouteError,
};

/// Text.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
/// JSON.
pub(super) const JSON: &str = "application/json";
/// The page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// A reply that says no.
#[derive(Debug)]
pub(super) struct No {
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// The methods that would do.
    pub(super) allow: Option<&'static str>,
}

/// No, with this status and these words.
pub(super) fn no(status: StatusCode, text: impl Into<String>) -> No {
    No { status, text: text.into(), allow: None }
}

/// A line of JSON.
pub(super) fn json_text(counters: &Arc<Counters>, value: &Value) -> Response<Body> {
    text(counters, JSON, format!("{value}\n"), ResponseKind::Other, None)
}

/// A text of now: never to be cached.
pub(super) fn text(
    counters: &Arc<Counters>,
    media: &str,
    body: impl Into<Bytes>,
    kind: ResponseKind,
    ticket: Option<Ticket>,
) -> Response<Body> {
    let body = body.into();
    let len = body.len();
    let part = (0, len as u64, len as u64);
    let transfer = Transfer::new(Arc::clone(counters), kind, part, ticket);
    let piece = BodyPiece::new(body, transfer);
    let mut response = Response::new(Body::Whole(piece));
    set(&mut response, header::CONTENT_TYPE, media);
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response.headers_mut().insert(header::CONTENT_LENGTH, len.into());
    response
}

/// Who reads a refusal.
pub(super) enum RefusalReader {
    /// A program, by the API.
    Program,
    /// A boot loader, a script or a person.
    Other,
}

/// A refusal in the form its client reads.
pub(super) fn refusal(counters: &Arc<Counters>, refused: &No, reader: &RefusalReader) -> Response<Body> {
    let mut response = match reader {
        RefusalReader::Program => json_text(counters, &json!({ "error": refused.text })),
        RefusalReader::Other => {
            let line = format!("{}\n", refused.text.replace(['\n', '\r'], " "));
            text(counters, PLAIN, line, ResponseKind::Other, None)
        }
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

/// Sets a header field.
pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // Every value is ours and printable ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A header field that is text.
pub(super) fn string<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The owner answered another question.
pub(super) fn unexpected(answer: &Answer) -> No {
    // Its content may be a secret.
    let kind = match answer {
        Answer::File { .. } => "a file",
        Answer::Text { .. } => "a text",
        Answer::Json(_) => "a view",
        Answer::Done(_) => "done",
        Answer::Refused(_) => "refused",
    };
    tracing::error!(kind, "an answer that fits no question");
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
