//! The one binary: the operator's command, and `/init` on the target.

use std::process::ExitCode;

fn main() -> ExitCode {
    if ironstrap::agent::is_agent() { ironstrap::agent::main() } else { ironstrap::cli::main() }
}
