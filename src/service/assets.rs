//! Keeping the catalog current: looking at the asset folders, and reading what nobody has verified yet.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};

use crate::{
    service::handle::{Handle, Message},
    storage::{
        scan,
        verify::{self, Archive},
    },
};
use rackberry_core::{
    assets::{
        authentic::{FileVerdict, Finding, Job, ProofSubject},
        catalog::Catalog,
        keys::Keys,
    },
    config::Settings,
};

/// How often the asset folders are looked at: a copy that ended, or a disk that was plugged in, is seen within this
/// time.
const LOOK: Duration = Duration::from_secs(5);

/// Looks at the folders from time to time, and at once when the configuration changes; between that, one file
/// after the other is verified. Nobody waits for it.
pub async fn watch(
    handle: Handle,
    mut settings: watch::Receiver<Arc<Settings>>,
    mut catalog: Arc<Catalog>,
    mut archive: Archive,
) -> anyhow::Result<()> {
    let mut reading: Option<oneshot::Receiver<Read>> = None;
    // What could not be read is tried again when the folders have changed.
    let mut unreadable: BTreeSet<ProofSubject> = BTreeSet::new();
    read_keys(&catalog);
    loop {
        if reading.is_none() {
            let mut jobs = catalog.unexamined().into_iter();
            let job = jobs.find(|job| !unreadable.contains(&job.subject));
            reading = job.map(|job| start(job, catalog.keys().clone())).transpose()?;
        }
        let next = tokio::select! {
            _ = tokio::time::timeout(LOOK, settings.changed()) => {
                let (assets, last) = (settings.borrow_and_update().assets.clone(), catalog.clone());
                let scanning = move || scan::scan(&assets.dirs, &assets.loaders, Some(&last));
                tokio::task::spawn_blocking(scanning).await?
            }
            Some(Read { job, result }) = ended(&mut reading) => {
                reading = None;
                match result {
                    Ok(finding) => {
                        tell(&job, &finding);
                        // A disk that is slow to write it down keeps nobody else waiting.
                        let keeping = move || {
                            archive.keep(job.subject, finding);
                            archive
                        };
                        archive = tokio::task::spawn_blocking(keeping).await?;
                        catalog.with_findings(archive.findings())
                    }
                    Err(error) => {
                        tracing::warn!(path = %job.file.path.display(), %error, "can't verify a file");
                        unreadable.insert(job.subject);
                        continue;
                    }
                }
            }
        };
        if !next.is_same(&catalog) {
            unreadable.clear();
            catalog = Arc::new(next);
            read_keys(&catalog);
            handle.tell(Message::Restocked(catalog.clone())).await;
        }
    }
}

/// Reads the keys before somebody waits for them: the first machine that is handed some, or a list of them. A start that
/// can install nothing does without.
fn read_keys(catalog: &Catalog) {
    let keys = catalog.keys().clone();
    if catalog.versions().is_empty() || keys.are_read() {
        return;
    }
    let work = move || {
        let _ = rustix::process::nice(10);
        keys.keyring();
    };
    // Without a thread they are read by who asks first.
    let _ = std::thread::Builder::new().name("keys".into()).spawn(work);
}

/// A file that was read.
struct Read {
    job: Job,
    result: io::Result<Finding>,
}

/// Reads a file in a thread of its own, which gives way to whoever serves.
fn start(job: Job, keys: Arc<Keys>) -> anyhow::Result<oneshot::Receiver<Read>> {
    let (done, reading) = oneshot::channel();
    let work = move || {
        // Of this thread only, on Linux. Where it is refused, it is as important as others.
        let _ = rustix::process::nice(10);
        let result = verify::examine(&job, &keys, |_| ());
        // The service has ended meanwhile.
        let _ = done.send(Read { job, result });
    };
    std::thread::Builder::new().name("verify".into()).spawn(work).context("can't start a thread")?;
    Ok(reading)
}

async fn ended(reading: &mut Option<oneshot::Receiver<Read>>) -> Option<Read> {
    match reading {
        Some(reading) => reading.await.ok(),
        None => std::future::pending().await,
    }
}

fn tell(job: &Job, finding: &Finding) {
    let path = job.file.path.display();
    match &finding.verdict {
        FileVerdict::Good(good) => tracing::info!(%path, "authentic: {good}"),
        FileVerdict::Bad(reason) => tracing::warn!(%path, "NOT authentic: {reason}"),
        FileVerdict::Unproven(reason) => tracing::warn!(%path, "nobody known vouches for it: {reason}"),
        FileVerdict::Unsigned => tracing::warn!(%path, "nobody has signed it"),
    }
}
