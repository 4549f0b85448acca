//! stub
#![allow(missing_docs, clippy::missing_errors_doc)]
use crate::handle::{Handle, Snapshot};
use tokio::sync::watch;
pub async fn simulated(_: Handle, mut s: watch::Receiver<Snapshot>) -> anyhow::Result<()> {
    loop {
        s.changed().await?;
    }
}
