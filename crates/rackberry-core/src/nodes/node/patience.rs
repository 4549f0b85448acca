//! How long a machine may be silent.

use std::time::Duration;

use crate::{
    ids::{OrderKind, Stage, Time},
    nodes::{Life, Node},
};

/// The longest silence that is normal after a menu or a script of somebody's own.
const OWN: Duration = Duration::from_secs(30 * 60);

impl Node {
    /// The longest silence that is normal in the present stage; after it the install counts as failed.
    pub fn patience(&self) -> Option<Duration> {
        let minutes = |m: u64| Some(Duration::from_secs(60 * m));
        match (&self.life, self.stage()) {
            // A person at the machine takes the time it takes.
            (
                Life::Granted { grant, .. } | Life::RunsOwn { grant, .. },
                Stage::Booting | Stage::Configuring,
            ) if grant.kind == OrderKind::Live => None,
            (Life::Granted { .. } | Life::RunsOwn { .. }, Stage::Loading) => minutes(5),
            // What its owner's script does takes as long as another installer.
            (Life::RunsOwn { grant, .. }, _) => Some(grant.silence.max(OWN)),
            (Life::Granted { .. }, Stage::Booting | Stage::Configuring) => minutes(10),
            (Life::Overwriting { grant, .. }, _) => Some(grant.silence),
            (Life::Resting { .. }, Stage::Written) => minutes(30),
            _ => None,
        }
    }

    /// When [`Node::patience`] ends.
    pub fn deadline(&self) -> Option<Time> {
        self.patience().map(|patience| self.seen + patience)
    }
}
