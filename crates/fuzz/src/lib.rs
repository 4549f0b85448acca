//! Inputs of every kind, thrown at whatever reads bytes that strangers send. Each target is a function of bytes that must
//! return; what it asserts must hold for all of them.
//!
//! `cargo test -p fuzz` replays the inputs that are kept in `corpus/`; `make fuzz` searches for new ones.

#![forbid(unsafe_code)]

mod conversation;
mod files;
mod journal;
mod packets;

/// What is given bytes.
pub type Target = fn(&[u8]);

/// What is tried: its name, which is that of its folder of inputs, and the function.
pub const TARGETS: [(&str, Target); 15] = [
    ("dhcp-packet", packets::dhcp),
    ("dhcp-conversation", conversation::dhcp),
    ("tftp-packet", packets::tftp),
    ("tftp-conversation", conversation::tftp),
    ("http-request", conversation::http),
    ("http-range", packets::range),
    ("report", conversation::report),
    ("configuration", files::configuration),
    ("board", files::board),
    ("template", files::template),
    ("installer-configuration", files::installer_configuration),
    ("signature", files::signature),
    ("digest-list", files::digest_list),
    ("asset-names", files::asset_names),
    ("journal", journal::journal),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The first byte as a number, and the rest; an input that ends counts as zeros.
fn take(data: &mut &[u8]) -> u8 {
    let Some((first, rest)) = data.split_first() else { return 0 };
    *data = rest;
    *first
}

/// A piece of the input: as long as its first byte says, and with the highest bit eight times that.
fn piece<'d>(data: &mut &'d [u8]) -> &'d [u8] {
    let length = take(data);
    let length = if length < 128 { usize::from(length) } else { usize::from(length - 127) * 8 };
    let (piece, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    piece
}
