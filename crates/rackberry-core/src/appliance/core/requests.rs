//! What machines ask for, and what they say of themselves.

use crate::{
    appliance::{
        Answer, Appliance, Extent, Note, Reaction, Refusal, Report, Requester, Via, View,
        fetch::Fetch,
        policy::{Gate, KnownRequester},
        render::Renderer,
        state::{Handed, NodeTransfer, ReportedInstall},
        views::{AssetsViewer, NodeViewer},
    },
    http::route::Target,
    ids::{Mac, Stage, Time},
    nodes::Node,
};

/// What somebody asks a server for.
pub(super) struct FileRequest {
    pub target: Target,
    pub extent: Extent,
    pub via: Via,
}

/// What a node says of itself, and the grant that it names.
pub(super) struct NodeReport<'a> {
    pub grant: Option<&'a str>,
    pub mac: Mac,
    pub report: Report,
}

impl Appliance {
    /// Answers a request for a file or a rendered text.
    pub(super) fn fetch(&mut self, from: Requester, request: FileRequest, out: &mut Reaction) -> Answer {
        let FileRequest { target, extent, via } = request;
        self.network.learn_from(from, self.machines.nodes(), out);
        self.take_up_offer(from, out);
        let token = target.grant.as_deref();
        let who = self.identify(from, token, out);
        let fetched = Fetch::new(self.known(out.now()), who).answer(token, target.route, extent, via);
        if let Some(node) = who.node {
            for handed in fetched.handed {
                if handed == Handed::IpxeScript {
                    self.loader_was_fetched(node, out);
                }
                self.machines.handed_out(node, handed, out);
            }
        }
        match (fetched.answer, who.node.zip(fetched.file)) {
            (Ok(answer), None) => answer,
            (Ok(answer), Some((node, kind))) => {
                let transfer = NodeTransfer { node, card: who.card, kind, began: out.now() };
                answer.counted_as(self.transfers.begin(transfer))
            }
            (Err(refusal), _) => {
                if let Refusal::Forbidden(reason) | Refusal::Conflict(reason) = &refusal {
                    let label = |mac| self.machines.nodes().label(mac);
                    let node = who.node.map_or_else(|| from.address.to_string(), label);
                    if self.denials.is_news(from.address, reason, out.now()) {
                        out.note(Note::Denied { node, reason: reason.clone() });
                    }
                }
                Answer::Refused(refusal)
            }
        }
    }

    /// Up to the Pi 3, a Raspberry Pi goes on with the address of an OFFER and sends no REQUEST (its documentation,
    /// known problems of network boot). The address is its own when it asks for a file from it.
    fn take_up_offer(&mut self, from: Requester, out: &mut Reaction) {
        if let Some(mac) = self.network.offered_to(from, out.now())
            && self.machines.nodes().get(mac).is_some_and(Node::is_raspberry_pi)
        {
            self.network.take_up_offer(mac, out);
        }
    }

    /// For whom a request speaks: the node whose grant it names, else the machine that holds the address.
    fn identify(&mut self, from: Requester, token: Option<&str>, out: &mut Reaction) -> KnownRequester {
        if let Some(token) = token {
            return Gate::new(self.known(out.now())).by_grant(from.address, token);
        }
        let card = self.network.holder(from, self.machines.nodes(), out);
        card.into_iter().for_each(|card| self.machines.goes_on(card, out));
        Gate::new(self.known(out.now())).by_address(from.address, card)
    }

    /// Takes a node's report; only its own grant, or the machine that holds its address, may speak for it.
    pub(super) fn report(
        &mut self,
        from: Requester,
        sent: NodeReport<'_>,
        out: &mut Reaction,
    ) -> Result<(), Refusal> {
        let NodeReport { grant: token, mac, report } = sent;
        self.network.learn_from(from, self.machines.nodes(), out);
        self.condition.require_writable()?;
        let who = self.identify(from, token, out);
        Gate::new(self.known(out.now())).require_same_node(who, mac)?;
        let node = self.machines.nodes().key(mac);
        if !self.machines.takes_report(node, out.now()) {
            let label = self.machines.nodes().label(node);
            return Err(Refusal::Unavailable(format!("{label} reports too often; wait a minute")));
        }
        let install = self.machines.reported_install(node, token);
        if let ReportedInstall::Present(order) = install
            && self.runs_built_in_script(node)
        {
            self.machines.installer_was_heard(node, order);
        }
        if let Some(machine) = report.machine.as_ref().filter(|_| install != ReportedInstall::Ended) {
            self.machines.learn_machine(node, machine, out);
        }
        // An installer without an image says that it begins, and must not begin if it may not.
        if report.ok && report.stage == Stage::Installing {
            if install == ReportedInstall::Ended {
                let label = self.machines.nodes().label(node);
                return Err(Refusal::Forbidden(format!("{label} asks for its disk by a grant that is over")));
            }
            Gate::new(self.known(out.now())).authorize(who, "its disk")?;
        }
        self.machines.said(node, report, install, out);
        Ok(())
    }

    /// Whether a node's installer is one of the built-in scripts. What a script of somebody's own writes, and when, nobody
    /// here knows: its words don't make up for starts.
    fn runs_built_in_script(&self, node: Mac) -> bool {
        let grant = self.machines.nodes().get(node).and_then(Node::grant);
        let profile = grant.and_then(|grant| self.setup.catalog().profile(&grant.profile));
        profile.is_some_and(|profile| profile.is_built_in)
    }

    /// Answers a look at the state.
    pub(super) fn view(&self, view: &View, now: Time) -> Answer {
        let known = self.known(now);
        let json = |json: serde_json::Result<serde_json::Value>| {
            json.map(Answer::Json).map_err(|error| Refusal::Unavailable(error.to_string()))
        };
        let answer = match view {
            View::Status => json(serde_json::to_value(self.status(now))),
            View::Assets => json(serde_json::to_value(AssetsViewer::new(&self.setup).view())),
            View::Node(text) => known.find(text).and_then(|mac| match known.nodes().has(mac) {
                true => json(serde_json::to_value(NodeViewer::new(known).view(mac))),
                false => Err(Refusal::NotFound(format!("nothing is known of {text}"))),
            }),
            View::Render(text) => known
                .find(text)
                .and_then(|mac| Renderer::new(known).overview(mac))
                .and_then(|view| json(serde_json::to_value(view))),
        };
        answer.unwrap_or_else(Answer::Refused)
    }
}
