//! Orders: their JSON, and who may give them.

use hyper::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use rackberry_core::{
    appliance::{Arm, ArmBody, Command, Report},
    http::route::Api,
};

/// What the network API asks for before it takes orders.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token in a file's text; none if the file is blank.
    pub fn new(text: &str) -> Option<Token> {
        Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Token(text.to_owned()))
    }

    /// Compares in a time that tells nothing but the length.
    fn is(&self, other: &str) -> bool {
        let pairs = self.0.bytes().zip(other.bytes());
        let differences = pairs.fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        self.0.len() == other.len() && differences == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether a network client with this Authorization header may give orders (RFC 6750 section 2.1).
pub(super) fn permit(token: Option<&Token>, authorization: Option<&str>) -> Result<(), (StatusCode, String)> {
    let Some(token) = token else {
        let text = "the network API is read-only: no [http] token_file is configured; use the rackberry command on the machine itself";
        return Err((StatusCode::FORBIDDEN, text.into()));
    };
    let given = authorization.and_then(|value| value.split_once(' '));
    match given {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim()) => Ok(()),
        Some(_) => Err((StatusCode::UNAUTHORIZED, "the token is wrong".into())),
        None => Err((StatusCode::UNAUTHORIZED, "say who you are: Authorization: Bearer TOKEN".into())),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NoBody {}

/// The order that a POST to `api` with this body is; none for what takes no orders.
pub(super) fn command(api: &Api, body: &[u8]) -> Result<Option<Command>, String> {
    let bare = |command| json::<NoBody>(body).map(|NoBody {}| Some(command));
    match api {
        Api::Arm => {
            let arm = Arm::try_from(json::<ArmBody>(body)?).map_err(|error| error.to_string())?;
            Ok(Some(Command::Arm(arm)))
        }
        Api::Disarm => bare(Command::Disarm),
        Api::AcceptLoss => bare(Command::AcceptLoss),
        Api::Reinstall(node) => bare(Command::Reinstall(node.clone())),
        Api::Forget(node) => bare(Command::Forget(node.clone())),
        Api::Wake(node) => bare(Command::Wake(node.clone())),
        Api::OpenApi
        | Api::Status
        | Api::Nodes
        | Api::Node(_)
        | Api::Render(_)
        | Api::Packets(_)
        | Api::Assets
        | Api::Events
        | Api::Report(_) => Ok(None),
    }
}

/// A node's report.
pub(super) fn report(body: &[u8]) -> Result<Report, String> {
    object(body).map_err(|error| format!("the body is no report: {error}"))
}

/// A body that may be left out.
fn json<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, String> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    object(body).map_err(|error| format!("the body makes no sense: {error}"))
}

/// By names only: serde would take a list for a struct, too.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<Map<String, Value>>(body)
        .and_then(|members| serde_json::from_value(members.into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rackberry_core::{
        appliance::{Power, Whom},
        ids::OrderKind,
    };

    use super::*;

    #[test]
    fn orders_are_read() {
        let everybody = Ok(Some(Command::Arm(Arm::install(Whom::NotInstalled))));
        assert_eq!(command(&Api::Arm, b""), everybody);
        assert_eq!(command(&Api::Arm, b" {} "), everybody);
        let body = br#"{"for":"1h30m","live":true,"all":true,"nodes":["node1","00:25:90:c0:f7:86"]}"#;
        let named = Whom::Named(vec!["node1".into(), "00:25:90:c0:f7:86".into()]);
        let length = Some(Duration::from_secs(5400));
        let live = Arm { kind: OrderKind::Live, length, ..Arm::install(named) };
        assert_eq!(command(&Api::Arm, body), Ok(Some(Command::Arm(live))));
        assert_eq!(command(&Api::Disarm, b"{}"), Ok(Some(Command::Disarm)));
        assert_eq!(command(&Api::Forget("n".into()), b""), Ok(Some(Command::Forget("n".into()))));
        assert_eq!(command(&Api::Wake("n".into()), b""), Ok(Some(Command::Wake("n".into()))));
        let wakes = command(&Api::Arm, br#"{"wake":true}"#);
        assert!(matches!(wakes, Ok(Some(Command::Arm(Arm { power: Power::Wake, .. })))), "{wakes:?}");
        assert_eq!(command(&Api::Status, b""), Ok(None));
        for body in ["[]", "{\"fro\":\"30m\"}", "{\"for\":30}", "{\"for\":\"soon\"}", "{", "\u{1}"] {
            assert!(command(&Api::Arm, body.as_bytes()).is_err(), "{body}");
        }
        assert!(command(&Api::Disarm, b"{\"nodes\":[]}").is_err());
    }

    #[test]
    fn reports_are_strict() {
        assert!(report(br#"{"stage":"installing","ok":true}"#).is_ok());
        assert!(report(br#"{"stage":"installing","ok":true,"shell":"x"}"#).is_err());
        assert!(report(br#"["installing",true,"",""]"#).is_err());
        assert!(report(b"").is_err());
    }

    #[test]
    fn the_network_needs_the_token() {
        let token = Token::new("s3cret\n");
        let status =
            |token: Option<&Token>, header| permit(token, header).map_err(|(status, _)| status.as_u16());
        assert_eq!(status(None, Some("Bearer s3cret")), Err(403));
        assert_eq!(status(token.as_ref(), None), Err(401));
        for wrong in ["Bearer ", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer S3cret"]
        {
            assert_eq!(status(token.as_ref(), Some(wrong)), Err(401), "{wrong}");
        }
        assert_eq!(status(token.as_ref(), Some("bearer s3cret")), Ok(()));
        assert!(Token::new(" \n").is_none());
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
