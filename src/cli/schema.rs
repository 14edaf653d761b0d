//! `ironstrap schema`: what editors need to know of a site's files.

use anyhow::Result;

use super::output;
use crate::profile::schema::{self, Document};

/// Print the JSON Schema of a kind of file, for editors. A new site has all of them in schema/; after an update of ironstrap,
/// write them anew: ironstrap schema host > schema/host.json
#[derive(Debug, clap::Args)]
pub struct Args {
    /// site, profile (a class) or host.
    #[arg(value_name = "KIND", default_value_t)]
    kind: Document,
}

/// Prints it.
///
/// # Errors
/// Standard output can't be written.
pub fn run(args: &Args) -> Result<()> {
    Ok(output::print(&output::json(&schema::schema(args.kind))?)?)
}
