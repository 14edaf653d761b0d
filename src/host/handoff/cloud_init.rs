//! cloud-init with a NoCloud seed on the host's own disk.
//!
//! Only that seed is read: the data source is pinned, and disks labelled `cidata` are ignored, or any stick could
//! configure the machine. Our own data is JSON, which is YAML without the surprises of YAML 1.1 (`no`, `12:30`); the
//! lines that cloud-init's `ds-identify` reads with a shell are constants. The network and the host keys stay ours.

use super::text::{no_nul, shown};
use super::{Manager, Outcome, Program, Takeover, Verdict, file, judge};
use crate::grammar::{self, Finding, cloud_config};
use crate::host::Unsupported;
use crate::host::resolve::handoff::Work;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawCloudInit;
use crate::spec::image::ImageSystem;
use crate::value::rule::Rule;
use crate::value::{HostName, OrderId};

pub(super) const BY: &str = "cloud-init";
const KEY: &str = "handoff.cloud_init.user_data";
const SEED: &str = "/var/lib/cloud/seed/nocloud";

pub(super) const OUTCOMES: &[Outcome] = &[
    Outcome::new(
        "0",
        "done",
        Verdict::Converged,
        "every stage ended without an error, and the user-data fits the schema",
    ),
    Outcome::new(
        "2",
        "deprecated",
        Verdict::Converged,
        "done; some of the user-data is deprecated, and nothing else was complained about",
    ),
    Outcome::new("*", "schema", Verdict::Failed, "the user-data doesn't fit cloud-init's schema"),
    Outcome::new("*", "errors", Verdict::Failed, "a stage or a module failed"),
    Outcome::new("*", "recoverable", Verdict::Failed, "cloud-init went on after errors"),
    Outcome::new("*", "not-run", Verdict::Failed, "cloud-init did not run"),
    Outcome::new("*", "*", Verdict::Failed, "cloud-init failed"),
];

/// cloud-init reads this user-data from a NoCloud seed.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudInit {
    /// Cloud-config or another format that cloud-init knows, checked for its first line.
    pub user_data: String,
}

impl std::fmt::Debug for CloudInit {
    /// Without the text, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CloudInit")
    }
}

impl CloudInit {
    /// What a profile says; `None` if something is wrong with it.
    pub(super) fn resolve(raw: &RawCloudInit, work: &mut Work<'_, '_>) -> Option<Self> {
        let Some(user_data) = &raw.user_data else {
            work.missing(work.span, "cloud-init without user data", "add `user_data: files/NAME`");
            return None;
        };
        let (text, place) = match raw.named_file() {
            Some(path) => work.file(path)?,
            // the text itself: it may begin with a secret
            None => (work.inline(user_data)?, user_data.span.begin()),
        };
        match check(&text) {
            Err(message) => work.tell(Diagnostic::new(place, message)),
            Ok(()) => work.judge_user_data(&text, place),
        }
        Some(Self { user_data: text })
    }
}

impl Manager for CloudInit {
    fn name(&self) -> &'static str {
        BY
    }

    fn key(&self) -> &'static str {
        "cloud_init"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["cloud-init"]
    }

    fn takeover(&self, host: &HostName, order: Option<&OrderId>) -> Result<Takeover, Vec<Unsupported>> {
        check(&self.user_data).map_err(|reason| vec![Unsupported { key: KEY.to_owned(), reason }])?;
        // a new order is a new instance; cloud-init then runs again
        let instance = order.map_or(host.as_str(), OrderId::as_str);
        let meta_data = serde_json::json!({
            "instance-id": format!("ironstrap-{instance}"),
            "local-hostname": host.as_str(),
        });
        let files = vec![
            file(&format!("{SEED}/user-data"), 0o600, self.user_data.clone()),
            file(&format!("{SEED}/meta-data"), 0o644, format!("{meta_data}\n")),
            file(&format!("{SEED}/vendor-data"), 0o644, "#cloud-config\n{}\n"),
            file("/etc/cloud/cloud.cfg.d/99-ironstrap.cfg", 0o644, include_str!("cloud_init.cfg")),
            file("/etc/cloud/ds-identify.cfg", 0o644, "datasource: NoCloud\n"),
        ];
        // it waits for the first run and judges it
        let text = include_str!("cloud_init.sh").replace("@JUDGE@", &judge(OUTCOMES));
        let program = Program { mode: 0o755, text };
        Ok(Takeover { program, files, units: vec!["cloud-init.target".to_owned()] })
    }

    /// What the image's cloud-init would stumble over, where its version is known; what every version would, `host` has refused.
    fn refused_by(&self, image: &ImageSystem, waived: &[&'static Rule]) -> Vec<String> {
        let Some(version) = version_of(image).filter(|_| check(&self.user_data).is_ok()) else {
            return Vec::new();
        };
        let found = cloud_config::lint(&self.user_data, Some(version));
        let text = |finding: &Finding| format!("{KEY}: {finding} [{}] (cloud-init {version})", finding.rule);
        grammar::errors(&found).filter(|finding| !waived.contains(&finding.rule)).map(text).collect()
    }
}

/// The version of an image's cloud-init, where it is known.
pub fn version_of(image: &ImageSystem) -> Option<cloud_config::Version> {
    cloud_config::Version::of(&image.os, &image.os_version)
}

/// What user-data may begin with (cloud-init's `INCLUSION_TYPES_MAP`); MIME and scripts beside it.
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

/// cloud-init ignores user-data whose first line it doesn't know, and calls that success.
///
/// # Errors
/// What was found.
fn check(text: &str) -> Result<(), String> {
    let first = text.lines().next().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    let known = first.starts_with("#!")
        || HEADERS.iter().any(|header| first.trim_end() == *header)
        || ["mime-version:", "content-type:"].iter().any(|header| lower.starts_with(header));
    if !known {
        return Err(format!(
            "the first line is `{}`, which cloud-init ignores; expected `#cloud-config`, `#!` with an interpreter, or another of its formats",
            shown(first)
        ));
    }
    no_nul(text, "cloud-init takes text only")
}
