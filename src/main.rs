//! The `rackberry` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rackberry::cli::main()
}
