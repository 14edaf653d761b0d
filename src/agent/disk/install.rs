//! The install: from a plan to a disk that boots. The order of its writes is a promise.
//!
//! Power may fail at any moment: the disk is then as it was, or not bootable and safely tried again, or complete.
//!
//! 1. Everything that can fail without a write is tried: the disk is still the planned one, the image's partition table
//!    arrives, is verified and fits.
//! 2. The claim is told, so that no failure of a write can pass for a refusal. Then the claim record; flush. From
//!    here on the order belongs to this disk. Where foreign data is overwritten, the record's place may be in a file system of
//!    theirs: LBA 0 is zeroed before it, so that no system boots in which 4 KiB are missing.
//! 3. LBA 0 is zeroed; flush; from here on firmware boots nothing. Then both tables, at the old and the new end; flush.
//! 4. Every block but the withheld ones; each is read back and compared after a flush that followed its write: see
//!    [`engine`]. Where the disk holds this image or a former one, what is in its place is read, what stands elsewhere is copied,
//!    and only then is anything fetched or zeroed: see [`engine::reuse`]. The claim record says that the image is placed; flush: until then, all behind the image but the disk's last
//!    MiB is as it was.
//! 5. The disk shows that it is as large as it says ([`true_size`]), and
//!    what lies behind the image is cleared of a former life: the ends of what the root grows into, all of it where the
//!    device zeroes cheaply, and the rest of the disk; flush.
//! 6. The caller personalises the mounted file systems and writes the done files, this order's last; flush. No partition may
//!    carry another signature than its file system's. The claim record says that all is written but the tables; flush.
//! 7. The backup table and all of the primary one but LBA 0; flush; they are read back.
//! 8. One write of bytes 0–4095, which changes LBA 0 alone; flush; it is read back. Nothing is written afterwards.
//!
//! Where the plan is for the tables alone, because an earlier run came to step 7 or because somebody zeroed LBA 0 since, steps 7
//! and 8 are all that is done, after a look whether the tables are the same ones.
//!
//! An order may be taken back at any moment before step 7, which is a failure like others: see [`Leave`].
//!
//! A failure after step 2 leaves LBA 0 zeroed; one of step 2 leaves all as it was but perhaps the claim record, or, of a
//! foreign disk, LBA 0.
//! Memory: that of the [`engine`], beside the index.

use super::commit::Gate;
use super::engine::reuse::Held;
use super::engine::{self, Blocks};
use super::progress::{Progress, Told};
use super::table::{DiskLayout, FinalTable, Owner, final_table};
use super::{growth, signatures, true_size};
use crate::agent::Failure;
use crate::agent::payload::fetch::Fetcher;
use crate::agent::payload::source::BlobSource;
use crate::image::read::{Index, PRIMARY_END};
use crate::plan;
use crate::spec::Code;
use crate::spec::claim::{Claim, Stage};
use crate::spec::event::{Outcomes, Reused};
use crate::spec::image::ImageManifest;
use crate::spec::order::InstallOrder;
use crate::spec::plan::{Plan, Work};
use crate::sys::block::BlockDevice;
use crate::trust::Verified;

/// Everything that an install is made from. That order and manifest were verified is part of their type.
#[derive(Clone, Copy)]
pub struct Install<'a> {
    /// The planned disk, held by nobody else.
    pub device: &'a dyn BlockDevice,
    /// The plan for it.
    pub plan: &'a Plan,
    /// The order behind the plan.
    pub order: &'a Verified<InstallOrder>,
    /// The image that the order names.
    pub manifest: &'a Verified<ImageManifest>,
    /// Its index.
    pub index: &'a Index,
    /// Where its packs come from.
    pub source: &'a dyn BlobSource,
    /// Whether the order still stands.
    pub leave: &'a dyn Leave,
}

/// Whether an order still stands once its disk is claimed. If it doesn't, the install breaks off, and the disk doesn't boot.
pub trait Leave {
    /// As far as was heard; costs nothing.
    ///
    /// # Errors
    /// [`Code::OrderRevoked`].
    fn holds(&self) -> Result<(), Failure>;

    /// Whoever may know is asked: before the commit.
    ///
    /// # Errors
    /// [`Code::OrderRevoked`].
    fn holds_now(&self) -> Result<(), Failure>;
}

/// Nobody can take the order back.
impl Leave for () {
    fn holds(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn holds_now(&self) -> Result<(), Failure> {
        Ok(())
    }
}

impl std::fmt::Debug for Install<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Install").field("plan", self.plan).finish_non_exhaustive()
    }
}

/// Makes the written system this host's, through the kernel's view of the same disk.
pub trait Personaliser {
    /// Changes the file systems at these places and writes the done files into the ESP. Everything must be unmounted and
    /// written to the disk when it returns; blocks outside the partitions must not be touched.
    ///
    /// # Errors
    /// [`Code::Personalise`] with the file; the disk then stays unbootable.
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure>;
}

/// What the report says of the personalised system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Personalised {
    /// SHA-256 fingerprint of the SSH host key.
    pub ssh_host_key: Option<String>,
    /// What proves how its hand-off ends.
    pub outcomes: Option<Outcomes>,
}

/// A disk that boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Where everything is.
    pub layout: DiskLayout,
    /// What the personaliser said.
    pub personalised: Personalised,
    /// What of the image was on the disk already; `None` where nothing was looked for.
    pub reused: Option<Reused>,
}

/// When the disk becomes bootable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    /// After everything else.
    CommitLast,
    /// Wrongly before the blocks: shows that the crash-state test can fail.
    #[cfg(test)]
    CommitFirst,
}

/// Tries what can be tried without touching the disk: the first chunks arrive, are verified, and give a partition table
/// that fits. Call it before the countdown; [`install`] does it again.
///
/// # Errors
/// The payload's; [`Code::ImageUnsupported`] when the table is unusable.
pub fn preflight(install: &Install<'_>) -> Result<DiskLayout, Failure> {
    make_table(install).map(|table| table.layout)
}

/// Installs. See the module for the order of what happens.
///
/// # Errors
/// Code and sentence; the disk is as it was (but perhaps claimed), or doesn't boot; the order can be used again.
pub fn install(
    install: &Install<'_>,
    personaliser: &mut dyn Personaliser,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, Failure> {
    run(install, personaliser, progress, Sequence::CommitLast)
}

/// The same writes in an order that breaks the promise.
#[cfg(test)]
pub fn install_commit_first(
    install: &Install<'_>,
    personaliser: &mut dyn Personaliser,
) -> Result<Installed, Failure> {
    run(install, personaliser, &mut |_| (), Sequence::CommitFirst)
}

fn run(
    install: &Install<'_>,
    personaliser: &mut dyn Personaliser,
    progress: &mut dyn FnMut(Progress),
    sequence: Sequence,
) -> Result<Installed, Failure> {
    check_disk(install)?;
    let table = make_table(install)?;
    let gate = Gate::new(install.device);
    if let Work::Tables { entries } = install.plan.work {
        require_same(&table, entries)?;
        gate.resume(Claim { stage: Stage::Ready { entries }, ..plan::claim(install.order, install.plan) });
        progress(Progress::Tables);
        commit(&gate, &table).map_err(|failure| close_after(failure, &gate))?;
        let personalised = Personalised::default();
        return Ok(Installed { layout: table.layout, personalised, reused: None });
    }
    progress(Progress::Claimed { disk: install.plan.disk.stable_name(), attempt: install.plan.attempt });
    if install.plan.overwrites_foreign {
        gate.close_again()?;
    }
    gate.claim(&plan::claim(install.order, install.plan))?;
    let (personalised, reused) = after_claim(install, &gate, &table, personaliser, progress, sequence)
        .map_err(|failure| close_after(failure, &gate))?;
    Ok(Installed { layout: table.layout, personalised, reused })
}

/// Whether these are the tables that the claim says were made.
fn require_same(table: &FinalTable, entries: u32) -> Result<(), Failure> {
    if table.entries_checksum == entries {
        return Ok(());
    }
    let message = format!(
        "the partition entries made for this disk have checksum {:#010x}, those of its claim {entries:#010x}: it isn't as large \
         as it was, or the image isn't the same",
        table.entries_checksum
    );
    Err(Failure::new(Code::DiskChanged, message))
}

/// The plan was made from facts, and the device was opened later by name: it must still be that disk.
fn check_disk(install: &Install<'_>) -> Result<(), Failure> {
    let (planned, device) = (&install.plan.disk, install.device);
    if (planned.size.as_bytes(), planned.logical_block) == (device.size(), device.logical_block())
        && install.plan.order == install.order.id
        && device.size() >= install.manifest.size.as_bytes()
    {
        return Ok(());
    }
    let message = format!(
        "the plan of order {} is for {}, but the disk that was opened has {} bytes in blocks of {}",
        install.plan.order,
        plan::describe(planned),
        device.size(),
        device.logical_block()
    );
    Err(Failure::new(Code::Internal, message))
}

fn make_table(install: &Install<'_>) -> Result<FinalTable, Failure> {
    let head = Fetcher::new(install.manifest, install.source).head(install.index, PRIMARY_END)?;
    let owner = Owner { order: &install.order.id, host: &install.order.host };
    final_table(&head, install.manifest, install.device.size(), owner).map_err(|error| {
        Failure::new(Code::ImageUnsupported, format!("image {}: {error:#}", install.manifest.image))
    })
}

fn after_claim(
    install: &Install<'_>,
    gate: &Gate<'_>,
    table: &FinalTable,
    personaliser: &mut dyn Personaliser,
    progress: &mut dyn FnMut(Progress),
    sequence: Sequence,
) -> Result<(Personalised, Option<Reused>), Failure> {
    let Install { device, manifest, index, source, leave, plan, order } = *install;
    let progress: &mut Told<'_> = &mut |told| {
        progress(told);
        leave.holds()
    };
    gate.close(manifest.size.as_bytes())?;
    if sequence != Sequence::CommitLast {
        commit(gate, table)?;
    }
    let image = order.image.manifest;
    let others: Vec<_> = plan.holds.iter().copied().filter(|held| *held != image).collect();
    let held = Held { same: plan.holds.contains(&image), others: &others };
    let reused = engine::place(&held, &Blocks { device, manifest, index, source }, progress)?;
    let claim = plan::claim(order, plan);
    gate.claim(&Claim { stage: Stage::Placed, ..claim.clone() })?;
    true_size::check(device, manifest.size.as_bytes())?;
    growth::clear(device, &table.layout, manifest.size.as_bytes())?;
    gate.flush()?;
    progress(Progress::Personalising)?;
    let personalised = personaliser.personalise(&table.layout)?;
    gate.flush()?;
    signatures::check(device, &table.layout, manifest)?;
    leave.holds_now()?;
    progress(Progress::Committing)?;
    let stage = Stage::Ready { entries: table.entries_checksum };
    gate.claim(&Claim { stage, ..claim })?;
    if sequence == Sequence::CommitLast {
        commit(gate, table)?;
    }
    Ok((personalised, reused))
}

fn commit(gate: &Gate<'_>, table: &FinalTable) -> Result<(), Failure> {
    gate.tables(table)?;
    gate.open(table)
}

/// After a failure, even one of the commit itself, the disk must not boot; and failures are counted.
fn close_after(mut failure: Failure, gate: &Gate<'_>) -> Failure {
    let was_closed = gate.is_closed();
    if let Err(second) = gate.close_again() {
        failure.message += &match was_closed {
            true => format!(
                "; and LBA 0, which was zeroed before, could not be zeroed again ({})",
                second.message
            ),
            false => format!("; and LBA 0 could not be zeroed ({}), so the disk may boot", second.message),
        };
    }
    if let Err(second) = gate.count_failure() {
        failure.message += &format!("; and the failure could not be counted ({})", second.message);
    }
    failure
}

#[cfg(test)]
mod tests;
