//! `ironstrap dev try-filesystem`: what the agent does with the file systems of an image, on partitions of one's own.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::agent::filesystem_trial::try_filesystem;
use crate::cli::output;
use crate::spec::image::FilesystemKind;

/// Mount the file systems on these partitions, grow them, and write to them, as an install does: a line each.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which kind they are of.
    #[arg(value_parser = kind)]
    kind: FilesystemKind,
    /// Nodes of partitions.
    #[arg(required = true)]
    nodes: Vec<PathBuf>,
    /// They are written to; without this, nothing is done.
    #[arg(long, required = true)]
    overwrite: bool,
}

fn kind(word: &str) -> Result<FilesystemKind, String> {
    let kinds = [FilesystemKind::Ext4, FilesystemKind::Xfs];
    kinds.into_iter().find(|kind| kind.name() == word).ok_or_else(|| "`ext4` or `xfs`".to_owned())
}

/// Runs the command.
///
/// # Errors
/// A node that can't be opened. What the kernel refuses is printed.
pub fn run(args: &Args) -> Result<()> {
    let Args { kind, nodes, overwrite: _ } = args;
    let place = tempfile::tempdir()?;
    for node in nodes {
        let opening = || format!("opening {}", node.display());
        let length =
            File::open(node).and_then(|mut node| node.seek(SeekFrom::End(0))).with_context(opening)?;
        let tried = try_filesystem(node, place.path(), *kind, length);
        let said = tried.map_or_else(|error| format!("{error:#}"), |()| "works".to_owned());
        output::print(&format!("{} {said}\n", node.display()))?;
    }
    Ok(())
}
