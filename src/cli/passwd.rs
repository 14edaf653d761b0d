//! `ironstrap passwd`: a clear password → the hash that a profile holds. The password comes from the terminal or a pipe, never
//! from an argument or the environment, where other users and logs would see it.

use anyhow::{Result, ensure};

use super::output;
use crate::sys::prompt;
use crate::sys::random;
use crate::trust::password::{self, Method};

/// Hash a password for `password:` in a profile. It is asked for twice, or read as one line from standard input.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// yescrypt, or sha512 for targets whose C library doesn't know yescrypt (Enterprise Linux 8).
    #[arg(long, default_value_t)]
    method: Method,
}

/// Prints the hash.
///
/// # Errors
/// Two different answers, a password that nobody could log in with, no terminal.
pub fn run(args: &Args) -> Result<()> {
    let clear = if prompt::is_person() {
        let first = prompt::ask("Password: ")?;
        let second = prompt::ask("The same again: ")?;
        ensure!(first == second, "the two passwords differ; nothing was hashed");
        first
    } else {
        prompt::piped_line()?
    };
    let hash = password::hash(args.method, &clear, random::bytes()?)?;
    if String::from_utf8_lossy(&clear).chars().count() < password::SHORT {
        output::note(&format!("note: the password has less than {} characters\n", password::SHORT));
    }
    Ok(output::print(&format!("{}\n", hash.expose()))?)
}
