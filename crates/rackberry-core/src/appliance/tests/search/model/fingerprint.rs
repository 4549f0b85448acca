//! When two states are the same one.

use super::*;

impl Model {
    /// Two states with the same fingerprint have the same future.
    pub fn fingerprint(&self) -> u128 {
        let mut both = Both::default();
        1_u8.hash(&mut both.1);
        self.hash_all(&mut both);
        u128::from(both.0.finish()) << 64 | u128::from(both.1.finish())
    }

    fn hash_all(&self, hasher: &mut Both) {
        let now = self.world.now;
        let appliance = &self.world.appliance;
        (self.left, self.listing, self.lost, &self.world.loss).hash(hasher);
        (self.world.disk_fails, appliance.unwritable()).hash(hasher);
        let open = |order: &&Memory| now < order.until;
        for order in self.orders.iter().filter(open) {
            (order.kind, &order.scope, &order.not_for, order.until.since(now)).hash(hasher);
        }
        let mut tokens = Vec::new();
        for node in appliance.nodes().known() {
            let mut timeless = node.clone();
            let deadline = node.deadline().map(|deadline| deadline.since(now));
            let is_just_done = node.disk().system().is_some_and(|system| now.since(system.at) < JUST);
            tokens.extend(node.grant().map(|grant| grant.token.clone()));
            tokens.extend(node.last.as_ref().map(|last| last.token.clone()));
            timeless.forget_times();
            timeless.writes = timeless.writes.min(2);
            (timeless, deadline, is_just_done).hash(hasher);
        }
        for order in appliance.orders().open(now) {
            let mut timeless = order.clone();
            timeless.until = Time(0);
            (timeless, order.until.since(now)).hash(hasher);
        }
        for machine in &self.machines {
            let unused = self.orders.iter().skip(machine.used.into()).filter(open).count();
            (&machine.cards, machine.disk, unused, machine.is_permitted).hash(hasher);
            let is_fresh = machine.begun.is_some_and(|begun| now.since(begun) < JUST);
            (machine.known_by, machine.led, machine.failed, is_fresh).hash(hasher);
            machine.runs_as_numbers().hash(hasher);
            let token = machine.installer().map(|(_, token)| tokens.iter().position(|known| known == token));
            token.hash(hasher);
            for card in &machine.cards {
                appliance.network().address_of(*card, now).is_some().hash(hasher);
                if machine.id.is_some() {
                    self.hash_what_was_heard(*card, hasher);
                }
            }
        }
    }

    /// What counts of when a card was heard: whether its firmware started a while ago, and since another one of its name
    /// began to use its address; and whether it is silent.
    fn hash_what_was_heard(&self, card: Mac, hasher: &mut Both) {
        let nodes = self.world.appliance.nodes();
        let [firmware, _, last] = nodes.heard_ago(card, self.world.now);
        let silent = last.is_none_or(|last| last >= Duration::from_secs(30));
        let apart = firmware.map(|firmware| firmware >= Duration::from_secs(3));
        (silent, apart, nodes.namesake(card).map(|node| node.mac)).hash(hasher);
        for other in self.machines.iter().flat_map(|machine| &machine.cards).filter(|other| **other != card) {
            let [_, fresh, _] = nodes.heard_ago(*other, self.world.now);
            firmware.map(|firmware| fresh.is_none_or(|fresh| fresh >= firmware)).hash(hasher);
        }
    }
}

/// Two hashes of the same, of which one begins otherwise: one alone would be the same for two states too often.
#[derive(Default)]
struct Both(DefaultHasher, DefaultHasher);

impl Hasher for Both {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
}
