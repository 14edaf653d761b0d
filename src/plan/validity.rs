//! What time it is, as far as anybody can tell, and whether an order holds then.
//!
//! The bundle's time is the floor: it was later than that when the host was armed, so no clock below it is right. Within
//! [`ZONE`] below it the firmware keeps local time, and the floor is believed; a clock that is further off is wrong, and somebody
//! has to vouch for the time. So is one that is [`FAR`] above it: many firmwares take the 1970 of a dead battery for 2070. A *reading* (the server's `Date`) tells the time itself; a *mark* (a claim or a done file of ours,
//! the recorder) tells what was believed once, so that it must be later than the floor to tell anything.
//!
//! Promises: nothing unsigned makes time earlier than the floor, and of several times the latest counts, so that whoever forges
//! one can only end an order. A mark from long after the order's end is garbage. Nothing foreign on a disk is asked.

use crate::spec::Code;
use crate::spec::claim::Claim;
use crate::spec::facts::{Disk, DiskContent, Facts, VoucherSource};
use crate::spec::order::{Grant, InstallOrder};
use crate::spec::plan::{BelievedTime, Refusal};
use crate::value::Timestamp;

/// Seconds by which two clocks that show the same moment differ at most: local times span UTC−12 to UTC+14.
const ZONE: u64 = 26 * 3600;
/// Seconds after an order's end in which a mark still shows that the order has ended, and isn't garbage.
const AFTERLIFE: u64 = 365 * 24 * 3600;

/// Seconds after the floor that no clock has a reason to show: 15 years, which is what systemd takes for a broken clock, too.
const FAR: u64 = 15 * 365 * 24 * 3600;

/// Whether a clock is so far from the floor that neither a time zone nor an old medium explains it.
pub fn is_out(clock: Timestamp, floor: Timestamp) -> bool {
    clock.plus_seconds(ZONE) < floor || clock > floor.plus_seconds(FAR)
}

/// What is believed to be the time, if the order holds then.
///
/// # Errors
/// [`Code::OrderExpired`] before and after the order's validity; [`Code::ClockUnknown`] when the clock is wrong, nothing vouches
/// for the time, and the order doesn't do without.
pub(super) fn check_validity(
    order: &InstallOrder,
    floor: Timestamp,
    facts: &Facts,
) -> Result<BelievedTime, Refusal> {
    let evidence = Evidence::gather(order, floor, facts);
    let now = evidence.believed();
    let name = format!("order {} of {}", order.id, order.host);
    let refuse =
        |code, what: String| Err(Refusal::new(code, format!("{name} {what}; {}", evidence.in_words())));
    if now.time > order.not_after {
        let way_out = match evidence.credible_clock() {
            None => ": set the machine's clock, too",
            Some(_) if evidence.contradicts(order) => ": set the clock that is wrong",
            Some(_) => "",
        };
        return refuse(Code::OrderExpired, format!("ended at {}{way_out}", order.not_after));
    }
    if !now.vouched && !order.allow_dead_clock {
        let what = format!("holds until {}, and nothing vouches for the time", order.not_after);
        return refuse(Code::ClockUnknown, what);
    }
    if now.time.plus_seconds(ZONE) < order.not_before {
        return refuse(Code::OrderExpired, format!("begins at {}", order.not_before));
    }
    Ok(now)
}

/// What is believed to be the time, whether or not an order holds.
pub(super) fn believed_at_least(order: &InstallOrder, floor: Timestamp, facts: &Facts) -> BelievedTime {
    Evidence::gather(order, floor, facts).believed()
}

/// All that tells the time.
struct Evidence {
    clock: Timestamp,
    floor: Timestamp,
    witnesses: Vec<Witness>,
}

/// Somebody who tells a time.
struct Witness {
    /// In words.
    who: String,
    time: Timestamp,
    worth: Worth,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// It tells the time itself.
    Reading,
    /// It is at least this late.
    Mark,
    /// It says no more than the floor.
    Early,
    /// It can't be true.
    Garbage,
    /// It can't be believed at all, as a clock that is out.
    Out,
}

impl Evidence {
    fn gather(order: &InstallOrder, floor: Timestamp, facts: &Facts) -> Self {
        let mut evidence = Self { clock: facts.clock, floor, witnesses: Vec::new() };
        for voucher in &facts.vouchers {
            match voucher.source {
                VoucherSource::Server => evidence.hear_server(order, voucher.time),
                VoucherSource::Recorder => {
                    evidence.hear_mark(order, "the medium's recorder".to_owned(), voucher.time);
                }
            }
        }
        facts.disks.iter().for_each(|disk| evidence.hear_disk(order, disk));
        evidence
    }

    /// A server whose clock is ahead ends the order, and is named; one whose clock is dead tells nothing.
    fn hear_server(&mut self, order: &InstallOrder, time: Timestamp) {
        let who = order.server.as_ref().map_or("the server".to_owned(), ToString::to_string);
        let worth = if is_out(time, self.floor) { Worth::Out } else { Worth::Reading };
        self.witnesses.push(Witness { who, time, worth });
    }

    fn hear_mark(&mut self, order: &InstallOrder, who: String, time: Timestamp) {
        let worth = match time {
            time if time > order.not_after.plus_seconds(AFTERLIFE) => Worth::Garbage,
            time if time > self.floor => Worth::Mark,
            _ => Worth::Early,
        };
        self.witnesses.push(Witness { who, time, worth });
    }

    /// The done files of a disk count beside a claim that the site's key sealed.
    fn hear_disk(&mut self, order: &InstallOrder, disk: &Disk) {
        let DiskContent::Ours { claim, .. } = &disk.content else { return };
        self.hear_mark(order, format!("the claim on {}", disk.name), told_by(claim));
        if let Some(time) = disk.done_at {
            self.hear_mark(order, format!("the done file on {}", disk.name), time);
        }
    }

    fn believed(&self) -> BelievedTime {
        let vouching = || {
            let those = self.witnesses.iter();
            those.filter(|it| matches!(it.worth, Worth::Reading | Worth::Mark)).map(|it| it.time)
        };
        let clock = self.credible_clock();
        BelievedTime {
            time: vouching().chain(clock).fold(self.floor, Timestamp::max),
            vouched: clock.is_some() || vouching().next().is_some(),
        }
    }

    fn credible_clock(&self) -> Option<Timestamp> {
        Some(self.clock).filter(|clock| !is_out(*clock, self.floor))
    }

    /// Whether, of the clocks that can be right, one says that the order holds and another that it is over.
    fn contradicts(&self, order: &InstallOrder) -> bool {
        let readings = self.witnesses.iter().filter(|it| it.worth == Worth::Reading).map(|it| it.time);
        let mut over = readings.chain(self.credible_clock()).map(|time| time > order.not_after);
        let first = over.next();
        over.any(|other| Some(other) != first)
    }

    /// Which clock, floor and vouchers were seen.
    fn in_words(&self) -> String {
        let Self { clock, floor, witnesses } = self;
        let mut text = format!("the machine's clock says {clock}");
        text.push_str(&match () {
            () if is_out(*clock, *floor) => {
                format!(
                    ", but the bundle is of {floor}: this clock is wrong, or the one where the host was armed"
                )
            }
            () if clock < floor => format!(", a time zone below the bundle's time: taken as {floor}"),
            () => String::new(),
        });
        for Witness { who, time, worth } in witnesses {
            let remark = match worth {
                Worth::Reading | Worth::Mark => "",
                Worth::Early => " (no later than the bundle)",
                Worth::Out => " (a clock that is wrong)",
                Worth::Garbage => " (over a year after the order's end, so not believed)",
            };
            text.push_str(&format!("; {who} says {time}{remark}"));
        }
        text
    }
}

/// A claim was made within its order's validity, which the site's key signed: what it says beyond that is nobody's word.
fn told_by(claim: &Claim) -> Timestamp {
    let Grant { not_before, not_after, .. } = claim.grant;
    if (not_before..=not_after).contains(&claim.time) { claim.time } else { not_before }
}
