//! The machine that this kernel runs on, at the end of a run.

use std::time::Duration;

use anyhow::Result;

use super::boots::{self, Bootable};
use super::next::Known;
use super::tries::Tries;
use super::wait::Key;
use super::{Machine, Tell};
use crate::agent::efi::BootEntries;
use crate::agent::report::console::Consoles;
use crate::agent::report::reporter::Reporter;
use crate::plan;
use crate::probe::live;
use crate::spec::facts::{Disk, DiskContent};
use crate::trust::TrustedKeys;
use crate::value::OrderId;

/// Consoles, firmware and disks of this machine.
pub(in crate::agent) struct RealMachine<'a> {
    /// Its consoles.
    pub(in crate::agent) consoles: &'a Consoles,
    /// Its firmware.
    pub(in crate::agent) firmware: BootEntries,
    /// What claims are believed by; without them no disk is judged, and none booted.
    pub(in crate::agent) keys: Option<TrustedKeys>,
    /// Brings the network up and names the server to the reporter.
    pub(in crate::agent) tell: Tell<'a>,
}

impl std::fmt::Debug for RealMachine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealMachine").field("firmware", &self.firmware).finish_non_exhaustive()
    }
}

impl Machine for RealMachine<'_> {
    fn look(&mut self, order: Option<&OrderId>, pause: Duration) -> Known {
        let disks = self.keys.as_ref().map(|keys| live::live_disks(keys, &|_| false)).unwrap_or_default();
        let firmware = self.firmware.system_partitions();
        let recalled = self.firmware.recall().map(|bytes| Tries::from_bytes(&bytes));
        Known {
            order: order.cloned(),
            pause,
            disks: boots::look(&disks, &live::open, &firmware),
            firmware,
            done: order.and_then(|order| done_disk(order, &disks)),
            failures: order.and_then(|order| failures(order, &disks)),
            // whether it does was seen only if something outlived a restart
            remembers: recalled.is_some(),
            tries: recalled.unwrap_or_default(),
        }
    }

    fn remember(&mut self, tries: &Tries) -> Result<()> {
        self.firmware.remember(&tries.to_bytes())
    }

    fn boot_next(&mut self, disk: &Bootable) -> Result<()> {
        self.firmware.boot_next(&disk.esp, disk.has_loader)
    }

    fn boot_same(&mut self) -> Result<()> {
        self.firmware.boot_same()
    }

    fn reach_server(&mut self, reporter: &mut Reporter) {
        if !reporter.has_server() {
            (self.tell)(reporter);
        }
    }

    fn line(&self, text: &str) {
        self.consoles.line(text);
    }

    fn picture(&self, text: &str) {
        self.consoles.keep_in_sight(text);
    }

    fn discard_typed(&mut self) {
        self.consoles.discard_typed();
    }

    fn typed_within(&mut self, time: Duration, key: Key) -> bool {
        self.consoles.typed_within(Some(time), |typed| key.counts(typed))
    }
}

/// The disk on which this order is done. A copy of it shows the same; the one that was claimed is meant.
pub(super) fn done_disk(order: &OrderId, disks: &[Disk]) -> Option<String> {
    let mut done: Vec<_> = disks.iter().filter(|disk| plan::shows_done(order, disk)).collect();
    let is_claimed = |disk: &&Disk| matches!(&disk.content, DiskContent::Ours { claim, .. } if plan::is_in_place(claim, disk));
    done.sort_by_key(|disk| (disk.removable || disk.boot_medium, !is_claimed(disk)));
    done.first().map(|disk| disk.name.clone())
}

/// Failures of this order that a claim counts.
fn failures(order: &OrderId, disks: &[Disk]) -> Option<u32> {
    let counted = disks.iter().filter_map(|disk| match &disk.content {
        DiskContent::Ours { claim, .. } if claim.grant.order == *order && plan::is_in_place(claim, disk) => {
            Some(claim.failures)
        }
        _ => None,
    });
    counted.max()
}
