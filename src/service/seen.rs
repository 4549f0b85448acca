//! What everybody may look at. It is made when somebody waits for it: events come by the thousand a second, and nobody sees
//! more than a few states of them.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{Notify, watch};

use rackberry_core::{
    appliance::{NodeView, NodeViews, StatusView},
    ids::Time,
    panel::Trouble,
};

/// The state at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The moment that it shows.
    pub at: Time,
    /// Mode, network, counts and warnings; none before the state is read.
    pub status: Option<StatusView>,
    /// Every node, as the API shows it.
    pub nodes: Arc<NodeViews>,
    /// Whether everything listens.
    pub is_ready: bool,
    /// What is wrong, in words.
    pub troubles: BTreeMap<Trouble, String>,
}

impl Snapshot {
    /// Every node, with its seconds.
    pub fn node_views(&self) -> impl Iterator<Item = NodeView> {
        self.nodes.values().map(|node| node.at(self.at))
    }
}

/// Who shows the state: the owner.
#[derive(Debug)]
pub struct Showing {
    snapshots: watch::Sender<Snapshot>,
    wanted: Arc<Notify>,
}

/// Who looks at it.
#[derive(Debug, Clone)]
pub struct Seen {
    snapshots: watch::Receiver<Snapshot>,
    wanted: Arc<Notify>,
}

/// Nobody shows the state any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service has ended")]
pub struct Gone;

/// Both ends; the first state is `first`.
pub fn channel(first: Snapshot) -> (Showing, Seen) {
    let (sender, receiver) = watch::channel(first);
    let wanted = Arc::new(Notify::new());
    (Showing { snapshots: sender, wanted: wanted.clone() }, Seen { snapshots: receiver, wanted })
}

impl Showing {
    /// Waits until somebody waits for a new state.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Shows a state to all who look.
    pub fn show(&self, snapshot: Snapshot) {
        self.snapshots.send_replace(snapshot);
    }

    /// Shows the last one, changed.
    pub fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshots.send_modify(change);
    }
}

impl Seen {
    /// Waits for a state that this one has not seen.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn changed(&mut self) -> Result<(), Gone> {
        if !self.snapshots.has_changed().map_err(|_| Gone)? {
            self.wanted.notify_one();
        }
        self.snapshots.changed().await.map_err(|_| Gone)
    }

    /// The last one, which counts as seen.
    pub fn look(&mut self) -> watch::Ref<'_, Snapshot> {
        self.snapshots.borrow_and_update()
    }

    /// The last one counts as not seen yet.
    pub fn mark_changed(&mut self) {
        self.snapshots.mark_changed();
    }

    /// Waits for a state that is so.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn wait_for(&mut self, is_so: impl Fn(&Snapshot) -> bool) -> Result<(), Gone> {
        while !is_so(&self.look()) {
            self.changed().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_is_wanted_by_who_waits_for_it() {
        let soon = Duration::from_secs(1);
        let (showing, mut seen) = channel(Snapshot::default());
        assert!(timeout(soon, showing.wanted()).await.is_err(), "nobody waits");
        assert!(timeout(soon, seen.changed()).await.is_err());
        assert!(timeout(soon, showing.wanted()).await.is_ok());
        showing.show(Snapshot { is_ready: true, ..Snapshot::default() });
        assert!(timeout(soon, seen.wait_for(|state| state.is_ready)).await.is_ok());
        assert!(timeout(soon, showing.wanted()).await.is_err(), "it was there already");
        drop(showing);
        assert_eq!(seen.changed().await, Err(Gone));
    }
}
