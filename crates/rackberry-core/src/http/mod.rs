//! HTTP: which route a path means, which bytes a range means, whom a name means, and how often a token may be guessed.

pub mod guesses;
pub mod host;
pub mod range;
pub mod route;
