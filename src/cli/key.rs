//! `ironstrap key`: the site's key.

use anyhow::Result;

use super::paths::SitePaths;
use super::{keys, output};

/// The site's key.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the public key, as minisign reads it.
    Show,
}

/// Runs the command.
///
/// # Errors
/// When the site has no public key.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    match args.command {
        Command::Show => Ok(output::print(&keys::public(paths)?.to_text())?),
    }
}
