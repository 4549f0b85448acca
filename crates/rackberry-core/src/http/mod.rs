//! HTTP: which route a path means, and which bytes a range means.

pub mod range;
pub mod route;
