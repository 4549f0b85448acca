//! What people's orders do to the machines.

use crate::{
    appliance::{Change, Reaction, decision::ArmPlan, state::Machines},
    ids::{Mac, Source},
    orders::{Given, Order, OrderTerms},
};

impl Machines {
    /// Gives an order that was found good, and says which one it is.
    pub fn arm(&mut self, plan: &ArmPlan, source: Source, out: &mut Reaction) -> Given {
        let terms = OrderTerms { until: out.now() + plan.length, source };
        let given = self.orders.give(plan.kind, plan.scope.clone(), plan.repeat, terms);
        if let Given::New(id) = given {
            out.change([Change::Order(id)]);
        }
        let id = given.id();
        plan.just_done.iter().for_each(|node| self.orders.end_for(id, &self.nodes.cards(*node)));
        given
    }

    /// Closes every order. True if one was open.
    pub fn disarm(&mut self, out: &mut Reaction) -> bool {
        let was_armed = self.orders.open(out.now()).next().is_some();
        self.orders.close_all();
        self.withdraw_closed(out);
        was_armed
    }

    fn withdraw_closed(&mut self, out: &mut Reaction) {
        for update in self.nodes.withdraw_closed(&self.orders, out.now()) {
            self.updated(update, out);
        }
    }

    /// Drops what is known of a node that is not being installed; true if something was.
    pub fn forget(&mut self, node: Mac, out: &mut Reaction) -> bool {
        let cards = self.nodes.cards(node);
        self.attempts.forget(node);
        if !self.nodes.forget(node) {
            return false;
        }
        out.change([Change::NoNode(node)]);
        // Who forgets a node does not mean that an order which is open already should overwrite it.
        self.orders.use_up(&cards);
        true
    }

    /// Time passed: closes the orders whose time is over, and returns them; grants of theirs that were not used are taken
    /// back.
    pub fn expire_orders(&mut self, out: &mut Reaction) -> Vec<Order> {
        let over = self.orders.expire(out.now());
        if !over.is_empty() {
            self.withdraw_closed(out);
        }
        over
    }

    /// Time passed: fails the nodes that were silent too long.
    pub fn time_out(&mut self, out: &mut Reaction) {
        for update in self.nodes.time_out(out.now()) {
            self.updated(update, out);
        }
    }
}
