//! demo
pub mod simulated;
