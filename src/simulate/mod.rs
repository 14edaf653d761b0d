//! A rehearsal: what the agent would do for a host on a machine whose facts were recorded, disk by disk, with what decided it.
//!
//! It is [`crate::plan`] that decides, as on the machine itself, from an order that is made as `bundle` makes it. Only the time is
//! today's, whenever the facts were recorded, and no server is asked.
//!
//! Pure: nothing is armed, signed or written.

use crate::bundle::contents::order_parts;
use crate::host::{LockedHost, Site};
use crate::order::{self, BuildError, MintRequest, mint};
use crate::plan;
use crate::spec::facts::{Disk, Facts};
use crate::spec::image::ImageManifest;
use crate::spec::order::{InstallOrder, Permit};
use crate::spec::plan::{Plan, Refusal, Work};
use crate::spec::secure_boot::Loaders;
use crate::spec::system::{RootAccount, SystemSpec};
use crate::trust::SiteKey;
use crate::value::{OrderId, Timestamp};

#[cfg(test)]
mod tests;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The host, with its image pinned.
    pub host: &'a LockedHost,
    /// Its site.
    pub site: &'a Site,
    /// The pinned image.
    pub manifest: &'a ImageManifest,
    /// What starts it, as far as that can be read.
    pub loaders: Option<&'a Loaders>,
    /// The permit that the host has, if any.
    pub permit: Option<&'a Permit>,
    /// The highest generation of the permits that it ever had.
    pub generation: u64,
    /// The machine.
    pub facts: &'a Facts,
    /// The time.
    pub now: Timestamp,
}

/// What would happen.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The order that decides: of the host's permit, or of the one that `arm` would mint now.
    pub order: OrderId,
    /// Its generation.
    pub generation: u64,
    /// Whose order it is.
    pub armed: Armed,
    /// The plan, or the refusal.
    pub outcome: Result<Plan, Refusal>,
    /// What isn't known of whether the machine starts the image, where Secure Boot is on.
    pub doubt: Option<String>,
    /// Every disk of the machine, by name.
    pub disks: Vec<DiskFate>,
}

/// What becomes of one disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFate {
    /// The disk.
    pub disk: Disk,
    /// What becomes of it.
    pub fate: Fate,
    /// What decided that.
    pub because: String,
}

/// What may become of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// No byte of it is written.
    Kept,
    /// All that it holds is lost, and the image is written.
    Wiped,
    /// Its partition tables are made anew; no byte of a partition is written.
    Tables,
}

/// Whether the order is that of the host's permit; if not, why its permit isn't taken, where it has one.
pub type Armed = Result<(), Option<BuildError>>;

/// Rehearses.
///
/// # Errors
/// When no order can be made of what the host is now, which is a bug.
pub fn rehearse(question: &Question<'_>) -> Result<Rehearsal, BuildError> {
    let Question { facts, now, manifest, .. } = question;
    let (order, armed) = order_of(question)?;
    let facts = Facts { clock: *now, vouchers: Vec::new(), ..(*facts).clone() };
    let outcome = plan::plan(&order, manifest, *now, &facts);
    let doubt = plan::firmware_doubt(&order, &facts.machine);
    let disks = facts.disks.into_iter().map(|disk| fate(disk, &order, manifest, &outcome)).collect();
    Ok(Rehearsal { order: order.id, generation: order.generation, armed, outcome, doubt, disks })
}

/// The order that the host's permit makes, or that of the permit which it would get.
fn order_of(question: &Question<'_>) -> Result<(InstallOrder, Armed), BuildError> {
    let Question { host, site, loaders, permit, generation, now, .. } = question;
    // what a disk shows of keys was judged when the facts were recorded: this one only fills its place
    let key = SiteKey::from_random([0; 40]);
    let parts = || order_parts(host, site, no_system(host), *loaders);
    let made = permit.map(|permit| order::build(permit, parts(), &key, *now));
    let refused = match made {
        Some(Ok(order)) => return Ok((order, Ok(()))),
        Some(Err(error)) => Some(error),
        None => None,
    };
    let request = MintRequest {
        host: &host.host.name,
        image: &host.image,
        target: &host.host.target,
        matching: &host.host.matching,
        wipe: host.host.wipe,
        now: *now,
        validity: site.order_validity,
    };
    let next = mint(&request, [0; 16], *generation);
    let order = order::build(&next, parts(), &key, *now)?;
    Ok((order, Err(refused)))
}

/// No plan asks what the installed system will be.
fn no_system(host: &LockedHost) -> SystemSpec {
    SystemSpec {
        hostname: host.host.name.clone(),
        timezone: None,
        root: RootAccount::default(),
        users: Vec::new(),
        files: Vec::new(),
        units: Vec::new(),
    }
}

fn fate(
    disk: Disk,
    order: &InstallOrder,
    manifest: &ImageManifest,
    outcome: &Result<Plan, Refusal>,
) -> DiskFate {
    let (fate, because) = match (outcome, plan::why_not(order, &disk)) {
        (Ok(plan), _) if plan.disk.name == disk.name => match plan.work {
            Work::Install => (Fate::Wiped, written(plan, order, manifest)),
            Work::Tables { .. } => {
                (Fate::Tables, format!("order {} was carried out here, and LBA 0 was zeroed since", order.id))
            }
        },
        (_, Some(why)) => (Fate::Kept, why),
        (Err(refusal), None) => (Fate::Kept, format!("is meant, and refused: {}", refusal.code)),
        (Ok(plan), None) => (Fate::Kept, format!("{} is the one that is written", plan.disk.name)),
    };
    DiskFate { disk, fate, because }
}

/// What an install does with its disk.
fn written(plan: &Plan, order: &InstallOrder, manifest: &ImageManifest) -> String {
    let loss = match (plan.overwrites_foreign, plan.attempt) {
        (true, _) => format!("; DATA THAT IS NOT OURS IS LOST, as `wipe: {}` allows", order.wipe),
        (false, 1) => String::new(),
        (false, attempt) => format!("; attempt {attempt} of this order"),
    };
    let held = match plan.holds.first() {
        None => String::new(),
        Some(held) if *held == order.image.manifest => {
            "; it holds this image: what is still right isn't fetched".to_owned()
        }
        Some(held) => format!("; it holds image {:.12}: what is the same isn't fetched", held.to_string()),
    };
    format!(
        "is the only disk with {}; {} bytes of data in an image of {} are written, and what lies behind it can't \
         be taken for an old system; only a disk that zeroes by command is cleared as a whole{loss}{held}",
        order.target,
        manifest.data.as_bytes(),
        manifest.size
    )
}
