//! The `rackberry` command.
fn main() {}
