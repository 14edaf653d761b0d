//! The one binary: the operator's command, and `/init` on the target.

use std::process::ExitCode;

fn main() -> ExitCode {
    ironstrap::cli::main()
}
