//! The gate: who may have what. All ways in ask here.

use std::net::Ipv4Addr;

use crate::{
    appliance::{Refusal, policy::Known},
    assets::{
        configs::ConfigName,
        locate::{Access, Located},
    },
    ids::{Mac, folded},
    nodes::{Grant, Node, Verdict},
};

/// For whom a request speaks, as far as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRequester {
    /// Where it came from.
    pub address: Ipv4Addr,
    /// The machine that it stands for.
    pub node: Option<Mac>,
    /// The card that holds the address; none where a grant says who asks.
    pub card: Option<Mac>,
}

/// Lets pass, or says why not, by what is known.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    known: Known<'a>,
}

impl<'a> Gate<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> Gate<'a> {
        Gate { known }
    }

    /// For whom a request speaks that names this grant.
    pub fn by_grant(&self, address: Ipv4Addr, token: &str) -> KnownRequester {
        let node = self.known.nodes().by_token(token).map(|node| node.mac);
        KnownRequester { address, node, card: None }
    }

    /// For whom a request speaks that comes from the address which this card holds.
    pub fn by_address(&self, address: Ipv4Addr, card: Option<Mac>) -> KnownRequester {
        let nodes = self.known.nodes();
        let node = card.filter(|card| nodes.stands_for_its_node(*card)).map(|card| nodes.key(card));
        KnownRequester { address, node, card }
    }

    /// The grant of the node that asks.
    pub fn grant(&self, who: KnownRequester) -> Option<&'a Grant> {
        self.known.nodes().get(who.node?)?.grant()
    }

    /// Lets pass who names no grant, or the one that its node has.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for a grant that is over.
    pub fn require_grant(&self, who: KnownRequester, token: Option<&str>) -> Result<(), Refusal> {
        let holds = |token: &str| self.grant(who).is_some_and(|grant| grant.token == token);
        if token.is_none_or(holds) {
            return Ok(());
        }
        Err(Refusal::Forbidden(format!(
            "{} asks by a grant that is over; let the machine boot from the network again",
            who.address
        )))
    }

    /// Lets pass a node that may install now, and says which it is: for what only such a node may have.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] says why not, [`Refusal::Unavailable`] if that is for the journal.
    pub fn authorize(&self, who: KnownRequester, what: &str) -> Result<Mac, Refusal> {
        let forbidden =
            |why: &str| Err(Refusal::Forbidden(format!("{} may not have {what} now: {why}", who.address)));
        let Some(mac) = who.node else { return forbidden(&self.why_nobody(who)) };
        let Some(node) = self.known.nodes().get(mac) else {
            return forbidden("this machine has never asked for a network boot");
        };
        match node.may_fetch_install(self.known.machines.orders(), self.known.now) {
            Verdict::Yes => Ok(mac),
            Verdict::No(why) => {
                self.known.condition.require_writable()?;
                forbidden(&format!("{}: {why}", self.known.label(mac)))
            }
        }
    }

    fn why_nobody(&self, who: KnownRequester) -> String {
        match who.card {
            None => match self.known.network.taken_by(who.address) {
                Some(hardware) => format!("the address is another machine's; {hardware} answers for it now"),
                None => "no machine holds a lease of this address".into(),
            },
            Some(card) => format!(
                "{card} is known as another card of {}; the card that it is configured by, or that it started from, may",
                self.known.label(self.known.nodes().key(card))
            ),
        }
    }

    /// Lets pass a node that asks for what is its own, or speaks of itself.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for what is another node's.
    pub fn require_same_node(&self, who: KnownRequester, mac: Mac) -> Result<(), Refusal> {
        if who.node.is_some() && who.node == Some(self.known.nodes().key(mac)) {
            return Ok(());
        }
        let why = match who.node {
            Some(other) => format!("it is {}", self.known.label(other)),
            None => self.why_nobody(who),
        };
        Err(Refusal::Forbidden(format!("{} is not {mac}: {why}", who.address)))
    }

    /// The gate for a file of the tree. `docs/operating.md` has the table of who may have what.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] says why not, [`Refusal::Conflict`] what is wrong with the file.
    pub fn allow_file(&self, who: KnownRequester, located: &Located<'_>) -> Result<(), Refusal> {
        match located.access {
            Access::Open => Ok(()),
            Access::Granted => self.authorize(who, &located.found.name.join("/")).map(drop),
            Access::Spends => {
                let mac = self.authorize(who, "an image")?;
                match self.grant(who) {
                    Some(grant) => self.allow_image(&self.known.label(mac), located, grant),
                    None => Err(Refusal::Forbidden(format!("{} has no grant", self.known.label(mac)))),
                }
            }
        }
    }

    /// What was verified and granted is one version for one processor; another one is another decision.
    fn allow_image(&self, node: &str, located: &Located<'_>, grant: &Grant) -> Result<(), Refusal> {
        let (Some(version), Some(set), Some(file)) = (located.version, located.set, located.file) else {
            return Err(Refusal::Forbidden(format!("{} is no version's", located.found.name.join("/"))));
        };
        let profile = &version.profile.name;
        if (profile, &version.name) != (&grant.profile, &grant.version) {
            let (granted, of) = (&grant.profile, &grant.version);
            return Err(Refusal::Forbidden(format!(
                "{node} may install {granted} {of}, not {profile} {}",
                version.name
            )));
        }
        if set.arch != grant.arch {
            return Err(Refusal::Forbidden(format!(
                "{node} is {} and may not have an image for {}",
                grant.arch, set.arch
            )));
        }
        let setup = self.known.setup;
        let ready = setup.files_of(profile, &version.name, &set.arch);
        ready.map_err(|reason| Refusal::Conflict(reason.to_string()))?;
        let vouched = setup.catalog().may_hand_out(version, file, setup.settings().assets.verify);
        vouched.map_err(|reason| Refusal::Conflict(format!("{}: {reason}", located.found.own_name())))
    }

    /// Lets a node that may install have a file of cloud-configs/ that belongs to no other node.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] says whose it is.
    pub fn allow_config_file(&self, mac: Mac, path: &[String]) -> Result<(), Refusal> {
        let Some(owner) = path.iter().find_map(|segment| self.other_owner(mac, segment)) else {
            return Ok(());
        };
        Err(Refusal::Forbidden(format!(
            "{} may not have cloud-configs/{}: it is {owner}'s",
            self.known.label(mac),
            path.join("/")
        )))
    }

    /// The other node that a file or folder of this name belongs to, if it is one's.
    fn other_owner(&self, mac: Mac, name: &str) -> Option<String> {
        let whole = folded(name);
        let parts = whole.match_indices('.').map(|(at, _)| &whole[..at]).chain([whole.as_str()]);
        let stem = ConfigName::parse(name).stem;
        let grant = self.known.nodes().get(mac).and_then(Node::grant);
        let own = self.known.macs_of(grant.map_or(mac, |grant| self.known.has_files_of(mac, grant)));
        parts.chain([stem.as_str()]).find_map(|part| match Mac::from_file_stem(part) {
            Ok(other) => (!own.contains(&other)).then(|| self.known.label(other)),
            Err(_) => {
                let named = self.known.setup.node_named(part)?;
                (!named.macs.iter().any(|other| own.contains(other))).then(|| named.name.clone())
            }
        })
    }
}
