//! cloud-init with a NoCloud seed on the host's own disk.
//!
//! Only that seed is read: the data source is pinned, and disks labelled `cidata` are ignored, or any stick could
//! configure the machine. Our own data is JSON, which is YAML without the surprises of YAML 1.1 (`no`, `12:30`); the
//! lines that cloud-init's `ds-identify` reads with a shell are constants. The network and the host keys stay ours.

use anyhow::{Result, anyhow};

use super::{Takeover, file, outcomes, reporter};
use crate::host::handoff;
use crate::value::{HostName, OrderId};

const BY: &str = "cloud-init";
const SEED: &str = "/var/lib/cloud/seed/nocloud";

pub(super) fn takeover(host: &HostName, order: Option<&OrderId>, user_data: &str) -> Result<Takeover> {
    handoff::user_data(user_data).map_err(|why| anyhow!("handoff.cloud_init.user_data: {why}"))?;
    // a new order is a new instance; cloud-init then runs again
    let instance = order.map_or(host.as_str(), OrderId::as_str);
    let meta_data = serde_json::json!({
        "instance-id": format!("ironstrap-{instance}"),
        "local-hostname": host.as_str(),
    });
    let files = vec![
        file(&format!("{SEED}/user-data"), 0o600, user_data),
        file(&format!("{SEED}/meta-data"), 0o644, format!("{meta_data}\n")),
        file(&format!("{SEED}/vendor-data"), 0o644, "#cloud-config\n{}\n"),
        file("/etc/cloud/cloud.cfg.d/99-ironstrap.cfg", 0o644, include_str!("cloud_init.cfg")),
        file("/etc/cloud/ds-identify.cfg", 0o644, "datasource: NoCloud\n"),
        file(reporter::COMMAND, 0o755, judge()),
    ];
    let units = vec!["cloud-init.target".to_owned()];
    Ok(Takeover { by: BY, command: Some(reporter::COMMAND.to_owned()), files, units })
}

/// The script that waits for the first run and judges it.
fn judge() -> String {
    include_str!("cloud_init.sh").replace("@JUDGE@", &outcomes::judge(BY))
}
