//! The journal's bytes, without a disk: for what looks at a copy of them, and for tests of what reads them.

use rackberry_core::appliance::Stored;

use super::{
    contents::Contents,
    record::{self, Damage, Header},
};

/// What a file with these bytes keeps.
///
/// # Errors
/// What is wrong with it.
pub fn stored(bytes: &[u8]) -> Result<Stored, Damage> {
    let records = record::read(bytes)?;
    let mut contents = Contents::default();
    for (place, body) in &records.bodies {
        contents.apply(body).map_err(|_| Damage::Senseless(*place))?;
    }
    contents.stored().map_err(|_| Damage::Senseless(records.end))
}

/// The same, as it is after the file was written anew.
///
/// # Errors
/// What is wrong with it.
pub fn written_anew(bytes: &[u8]) -> Result<Vec<u8>, Damage> {
    let records = record::read(bytes)?;
    let mut contents = Contents::default();
    for (place, body) in &records.bodies {
        contents.apply(body).map_err(|_| Damage::Senseless(*place))?;
    }
    let bodies = contents.bodies();
    Ok(file_of(bodies.iter().map(String::as_str)))
}

/// A whole file with these records.
pub fn file_of<'b>(bodies: impl Iterator<Item = &'b str> + Clone) -> Vec<u8> {
    let header = Header { id: 7, salt: 11, records: bodies.clone().count(), before: None };
    let mut bytes = header.text().into_bytes();
    bodies.for_each(|body| record::add(&mut bytes, header.salt, 0, body));
    bytes
}
