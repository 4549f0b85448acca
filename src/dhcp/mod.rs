//! stub
#![allow(missing_docs)]
use crate::{
    config::Settings,
    ids::{Arch, Mac, Time},
};
use dhcproto::v4::Message;
use std::net::Ipv4Addr;
#[derive(Debug)]
pub struct Packet(Message);
impl Packet {
    pub fn message(&self) -> &Message {
        &self.0
    }
}
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub mac: Mac,
    pub arch: Option<Arch>,
}
impl Client {
    pub fn of(_: &Message) -> Option<Client> {
        None
    }
    pub fn wants_boot(&self) -> bool {
        false
    }
    pub fn is_discover(&self) -> bool {
        false
    }
    pub fn starts_afresh(&self) -> bool {
        false
    }
}
#[derive(Debug)]
pub enum Boot {
    None,
    Load { server: Ipv4Addr, file: String },
}
#[derive(Debug, Clone, Copy)]
pub struct ProbeId(pub u64);
#[derive(Debug)]
pub enum Action {
    Send,
    Probe,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    A,
}
impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("")
    }
}
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    pub mac: Mac,
}
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseChange {
    Put(Lease),
    Drop(Mac),
}
#[derive(Debug, Default)]
pub struct Outcome {
    pub changes: Vec<LeaseChange>,
    pub actions: Vec<Action>,
    pub notices: Vec<Notice>,
}
#[derive(Debug)]
pub struct Server;
impl Server {
    pub fn new(_: &Settings) -> Server {
        Server
    }
    pub fn restore(&mut self, _: Vec<Lease>) {}
    pub fn reconfigure(&mut self, _: &Settings) {}
    pub fn handle(&mut self, _: &Packet, _: &Boot, _: Time) -> Outcome {
        Outcome::default()
    }
    pub fn probed(&mut self, _: ProbeId, _: bool, _: Time) -> Outcome {
        Outcome::default()
    }
    pub fn tick(&mut self, _: Time) -> Outcome {
        Outcome::default()
    }
    pub fn deadline(&self) -> Option<Time> {
        None
    }
    pub fn mac_of(&self, _: Ipv4Addr, _: Time) -> Option<Mac> {
        None
    }
    pub fn address_of(&self, _: Mac, _: Time) -> Option<Ipv4Addr> {
        None
    }
    pub fn leases_in_force(&self, _: Time) -> usize {
        0
    }
}
