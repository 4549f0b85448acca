use std::fmt;

/// Who asked for something. The value is made where the input arrives, so a web request can't claim to be
/// the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A finger on the panel's button.
    Button,
    /// The control socket: somebody with a shell on this machine.
    Socket,
    /// The API on the network, with the token.
    Web,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Button => "the button",
            Self::Socket => "the command line",
            Self::Web => "the network API",
        })
    }
}
