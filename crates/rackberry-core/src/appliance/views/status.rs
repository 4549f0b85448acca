//! The view of the whole.

use crate::{
    appliance::{OrderView, StatusView, check::Findings, policy::Known},
    assets::version::Version,
    config::Verify,
    ids::{OrderKind, Stage},
    orders::Order,
};

/// Makes the view of the whole by what is known.
#[derive(Debug, Clone, Copy)]
pub struct StatusViewer<'a> {
    known: Known<'a>,
    findings: &'a Findings,
}

impl<'a> StatusViewer<'a> {
    /// By what is known, and what was found of configurations.
    pub fn new(known: Known<'a>, findings: &'a Findings) -> StatusViewer<'a> {
        StatusViewer { known, findings }
    }

    /// The state of the whole.
    pub fn view(&self) -> StatusView {
        let Known { setup, machines, network, now, .. } = self.known;
        let orders: Vec<OrderView> = machines.orders().open(now).map(|order| self.order(order)).collect();
        let counts = Stage::ALL.into_iter().map(|stage| (stage, machines.nodes().in_stage(stage)));
        let name = |version: &Version| format!("{} {}", version.profile.name, version.name);
        let own = &setup.settings().network;
        StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            armed_seconds: orders.iter().map(|order| order.seconds).max(),
            live: !orders.is_empty() && orders.iter().all(|order| order.kind == OrderKind::Live),
            orders,
            interface: own.interface.clone().unwrap_or_default(),
            address: format!("{}/{}", own.address, own.prefix),
            url: setup.server_url(),
            dhcp: network.serving_mode(),
            panel: String::new(),
            ready: setup.default_version().map(name).map_err(|reason| reason.to_string()),
            counts: counts.filter(|(_, n)| *n > 0).collect(),
            leases: network.leases_in_force(now),
            warnings: self.warnings(),
        }
    }

    fn order(&self, order: &Order) -> OrderView {
        OrderView {
            id: order.id,
            kind: order.kind,
            nodes: self.known.order_words(order),
            source: order.source.to_string(),
            seconds: order.until.since(self.known.now).as_secs(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let Known { setup, network, condition, .. } = self.known;
        let (assets, catalog) = (&setup.settings().assets, setup.catalog());
        let mut warnings: Vec<String> = condition.unwritable().map(str::to_owned).into_iter().collect();
        warnings.extend(condition.loss_words());
        if assets.verify == Verify::UnsignedOk {
            warnings.push("unsigned operating systems are accepted (assets.verify = \"unsigned-ok\")".into());
        }
        if catalog.has_no_loaders() {
            let folder = assets.loaders.display();
            warnings
                .push(format!("{folder} holds no boot loader (assets.loaders): no machine can be installed"));
        }
        warnings.extend(network.other_server());
        warnings.extend(catalog.faults().cloned());
        warnings.extend(self.findings.file_warnings().cloned());
        warnings.extend(self.findings.config_fault_lines(self.known.nodes()));
        warnings
    }
}
