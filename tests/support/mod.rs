//! The real service, in the networks of `rack-lab`.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "tests wait for real processes")]

pub mod confined;
pub mod fault;
pub mod service;

pub use rack_lab::bench::*;
