//! Bringing a version from its maker's mirror, verified while it comes in.
//!
//! curl does the talking: it knows proxies, certificates and redirects, and a TLS library in pure Rust that is
//! ready for this does not exist; with another one the cross build would need a C compiler.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::{io::AsyncReadExt as _, process::Command, sync::Semaphore, task::JoinSet, time::sleep};

use crate::{
    service::progress::{Bars, WorkBar},
    storage::staging::{Incoming, Staging, StagingError},
};
use rackberry_core::{
    assets::{
        examine::{Examiner, ProofBytes},
        folder::value_of,
        keys::Keys,
    },
    config::Verify,
    profiles::{Architecture, FileSpec, FindCurrent, Mirror, Profile},
};

/// Files that come in at once.
const AT_ONCE: usize = 3;
/// Pauses after a transfer that broke off; with every byte that comes in, they begin anew.
const PAUSES: [u64; 6] = [1, 2, 4, 8, 16, 32];
/// curl's exit codes.
const HTTP_ERROR: i32 = 22;
const NO_RANGES: i32 = 33;
const PIECE: usize = 256 * 1024;

/// Why a version can't be fetched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum FetchError {
    /// The profile has no mirror.
    #[error(
        "profile {0} names no mirror; copy its files yourself (docs/operating-systems.md says from where)"
    )]
    NoMirror(String),
    /// The profile has no such processor.
    #[error("profile {profile} is not for {arch} machines")]
    NoArch { profile: String, arch: String },
    /// curl is not there.
    #[error("can't run curl; install it")]
    Curl(#[source] std::io::Error),
    /// The mirror has no such file.
    #[error("the mirror has no {0}")]
    NotThere(String),
    /// The transfer failed for good.
    #[error("can't fetch {url}: {reason}")]
    Failed { url: String, reason: String },
    /// The mirror's word on what is current makes no sense.
    #[error("{url} does not say which version is current")]
    NoCurrent { url: String },
    /// A file is not what it should be.
    #[error("{file} is not authentic: {reason}")]
    NotAuthentic { file: String, reason: String },
    /// Reading or writing failed.
    #[error(transparent)]
    Staging(#[from] StagingError),
}

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct MirrorRequest {
    /// The operating system family that is fetched.
    pub profile: Arc<Profile>,
    /// The version, or `current`.
    pub version: String,
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// Another mirror than the profile's.
    pub base_url: Option<String>,
    /// The asset folder that is written to.
    pub to: PathBuf,
    /// The keys that count.
    pub keys: Arc<Keys>,
    /// Whether files that nobody vouches for will do.
    pub verify: Verify,
}

/// Fetches a version; returns its name and its folder. What came in stays when it fails, for the next run.
///
/// # Errors
/// [`FetchError`] names the file or the URL.
pub async fn fetch(order: MirrorRequest) -> Result<(String, PathBuf), FetchError> {
    let profile = order.profile.clone();
    let mirror = profile.mirror.as_ref().ok_or_else(|| FetchError::NoMirror(profile.name.clone()))?;
    let arch = profile
        .arch(&order.arch)
        .ok_or_else(|| FetchError::NoArch { profile: profile.name.clone(), arch: order.arch.clone() })?;
    let base = order.base_url.clone().or_else(|| arch.mirror.clone());
    let base = base.ok_or_else(|| FetchError::NoMirror(profile.name.clone()))?;
    let base = base.trim_end_matches('/');
    let version = match order.version.as_str() {
        "current" => current(base, mirror, &order.arch).await?,
        version => version.to_owned(),
    };
    let fill = |text: &str| text.replace("{version}", &version).replace("{arch}", &order.arch);
    let folder = format!("{base}/{}", fill(&mirror.files));

    let mut found = Vec::new();
    for spec in profile.files.iter().filter(|spec| !spec.with_loaders) {
        match look(&folder, spec, &version, arch).await {
            Ok(file) => found.push(file),
            Err(FetchError::NotThere(_)) if spec.optional => {}
            Err(error) => return Err(error),
        }
    }
    let stage = Arc::new(Staging::open(&order.to, &profile.name, &version)?);
    let missing = found.iter().map(|file| file.len.saturating_sub(stage.has(&file.local)));
    stage.need_room(missing.sum())?;
    let (bars, room) = (Arc::new(Bars::default()), Arc::new(Semaphore::new(AT_ONCE)));
    let mut tasks = JoinSet::new();
    for file in found {
        let (stage, order, bars, room) = (stage.clone(), order.clone(), bars.clone(), room.clone());
        tasks.spawn(async move {
            // Never closed.
            let _place = room.acquire().await;
            one(&stage, &file, &order, &bars).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| FetchError::Failed { url: folder.clone(), reason: error.to_string() })??;
    }
    Ok((version, stage.finish()?))
}

/// Asks the mirror which version is current.
async fn current(base: &str, mirror: &Mirror, arch: &str) -> Result<String, FetchError> {
    let url = format!("{base}/{}", mirror.current.replace("{arch}", arch));
    let body = get(&url).await?;
    let text = String::from_utf8_lossy(&body);
    let version = match &mirror.find {
        FindCurrent::Key(key) => value_of(&text, key),
        FindCurrent::Pointer(pointer) => serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|json| json.pointer(&pointer.replace("{arch}", arch))?.as_str().map(str::to_owned)),
    };
    // It becomes a folder's name.
    let is_name = |name: &String| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
    };
    version.filter(is_name).ok_or(FetchError::NoCurrent { url })
}

/// A file at the mirror.
#[derive(Debug)]
struct Remote {
    url: String,
    /// Its name below the version's folder here.
    local: String,
    name: String,
    len: u64,
    /// What tells it from another file.
    origin: String,
    /// The signature's name and content; none where the mirror has none.
    signature: Option<(String, Vec<u8>)>,
}

/// Finds a file under one of its names, and its signature.
async fn look(
    folder: &str,
    spec: &FileSpec,
    version: &str,
    arch: &Architecture,
) -> Result<Remote, FetchError> {
    let local = |name: &str| match &arch.folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let mut missing = None;
    for name in spec.names(version, &arch.name) {
        let url = format!("{folder}/{name}");
        let (len, origin) = match state(&url).await {
            Ok(state) => state,
            Err(error @ FetchError::NotThere(_)) => {
                missing = missing.or(Some(error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut signature = None;
        for own in spec.signatures(&name, version, &arch.name) {
            match get(&format!("{folder}/{own}")).await {
                Ok(bytes) => {
                    signature = Some((local(&own), bytes));
                    break;
                }
                Err(FetchError::NotThere(_)) => {}
                Err(error) => return Err(error),
            }
        }
        return Ok(Remote { url, local: local(&name), name, len, origin, signature });
    }
    Err(missing.unwrap_or_else(|| FetchError::NotThere(folder.to_owned())))
}

/// Brings one file, whole and authentic.
async fn one(stage: &Staging, file: &Remote, order: &MirrorRequest, bars: &Bars) -> Result<(), FetchError> {
    let refused = |reason: String| FetchError::NotAuthentic { file: file.url.clone(), reason };
    if let Some((name, bytes)) = &file.signature {
        stage.put(name, bytes)?;
    }
    let signature = file.signature.as_ref().map(|(_, bytes)| bytes.as_slice());
    let proof = ProofBytes { signature, lists: Vec::new() };
    let trust = order.keys.trust(&order.profile);
    let examiner = || Examiner::new(&file.name, &proof, &order.keys, &trust);
    // Before a long download.
    let hopeless = match &file.signature {
        None if order.verify == Verify::Required => Some("the mirror has no signature of it".into()),
        _ => examiner().hopeless(order.verify),
    };
    if let Some(reason) = hopeless {
        return Err(refused(reason));
    }
    let bar = bars.of_bytes("fetching", std::path::Path::new(&file.name), file.len);
    if file.signature.is_none() {
        stage.continue_from(&file.local, &file.origin)?;
    }
    let mut incoming = stage.incoming(&file.local, examiner())?;
    let mut pauses = PAUSES.iter();
    while incoming.at < file.len {
        let before = incoming.at;
        bar.at(before);
        match stream(&file.url, &mut incoming, &bar).await? {
            Streamed::Whole => break,
            Streamed::FromTheStart => {
                drop(incoming);
                stage.remove(&file.local)?;
                incoming = stage.incoming(&file.local, examiner())?;
            }
            Streamed::Broken(reason) => {
                if incoming.at > before {
                    pauses = PAUSES.iter();
                }
                let Some(pause) = pauses.next() else {
                    return Err(FetchError::Failed { url: file.url.clone(), reason });
                };
                sleep(Duration::from_secs(*pause)).await;
            }
        }
    }
    let whole = incoming.at == file.len;
    let verdict = incoming.finish()?.verdict.will_do(order.verify).map_err(|why| why.to_string());
    let verdict = if whole { verdict } else { Err("it is longer or shorter than the mirror said".into()) };
    verdict.or_else(|reason| {
        // What came in is wrong, who knows where: the next run begins anew.
        stage.remove(&file.local)?;
        Err(refused(reason))
    })
}

enum Streamed {
    Whole,
    /// The server can't go on where a transfer broke off.
    FromTheStart,
    Broken(String),
}

/// One request for the rest of a file.
async fn stream(url: &str, incoming: &mut Incoming, bar: &WorkBar) -> Result<Streamed, FetchError> {
    let offset = incoming.at.to_string();
    let mut arguments = vec!["--speed-limit", "1000", "--speed-time", "60"];
    if incoming.at > 0 {
        arguments.extend(["--continue-at", &offset]);
    }
    let mut curl = curl(&arguments, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(FetchError::Curl)?;
    let (Some(mut body), Some(mut words)) = (curl.stdout.take(), curl.stderr.take()) else {
        return Ok(Streamed::Broken("curl has no output".into()));
    };
    let mut piece = vec![0; PIECE];
    loop {
        match body.read(&mut piece).await {
            Ok(0) => break,
            Ok(n) => {
                incoming.more(&piece[..n])?;
                bar.more(n as u64);
            }
            Err(error) => return Ok(Streamed::Broken(error.to_string())),
        }
    }
    let mut said = String::new();
    let _ = words.read_to_string(&mut said).await;
    let status = curl.wait().await.map_err(FetchError::Curl)?;
    Ok(match status.code() {
        Some(0) => Streamed::Whole,
        Some(NO_RANGES) => Streamed::FromTheStart,
        _ => Streamed::Broken(words_of(&said)),
    })
}

/// A small file.
async fn get(url: &str) -> Result<Vec<u8>, FetchError> {
    run(&["--max-filesize", "16M"], url).await
}

/// A file's length, and what tells it from another one under its URL, by HEAD.
async fn state(url: &str) -> Result<(u64, String), FetchError> {
    let head = run(&["--head"], url).await?;
    let head = String::from_utf8_lossy(&head);
    let field = |name: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        // Of several responses (redirects), the last one is the file's.
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next_back()
    };
    let len = field("content-length").and_then(|text| text.parse().ok()).ok_or_else(|| {
        FetchError::Failed { url: url.to_owned(), reason: "the mirror does not say how long it is".into() }
    })?;
    let origin = [field("etag"), field("last-modified")].map(Option::unwrap_or_default).join(" ");
    Ok((len, format!("{url} {len} {origin}")))
}

async fn run(arguments: &[&str], url: &str) -> Result<Vec<u8>, FetchError> {
    let retrying = [&["--retry", "4"], arguments].concat();
    let output = curl(&retrying, url).kill_on_drop(true).output().await.map_err(FetchError::Curl)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(HTTP_ERROR) && said.contains(" 404") {
        return Err(FetchError::NotThere(url.to_owned()));
    }
    Err(FetchError::Failed { url: url.to_owned(), reason: words_of(&said) })
}

fn curl(arguments: &[&str], url: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20"]);
    curl.args(arguments).arg("--").arg(url).stdin(Stdio::null());
    curl
}

/// curl's last line, without its name.
fn words_of(said: &str) -> String {
    let line = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("curl says nothing");
    line.trim_start_matches("curl: ").to_owned()
}
