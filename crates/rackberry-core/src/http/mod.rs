//! HTTP: which route a path means and which bytes a range means (pure), and the server and its client (adapters).

pub mod range;
pub mod route;
