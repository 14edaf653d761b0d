//! cloud-init with a NoCloud seed on the host's own disk.
//!
//! Only that seed is read: the data source is pinned, and disks labelled `cidata` are ignored, or any stick could
//! configure the machine. Our own data is JSON, which is YAML without the surprises of YAML 1.1 (`no`, `12:30`); the
//! lines that cloud-init's `ds-identify` reads with a shell are constants. The network and the host keys stay ours.

use anyhow::{Result, ensure};

use super::{Takeover, file, reporter};
use crate::value::{HostName, OrderId};

const SEED: &str = "/var/lib/cloud/seed/nocloud";
/// What user-data may begin with (cloud-init's `INCLUSION_TYPES_MAP`, and MIME).
const HEADERS: [&str; 8] = [
    "#cloud-config",
    "#cloud-config-archive",
    "#cloud-config-jsonp",
    "#cloud-boothook",
    "#include",
    "#include-once",
    "#part-handler",
    "## template: jinja",
];

pub(super) fn takeover(host: &HostName, order: Option<&OrderId>, user_data: &str) -> Result<Takeover> {
    check_first_line(user_data)?;
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
        file(reporter::COMMAND, 0o755, include_str!("cloud_init.sh")),
    ];
    let units = vec!["cloud-init.target".to_owned()];
    Ok(Takeover { by: "cloud-init", command: Some(reporter::COMMAND.to_owned()), files, units })
}

/// cloud-init ignores user-data whose first line it doesn't know, and calls that success.
fn check_first_line(user_data: &str) -> Result<()> {
    let first = user_data.lines().next().unwrap_or_default();
    let known = first.starts_with("#!")
        || HEADERS.iter().any(|header| first.trim_end() == *header)
        || ["mime-version:", "content-type:"]
            .iter()
            .any(|header| first.to_ascii_lowercase().starts_with(header));
    ensure!(
        known,
        "handoff.cloud_init.user_data: the first line is `{}`, which cloud-init ignores; expected `#cloud-config`, `#!` with an interpreter, or another of its formats",
        first.chars().take(40).collect::<String>().escape_debug()
    );
    ensure!(!user_data.contains('\0'), "handoff.cloud_init.user_data: it holds a NUL character");
    Ok(())
}
