//! The file that keeps the state, after whatever a bad card has made of it.

use std::sync::Arc;

use rackberry::storage::journal::inspect;
use rackberry_core::{
    appliance::{Appliance, Stored},
    assets::{catalog::Catalog, folder::Folder},
    config,
};

/// The bytes as they are; and the records in them (a line with a dot ends one) as if they were whole. What can be read is the
/// same after the file was written anew, and the service starts with it.
pub(crate) fn journal(data: &[u8]) {
    look(data);
    if let Ok(text) = std::str::from_utf8(data) {
        look(&inspect::file_of(text.split("\n.\n")));
    }
}

fn look(bytes: &[u8]) {
    let Ok(stored) = inspect::stored(bytes) else { return };
    let anew = inspect::written_anew(bytes).unwrap_or_default();
    let again = inspect::stored(&anew);
    assert_eq!(again.as_ref().map(told), Ok(told(&stored)));
    let cut = inspect::stored(&anew[..anew.len() - 1]);
    assert!(cut.is_err(), "what it was made with is missing, and nobody sees that");
    starts(stored);
}

fn told(stored: &Stored) -> String {
    format!("{stored:?}")
}

/// Whatever was kept, the service starts, is disarmed, and shows it.
fn starts(stored: Stored) {
    let text = "[network]\naddress = '10.10.10.1/24'\nmode = 'full'\n".to_owned();
    let Ok(settings) = config::parse(&[("fuzz".into(), text)]) else { return };
    let catalog = Catalog::new(Vec::new(), Folder::new("loaders".into(), []), None);
    let now = stored.time;
    let mut appliance = Appliance::new(Arc::new(settings), Arc::new(catalog), stored, [7; 32], now);
    drop(appliance.started());
    let status = appliance.status(now);
    assert!(status.orders.is_empty() && status.armed_seconds.is_none());
    drop(appliance.look(now));
    let later = now + std::time::Duration::from_secs(1 << 25);
    let mut ticks = 0;
    while let Some(deadline) = appliance.deadline().filter(|deadline| *deadline <= later) {
        drop(appliance.tick(deadline.max(now)));
        ticks += 1;
        assert!(ticks < 100_000, "something is due for ever");
    }
}
