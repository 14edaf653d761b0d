//! Clock × floor × vouchers × validity: which of them an order holds by, and what a refusal says.

use super::*;
use crate::spec::facts::{Voucher, VoucherSource};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;
/// The order's end, in seconds from the floor.
const END: i64 = 7 * 24 * HOUR;
/// What a dead battery's 1970 is for many firmwares, in seconds from the floor.
const YEAR_2070: i64 = 3_155_760_000 - FLOOR;

/// Clocks, in seconds from the floor: the columns of [`TABLE`].
const CLOCKS: [i64; 11] =
    [-FLOOR, -YEAR, -26 * HOUR - 1, -26 * HOUR, -1, HOUR, END, END + 1, 15 * YEAR, 15 * YEAR + 1, YEAR_2070];

/// What is told, in words and in seconds from the floor; the verdicts where a reading tells it, and where a mark does.
type Row = (&'static str, Option<i64>, [char; 11], [char; 11]);

/// `+` it holds, `.` it ended, `?` nobody knows.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("nothing", None,
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("1970", Some(-FLOOR),
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("over a zone", Some(-26 * HOUR - 1),
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    // a reading may be off by a zone; a mark that isn't later than the floor says nothing that the floor doesn't
    ("a zone", Some(-26 * HOUR),
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("the floor", Some(0),
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("just later", Some(1),
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+'],
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+']),
    ("the end", Some(END),
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+'],
        ['+', '+', '+', '+', '+', '+', '+', '.', '.', '+', '+']),
    ("after the end", Some(END + 1),
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.'],
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.']),
    ("a year after", Some(END + YEAR),
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.'],
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.']),
    // a server years ahead can be right; a mark of such a time can't
    ("long after", Some(END + YEAR + 1),
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("fifteen years", Some(15 * YEAR),
        ['.', '.', '.', '.', '.', '.', '.', '.', '.', '.', '.'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
    ("over fifteen years", Some(15 * YEAR + 1),
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?'],
        ['?', '?', '?', '+', '+', '+', '+', '.', '.', '?', '?']),
];

fn at(offset: i64) -> Timestamp {
    Timestamp::from_unix(FLOOR + offset)
}

/// A machine whose order holds for a week from the floor on.
fn machine(clock: i64) -> (InstallOrder, ImageManifest, Facts) {
    let (mut order, manifest, mut facts) = world();
    (order.not_before, order.not_after, facts.clock) = (at(0), at(END), at(clock));
    (order, manifest, facts)
}

/// A disk beside the target with an old claim of this host, and what that says.
fn beside(facts: &Facts, order: &InstallOrder, change: impl Fn(&mut Claim, &mut Disk)) -> Disk {
    let mut disk = second(facts);
    let mut claim = by(9, 1, own_claim(order, &disk));
    // wide enough for every time of the table
    (claim.grant.not_before, claim.grant.not_after) = (at(-FLOOR), at(2 * YEAR_2070));
    claim.time = at(-FLOOR);
    change(&mut claim, &mut disk);
    disk.content = ours(claim);
    disk
}

type Tell = fn(&mut Facts, &InstallOrder, Timestamp);

const READING: Tell = |facts, _, time| facts.vouchers.push(Voucher { source: VoucherSource::Server, time });

/// Whatever can leave a mark.
const MARKS: [(&str, Tell); 4] = [
    ("recorder", |facts, _, time| {
        facts.vouchers.push(Voucher { source: VoucherSource::Recorder, time });
    }),
    ("claim", |facts, order, time| {
        let disk = beside(facts, order, |claim, _| claim.time = time);
        facts.disks.push(disk);
    }),
    ("grant", |facts, order, time| {
        let disk = beside(facts, order, |claim, _| claim.grant.not_before = time);
        facts.disks.push(disk);
    }),
    ("done file", |facts, order, time| {
        let disk = beside(facts, order, |_, disk| disk.done_at = Some(time));
        facts.disks.push(disk);
    }),
];

fn verdict(outcome: &Result<Plan, Refusal>) -> char {
    match outcome {
        Ok(_) => '+',
        Err(refusal) if refusal.code == Code::OrderExpired => '.',
        Err(refusal) if refusal.code == Code::ClockUnknown => '?',
        Err(refusal) => panic!("{refusal}"),
    }
}

/// Every cell, by every source; `judge` gets what was expected where the profile allows no dead clock.
fn each_cell(judge: impl Fn(&str, char, Tell, Option<i64>, i64)) {
    for (row, time, readings, marks) in TABLE {
        let sources = MARKS.iter().map(|(name, tell)| (*name, *tell, marks));
        for (name, tell, cells) in sources.chain([("server", READING, readings)]) {
            for (clock, expected) in CLOCKS.into_iter().zip(cells) {
                judge(&format!("{name} tells {row}, the clock {clock}"), *expected, tell, *time, clock);
            }
        }
    }
}

#[test]
fn an_order_holds_by_what_can_be_believed() {
    each_cell(|cell, expected, tell, time, clock| {
        let (order, manifest, mut facts) = machine(clock);
        time.iter().for_each(|time| tell(&mut facts, &order, at(*time)));
        let outcome = plan(&order, &manifest, at(0), &facts);
        assert_eq!(verdict(&outcome), expected, "{cell}: {outcome:?}");
        if let Ok(Plan { now, time: claimed, .. }) = outcome {
            let latest = time.into_iter().chain([clock, 0]).filter(|time| *time <= END).max().unwrap();
            assert_eq!((now.time, now.vouched, claimed), (at(latest), true, at(latest)), "{cell}");
        }
    });
}

#[test]
fn a_profile_can_take_the_bundle_s_time_for_want_of_a_better_one() {
    each_cell(|cell, expected, tell, time, clock| {
        let (order, manifest, mut facts) = machine(clock);
        let order = InstallOrder { allow_dead_clock: true, ..order };
        time.iter().for_each(|time| tell(&mut facts, &order, at(*time)));
        let outcome = plan(&order, &manifest, at(0), &facts);
        let allowed = if expected == '?' { '+' } else { expected };
        assert_eq!(verdict(&outcome), allowed, "{cell}: {outcome:?}");
        if let (Ok(plan), '?') = (outcome, expected) {
            // nobody else may rely on it
            assert_eq!((plan.now.time, plan.now.vouched_time()), (at(0), None), "{cell}");
        }
    });
}

#[test]
fn an_order_that_ended_below_the_floor_holds_by_no_clock() {
    each_cell(|cell, _, tell, time, clock| {
        let (order, manifest, mut facts) = machine(clock);
        let order = InstallOrder { not_after: at(-1), allow_dead_clock: true, ..order };
        time.iter().for_each(|time| tell(&mut facts, &order, at(*time)));
        assert_eq!(verdict(&plan(&order, &manifest, at(0), &facts)), '.', "{cell}");
    });
}

#[test]
fn an_order_that_has_not_begun_is_refused_but_for_a_time_zone() {
    let judge = |clock, begin| {
        let (order, manifest, facts) = machine(clock);
        let order = InstallOrder { not_before: at(begin), ..order };
        verdict(&plan(&order, &manifest, at(0), &facts))
    };
    assert_eq!(judge(HOUR, 27 * HOUR), '+');
    assert_eq!(judge(HOUR, 27 * HOUR + 1), '.');
    assert_eq!(judge(-26 * HOUR, 26 * HOUR), '+');
    assert_eq!(judge(-FLOOR, 27 * HOUR + 1), '?');
}

#[test]
fn what_a_claim_says_beyond_its_signed_validity_is_nobody_s_word() {
    for time in [HOUR - 1, END + HOUR + 1] {
        let (order, manifest, mut facts) = machine(-FLOOR);
        let disk = beside(&facts, &order, |claim, _| {
            (claim.grant.not_before, claim.grant.not_after) = (at(HOUR), at(END + HOUR));
            claim.time = at(time);
        });
        facts.disks.push(disk);
        let plan = plan(&order, &manifest, at(0), &facts).unwrap();
        assert_eq!(plan.now.time, at(HOUR));
    }
}

#[test]
fn done_files_of_a_disk_without_a_claim_of_ours_are_not_asked() {
    let (order, manifest, mut facts) = machine(-FLOOR);
    let disk = Disk { done_at: Some(at(HOUR)), ..second(&facts) };
    facts.disks.push(disk);
    assert_eq!(verdict(&plan(&order, &manifest, at(0), &facts)), '?');
}

#[test]
fn a_retry_keeps_the_time_of_its_claim_and_believes_it() {
    let (order, manifest, mut facts) = machine(-FLOOR);
    let claim = own_claim(&order, &facts.disks[0]);
    facts.disks[0].content = ours(Claim { time: at(HOUR), ..claim });
    let retry = plan(&order, &manifest, at(0), &facts).unwrap();
    assert_eq!((retry.time, retry.now.time, retry.now.vouched), (at(HOUR), at(HOUR), true));
    READING(&mut facts, &order, at(2 * HOUR));
    let retry = plan(&order, &manifest, at(0), &facts).unwrap();
    assert_eq!((retry.time, retry.now.time), (at(HOUR), at(2 * HOUR)));
}

#[test]
fn a_refusal_says_which_clock_floor_and_vouchers_were_seen() {
    let refusal = |clock, told: &[(Tell, i64)]| {
        let (order, manifest, mut facts) = machine(clock);
        told.iter().for_each(|(tell, time)| tell(&mut facts, &order, at(*time)));
        plan(&order, &manifest, at(0), &facts).unwrap_err().message
    };
    let [recorder, claim, ..] = MARKS.map(|(_, tell)| tell);
    let dead = refusal(-FLOOR, &[(recorder, 0), (claim, END + YEAR + 1), (READING, YEAR_2070)]);
    for part in [
        "nothing vouches for the time",
        "clock says 1970-01-01T00:00:00Z, but the bundle is of 2026-11-18T",
        "recorder says 2026-11-18T",
        "(no later than the bundle)",
        "the server says 2070-01-01T00:00:00Z (a clock that is wrong)",
        "the claim on sdb says 2027-11-25T",
        "(over a year after the order's end, so not believed)",
    ] {
        assert!(dead.contains(part), "{part} is missing: {dead}");
    }
    let ahead = refusal(END + 1, &[(READING, HOUR)]);
    assert!(ahead.contains(": set the clock that is wrong; the machine's clock says 2026-11-25"), "{ahead}");
    assert!(ahead.contains("the server says 2026-11-18T"), "{ahead}");
    let server = refusal(HOUR, &[(READING, END + 1)]);
    assert!(server.contains("set the clock that is wrong"), "{server}");
    let over = refusal(END + 1, &[(READING, END + 2)]);
    assert!(!over.contains("set the clock"), "{over}");
    let both = refusal(YEAR_2070, &[(recorder, END + 1)]);
    assert!(both.contains(": set the machine's clock, too; the machine's clock says 2070-"), "{both}");
    let zone = refusal(-1, &[(READING, END + 2)]);
    assert!(zone.contains("a time zone below the bundle's time"), "{zone}");
}

#[test]
fn facts_of_older_agents_replay() {
    let (_, _, facts) = world();
    let mut json = serde_json::to_value(&facts).unwrap();
    assert!(json.get("vouchers").is_none() && json["disks"][0].get("done_at").is_none());
    json["vouchers"] = serde_json::json!([{ "source": "server", "time": "2026-11-20T00:00:00Z" }]);
    let told: Facts = serde_json::from_value(json).unwrap();
    assert_eq!(told.vouchers[0].source, VoucherSource::Server);
}
