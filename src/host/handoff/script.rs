//! A script of the site's own, run once as root.

use anyhow::{Result, anyhow};

use super::{Takeover, file, reporter};
use crate::host::handoff;

pub(super) fn takeover(content: &str) -> Result<Takeover> {
    handoff::script(content).map_err(|why| anyhow!("handoff.script: {why}"))?;
    // on the machine only root reads it; on its way there, whoever has the medium or can ask the TFTP server does
    let files = vec![file(reporter::COMMAND, 0o700, content)];
    Ok(Takeover { by: "script", command: Some(reporter::COMMAND.to_owned()), files, units: Vec::new() })
}
