//! The panel's hardware: LEDs, button and display, and the terminal that stands in for them.

pub mod backend;
pub mod board;
pub mod drive;
pub mod terminal;
pub mod trial;
