//! The order to install, in its one shape: from command line, page and button to what carries it out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::{self, display_duration},
    ids::OrderKind,
    orders::Repeat,
};

/// Let machines install, or boot to RAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// What it lets them do.
    pub kind: OrderKind,
    /// For whom it is.
    pub whom: Whom,
    /// How long; the configured time where absent.
    pub length: Option<Duration>,
    /// Whether a node is meant once more whose install by an earlier order runs, or is just done.
    pub repeat: Repeat,
    /// Whether they are switched on.
    pub power: Power,
}

/// For whom an order is, as its giver says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Every node that is not installed.
    NotInstalled,
    /// Installed ones too, without naming them.
    All,
    /// These, by their names or addresses.
    Named(Vec<String>),
}

impl Whom {
    /// These, or, if none is named, as is said otherwise: who names nodes means these.
    pub fn named_or(nodes: Vec<String>, otherwise: Whom) -> Whom {
        if nodes.is_empty() { otherwise } else { Whom::Named(nodes) }
    }
}

/// Whether nodes are switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// They stay as they are.
    AsItIs,
    /// They are, by Wake-on-LAN.
    Wake,
}

impl Arm {
    /// An order to install, for the configured time.
    pub fn install(whom: Whom) -> Arm {
        Arm { kind: OrderKind::Install, whom, length: None, repeat: Repeat::Same, power: Power::AsItIs }
    }
}

// An [`Arm`] as JSON, the body of `POST /api/v1/arm`.
#[allow(missing_docs, reason = "it would be the description of the body in openapi.json")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArmBody {
    /// How long: `30m`, `2h`; the configured time where absent.
    #[serde(rename = "for")]
    length: Option<String>,
    /// Boot to RAM and stop there.
    live: bool,
    /// Installed nodes too, without naming them.
    all: bool,
    /// Nodes whose install by an earlier order runs, or is just done, are meant once more.
    again: bool,
    /// Switch them on by Wake-on-LAN.
    wake: bool,
    /// Names or hardware addresses; everybody who is not installed where empty.
    nodes: Vec<String>,
}

impl From<&Arm> for ArmBody {
    fn from(arm: &Arm) -> ArmBody {
        ArmBody {
            length: arm.length.map(display_duration),
            live: arm.kind == OrderKind::Live,
            all: arm.whom == Whom::All,
            again: arm.repeat == Repeat::Again,
            wake: arm.power == Power::Wake,
            nodes: match &arm.whom {
                Whom::Named(nodes) => nodes.clone(),
                Whom::NotInstalled | Whom::All => Vec::new(),
            },
        }
    }
}

impl TryFrom<ArmBody> for Arm {
    /// What is wrong with its time.
    type Error = config::DurationError;

    fn try_from(body: ArmBody) -> Result<Arm, config::DurationError> {
        let ArmBody { length, live, all, again, wake, nodes } = body;
        Ok(Arm {
            kind: if live { OrderKind::Live } else { OrderKind::Install },
            whom: Whom::named_or(nodes, if all { Whom::All } else { Whom::NotInstalled }),
            length: length.as_deref().map(config::parse_duration).transpose()?,
            repeat: if again { Repeat::Again } else { Repeat::Same },
            power: if wake { Power::Wake } else { Power::AsItIs },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Arm, String> {
        serde_json::from_str::<ArmBody>(text)
            .map_err(|error| error.to_string())?
            .try_into()
            .map_err(|error: config::DurationError| error.to_string())
    }

    #[test]
    fn the_body_is_read_by_its_names_and_says_what_is_left_out() {
        assert_eq!(read("{}"), Ok(Arm::install(Whom::NotInstalled)));
        assert_eq!(read("{\"all\":true}"), Ok(Arm::install(Whom::All)));
        let named = Whom::Named(vec!["one".into()]);
        assert_eq!(read("{\"all\":true,\"nodes\":[\"one\"]}"), Ok(Arm::install(named)));
        assert!(read("{\"for\":\"soon\"}").is_err() && read("{\"al\":true}").is_err());
    }

    proptest! {
        /// What a command line sends is what the service reads.
        #[test]
        fn what_is_written_is_what_is_read(live: bool, again: bool, wake: bool, seconds in proptest::option::of(1u64..100_000), whom in 0u8..3) {
            let arm = Arm {
                kind: if live { OrderKind::Live } else { OrderKind::Install },
                whom: match whom {
                    0 => Whom::NotInstalled,
                    1 => Whom::All,
                    _ => Whom::Named(vec!["one".into(), "02:00:00:00:00:01".into()]),
                },
                length: seconds.map(Duration::from_secs),
                repeat: if again { Repeat::Again } else { Repeat::Same },
                power: if wake { Power::Wake } else { Power::AsItIs },
            };
            let text = serde_json::to_string(&ArmBody::from(&arm)).unwrap();
            prop_assert_eq!(read(&text), Ok(arm));
        }
    }
}
