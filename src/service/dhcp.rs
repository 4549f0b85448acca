//! The DHCP server on the interface, which may go and come back.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::{
    net::{
        dhcp::{Adapter, Link},
        link,
    },
    service::handle::{Handle, Message},
};
use rackberry_core::{
    config::{Mode, Network},
    dhcp::{Action, Asker},
};

/// Serves on `link` and, when that is lost, on what comes back under its name. Tells `ready` when it serves first.
pub async fn run(
    mut link: Link,
    network: Network,
    handle: Handle,
    mut actions: mpsc::UnboundedReceiver<Action>,
    ready: Arc<Notify>,
) -> anyhow::Result<()> {
    let (address, prefix) = (network.address, network.prefix);
    let asker = match network.mode {
        Mode::Auto => Asker::GivesWay,
        Mode::Full | Mode::Proxy => Asker::Insists,
    };
    let mut adapter = Adapter::open(&link, address, asker)?;
    handle.neighbours().serve(link.index, address, prefix);
    handle.tell(Message::Linked(link.mac)).await;
    ready.notify_one();
    loop {
        let lost = tokio::select! {
            ended = adapter.run(handle.clone(), &mut actions) => match ended {
                Ok(()) => return Ok(()),
                Err(error) => Some(error.to_string()),
            },
            lost = link::changed(&link, address, prefix) => lost,
        };
        if let Some(reason) = &lost {
            tracing::warn!(interface = link.name, "the interface is lost: {reason}");
        }
        let index = link.index;
        link = link::wait(&link.name, address, prefix, &handle).await;
        if lost.is_some() {
            tracing::info!(interface = link.name, "the interface is back");
        }
        if lost.is_none() && link.index == index {
            adapter.readdress(link.mac);
        } else {
            adapter = adapter.reopen(&link, address)?;
            handle.neighbours().serve(link.index, address, prefix);
            handle.tell(Message::Linked(link.mac)).await;
        }
    }
}
