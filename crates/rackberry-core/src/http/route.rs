//! The trees that clients ask for, the same over HTTP and TFTP.

mod path;
mod pxelinux;

use crate::{
    ids::{Mac, folded},
    profiles::ConfigKind,
};

/// Longest path or query that is looked at, in bytes, before decoding.
pub const LONGEST_PATH: usize = 1024;
/// Longest segment, in bytes, after decoding: what file systems allow for a name.
pub const LONGEST_SEGMENT: usize = 255;

/// What a path means, and by which grant: rendered menus and scripts name `/g/TOKEN/` before every path, so that
/// an old one can't begin an install, and a proxy or NAT can't mix nodes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The grant's token, where the path names one.
    pub grant: Option<String>,
    /// What the rest of the path asks for.
    pub route: Route,
}

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A file of an operating system or a loader: `/VERSION/FILE`, `/PROFILE/VERSION/FILE`,
    /// `/static/VERSION/FILE` (without its `static`), `pxelinux.0`. Cleaned: no empty, `.` or `..` segment, no
    /// NUL, no control character, no slash or backslash inside a segment.
    File(Vec<String>),
    /// `/VERSION/version.txt`, `/static/current/version.txt` and so on are files too; this is the rendered
    /// pxelinux menu: `pxelinux.cfg/NAME`, in any folder, because pxelinux looks beside itself. Other names than those
    /// that it asks for by itself are files of somebody's own menus.
    PxelinuxMenu(String),
    /// `grub/grub.cfg` or `grub/grub.cfg-NAME`, rendered, in any folder (signed GRUBs have one built in);
    /// holds the file's name, `grub.cfg` or `grub.cfg-NAME`.
    GrubMenu(String),
    /// A node's configuration: `/cloud-configs/MAC.yml`, `/static/cloud-configs/MAC.yml`, `/ignition?mac=MAC`; or of
    /// whichever kind there is: `/cloud-config/MAC`.
    NodeConfig(Mac, Option<ConfigKind>),
    /// `/cloud-configs/FILE`, any other file of that folder: its path there.
    ConfigFile(Vec<String>),
    /// `/cloud-configs/install.sh`, `/static/cloud-config/install.sh`, `/profile/install.sh`.
    InstallScript,
    /// `/profile/NAME`: another text that the node's profile makes for it.
    ProfileText(String),
    /// `/boot.ipxe?mac=MAC`
    IpxeScript(Mac),
    /// `/api/v1/...`
    Api(Api),
    /// `/healthz`
    Health,
    /// `/metrics`
    Metrics,
    /// `/`
    Page,
}

/// The part of the tree below `/api/v1/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// GET openapi.json
    OpenApi,
    /// GET status
    Status,
    /// GET nodes
    Nodes,
    /// GET nodes/NODE
    Node(String),
    /// GET nodes/NODE/render: what it would be given; on the control socket only, since secrets may be in it
    Render(String),
    /// GET packets, GET nodes/NODE/packets: the last DHCP packets of all machines or of one, as a pcap file; on the control
    /// socket only
    Packets(Option<String>),
    /// GET assets
    Assets,
    /// GET events (server-sent)
    Events,
    /// POST arm
    Arm,
    /// POST disarm
    Disarm,
    /// POST accept-loss
    AcceptLoss,
    /// POST nodes/MAC/report
    Report(Mac),
    /// POST nodes/NODE/reinstall
    Reinstall(String),
    /// POST nodes/NODE/forget
    Forget(String),
    /// POST nodes/NODE/wake
    Wake(String),
}

/// Why a path means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// HTTP 414, TFTP error 0.
    #[error("the path is longer than {LONGEST_PATH} bytes, or a name in it than {LONGEST_SEGMENT}")]
    TooLong,
    /// HTTP 400: `%` without two hexadecimal digits after it (RFC 3986 section 2.1).
    #[error("the path has a % that no two hexadecimal digits follow")]
    BadEscape,
    /// HTTP 400: the decoded bytes are not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// HTTP 400: a character that no file of ours has in its name.
    #[error("the path has the character {0:?} in a name")]
    BadCharacter(char),
    /// HTTP 400: `..`, in any spelling.
    #[error("the path has .. in it")]
    Escapes,
    /// HTTP 400: a query parameter is missing, given twice, or makes no sense.
    #[error("{0}")]
    BadQuery(String),
    /// HTTP 404: nothing can be there. Files that may or may not be there are [`Route::File`].
    #[error("there is no {0}")]
    NotFound(String),
}

/// What an HTTP request target means: the raw, percent-encoded path and query.
///
/// It is decoded once, segment by segment, so that `%2F` never becomes a separator (it is refused, as are
/// `%5C` and backslashes, which are separators elsewhere) and `%252e` never a dot. Doubled slashes count as one,
/// because installers append `/VERSION/FILE` to base URLs that end in a slash.
///
/// # Errors
/// Each [`RouteError`] names its HTTP status.
pub fn parse(path: &str, query: Option<&str>) -> Result<Target, RouteError> {
    if path.len() > LONGEST_PATH || query.is_some_and(|query| query.len() > LONGEST_PATH) {
        return Err(RouteError::TooLong);
    }
    let segments = path::from_url(path)?;
    granted(Asked { segments, is_folder: path.ends_with('/'), query })
}

/// What a TFTP file name means. It is not percent-encoded. Leading and doubled slashes don't count, and a
/// backslash is a slash: PXE firmware and Windows loaders send DOS paths. The name may have a query
/// (`boot.ipxe?mac=MAC`), for iPXE binaries without HTTP.
///
/// # Errors
/// The errors of [`parse`]; also [`RouteError::NotFound`] for what exists over HTTP only.
pub fn tree(name: &str) -> Result<Target, RouteError> {
    let (path, query) = match name.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (name, None),
    };
    if name.len() > LONGEST_PATH {
        return Err(RouteError::TooLong);
    }
    let segments = path::from_file_name(path)?;
    match granted(Asked { segments, is_folder: path.ends_with(['/', '\\']), query })? {
        Target { route: Route::Api(_) | Route::Health | Route::Metrics | Route::Page, .. } => {
            Err(RouteError::NotFound(format!("{name:?} over TFTP")))
        }
        target => Ok(target),
    }
}

/// A path and its query, in their parts.
struct Asked<'a> {
    segments: Vec<String>,
    /// It ended in a slash.
    is_folder: bool,
    query: Option<&'a str>,
}

fn granted(mut asked: Asked<'_>) -> Result<Target, RouteError> {
    let segments = &mut asked.segments;
    if segments.first().is_none_or(|first| first != "g") || segments.len() < 3 {
        return Ok(Target { grant: None, route: meaning(asked)? });
    }
    let rest = segments.split_off(2);
    let grant = segments.pop();
    match meaning(Asked { segments: rest, ..asked })? {
        // People's part of the tree has no grant.
        Route::Api(Api::Report(mac)) => Ok(Target { grant, route: Route::Api(Api::Report(mac)) }),
        Route::Api(_) | Route::Health | Route::Metrics | Route::Page => {
            Err(RouteError::NotFound("such path below a grant".into()))
        }
        route => Ok(Target { grant, route }),
    }
}

fn meaning(Asked { mut segments, is_folder, query }: Asked<'_>) -> Result<Route, RouteError> {
    if segments.is_empty() {
        return Ok(Route::Page);
    }
    if is_folder {
        return Err(RouteError::NotFound(format!("list of {}", segments.join("/"))));
    }
    if folded(&segments[0]) == "static" && segments.len() > 1 {
        segments.remove(0);
    }
    let not_found = || RouteError::NotFound(segments.join("/"));
    let known: Vec<String> = segments.iter().map(|segment| folded(segment)).collect();
    let parts: Vec<&str> = known.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["healthz"] => Ok(Route::Health),
        ["metrics"] => Ok(Route::Metrics),
        ["ignition"] => mac_of(query).map(|mac| Route::NodeConfig(mac, Some(ConfigKind::Ignition))),
        ["boot.ipxe"] => mac_of(query).map(Route::IpxeScript),
        ["api", "v1", ..] => {
            let rest: Vec<&str> = segments[2..].iter().map(String::as_str).collect();
            api(&rest).map(Route::Api)
        }
        ["api", ..] => Err(not_found()),
        ["cloud-config" | "cloud-configs" | "profile", "install.sh"] => Ok(Route::InstallScript),
        ["profile", _] => Ok(Route::ProfileText(segments.swap_remove(1))),
        // What an installer's answers name beside themselves.
        ["profile", _, ..] => Ok(Route::ConfigFile(segments.split_off(1))),
        ["cloud-config" | "cloud-configs", name] => {
            Ok(node_config(name).unwrap_or_else(|| Route::ConfigFile(segments.split_off(1))))
        }
        ["cloud-config" | "cloud-configs", _, ..] => Ok(Route::ConfigFile(segments.split_off(1))),
        [.., "pxelinux.cfg", name] if pxelinux::asks_for(name) => Ok(Route::PxelinuxMenu((*name).to_owned())),
        [folders @ .., name] if folders.contains(&"pxelinux.cfg") && !name.is_empty() => {
            let start = folders.iter().position(|folder| *folder == "pxelinux.cfg").unwrap_or_default();
            Ok(Route::File(segments.split_off(start)))
        }
        [.., "grub", name] if *name == "grub.cfg" || name.starts_with("grub.cfg-") => {
            Ok(Route::GrubMenu((*name).to_owned()))
        }
        _ => Ok(Route::File(segments)),
    }
}

/// `MAC`, or `MAC.EXTENSION` of a kind of configuration.
fn node_config(name: &str) -> Option<Route> {
    if let Ok(mac) = Mac::from_file_stem(name) {
        return Some(Route::NodeConfig(mac, None));
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let kind = ConfigKind::of_extension(extension)?;
    Some(Route::NodeConfig(Mac::from_file_stem(stem).ok()?, Some(kind)))
}

fn api(rest: &[&str]) -> Result<Api, RouteError> {
    match rest {
        ["openapi.json"] => Ok(Api::OpenApi),
        ["status"] => Ok(Api::Status),
        ["nodes"] => Ok(Api::Nodes),
        ["assets"] => Ok(Api::Assets),
        ["events"] => Ok(Api::Events),
        ["arm"] => Ok(Api::Arm),
        ["disarm"] => Ok(Api::Disarm),
        ["accept-loss"] => Ok(Api::AcceptLoss),
        ["nodes", node] => Ok(Api::Node((*node).to_owned())),
        ["packets"] => Ok(Api::Packets(None)),
        ["nodes", node, "packets"] => Ok(Api::Packets(Some((*node).to_owned()))),
        ["nodes", node, "render"] => Ok(Api::Render((*node).to_owned())),
        ["nodes", mac, "report"] => mac
            .parse()
            .map(Api::Report)
            .map_err(|_| RouteError::NotFound(format!("node {mac:?} that could report; name it by its MAC"))),
        ["nodes", node, "wake"] => Ok(Api::Wake((*node).to_owned())),
        ["nodes", node, "reinstall"] => Ok(Api::Reinstall((*node).to_owned())),
        ["nodes", node, "forget"] => Ok(Api::Forget((*node).to_owned())),
        _ => Err(RouteError::NotFound(format!("api/v1/{}", rest.join("/")))),
    }
}

/// The value of `mac=`; other parameters may say what else they like.
fn mac_of(query: Option<&str>) -> Result<Mac, RouteError> {
    let mut macs = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(k, _)| *k == "mac");
    match (macs.next(), macs.next()) {
        (Some((_, value)), None) => path::decode(value)?
            .parse()
            .map_err(|e: crate::ids::MacError| RouteError::BadQuery(e.to_string())),
        (Some(_), Some(_)) => Err(RouteError::BadQuery("mac= is given twice".into())),
        (None, _) => Err(RouteError::BadQuery("say for which node: ?mac=00:25:90:c0:f7:86".into())),
    }
}

#[cfg(test)]
mod tests;
