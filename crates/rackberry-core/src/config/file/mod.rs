//! Files of tables and keys, for `rackberry.toml` and for board files: decoded, parsed and read, with every fault's place.

pub mod fault;
pub(crate) mod read;
pub mod source;
pub(crate) mod syntax;
