//! rackberry: a Raspberry Pi that installs a rack.
