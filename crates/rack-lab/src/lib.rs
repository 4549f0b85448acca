//! Racks on a PC, for the demo and the tests: networks in namespaces of their own, cables, QEMU machines with real
//! firmware, light stand-ins for many machines, and what tests look at all that with.
//!
//! Nothing here is in the Raspberry Pi's binary: rackberry depends on this crate by its feature `demo` only.

mod advertise;
pub mod bench;
pub mod cable;
pub mod machine;
pub mod namespace;
pub mod simulated;
