//! What comes after each end, as `docs/ends.md` has it, and as it goes on over hours.

use std::time::Duration;

use uuid::Uuid;

use super::boots::Bootable;
use super::next::{HELD, Known, Next, Step, next};
use super::tries::{Boot, Tries};
use crate::agent::report::run_state::{End, PAUSE};
use crate::spec::Code;
use crate::spec::claim::MOST_FAILURES;
use crate::spec::image::ImagePartition;
use crate::value::OrderId;

mod boots;
mod hours;
mod table;
mod waits;

fn order() -> OrderId {
    OrderId::from_random([1; 16])
}

/// A disk with this kernel name that boots.
fn disk(name: &str) -> Bootable {
    let number = name.bytes().last().unwrap();
    Bootable {
        disk: name.to_owned(),
        name: format!("serial:{name}"),
        esp: ImagePartition {
            number: 1,
            kind: crate::sys::gpt::ESP,
            guid: Uuid::from_u128(number.into()),
            offset: 1 << 20,
            length: 1 << 20,
            name: "ESP".to_owned(),
        },
        has_loader: true,
        mounted: Some("first".to_owned()),
        trouble: None,
    }
}

/// A machine with these disks, that remembers nothing yet.
fn with(names: &[&str]) -> Known {
    Known {
        order: Some(order()),
        pause: PAUSE,
        disks: names.iter().map(|name| disk(name)).collect(),
        firmware: Vec::new(),
        done: None,
        failures: None,
        tries: Tries::default(),
        remembers: true,
    }
}

fn refused(code: Code) -> End {
    End::Refused { code }
}

/// Step and seconds.
fn short(next: &Next) -> (String, u64) {
    let step = match &next.step {
        Step::Boot(disk) => disk.disk.clone(),
        Step::Restart => "restart".to_owned(),
        Step::Rest => "rest".to_owned(),
    };
    (step, next.after.as_secs())
}

fn decide(end: &End, known: &Known) -> (String, u64) {
    short(&next(end, known))
}

/// The same end again and again; what is remembered goes on.
fn repeated(end: &End, known: &Known, times: usize) -> Vec<(String, u64)> {
    let mut known = known.clone();
    let mut seen = Vec::new();
    for _ in 0..times {
        let next = next(end, &known);
        seen.push(short(&next));
        known.tries = Tries::from_bytes(&next.tries.to_bytes());
    }
    seen
}

fn steps(step: &str, seconds: &[u64]) -> Vec<(String, u64)> {
    seconds.iter().map(|seconds| (step.to_owned(), *seconds)).collect()
}

#[test]
fn a_done_order_boots_its_disk_at_once_and_a_root_that_never_comes_up_slows_it_down() {
    let mut known = Known { done: Some("sdb".to_owned()), ..with(&["sda", "sdb"]) };
    let done = refused(Code::OrderDone);
    assert_eq!(repeated(&done, &known, 5), steps("sdb", &[0, 0, 0, 600, 600]));

    // each boot that comes up is another one
    for life in 0..5 {
        let next = next(&done, &known);
        assert_eq!(short(&next), ("sdb".to_owned(), 0), "{life}");
        known.tries = next.tries;
        known.disks[1].mounted = Some(format!("mount {life}"));
    }

    // a root that tells nothing of its mounts may not have been mounted
    known.disks[1].mounted = None;
    assert_eq!(repeated(&done, &known, 4), steps("sdb", &[0, 0, 0, 600]));
    known.tries.boot = Some(Boot { disk: "serial:sdb".to_owned(), mounted: None, tries: 3 });
    let why = next(&done, &known).why;
    assert!(why.contains("3 times and its root was not mounted"), "{why}");

    let forgetful = Known { remembers: false, ..known };
    assert_eq!(decide(&done, &forgetful), ("sdb".to_owned(), 600), "nobody can count");
}

#[test]
fn a_done_order_whose_disk_is_gone_is_like_any_refusal() {
    let known = Known { done: Some("sdz".to_owned()), ..with(&["sda"]) };
    assert_eq!(decide(&refused(Code::OrderDone), &known), ("sda".to_owned(), 600));
    assert_eq!(decide(&refused(Code::OrderDone), &with(&[])), ("restart".to_owned(), 600));
}

#[test]
fn a_refused_machine_boots_its_own_disk_unless_another_root_could_be_mounted() {
    for code in Code::ALL {
        let expected = match code {
            Code::ManyDisks | Code::DuplicateRoot => ("restart", PAUSE),
            Code::OrderFailed => ("rest", PAUSE),
            Code::Cancelled => ("sda", HELD),
            _ => ("sda", PAUSE),
        };
        let expected = (expected.0.to_owned(), expected.1.as_secs());
        assert_eq!(decide(&refused(*code), &with(&["sda"])), expected, "{code}");
    }
    let short = Known { pause: Duration::from_secs(10), ..with(&["sda"]) };
    assert_eq!(decide(&refused(Code::OrderExpired), &short), ("sda".to_owned(), 10));
    let nobody = Known { order: None, ..with(&["sda"]) };
    assert_eq!(decide(&refused(Code::NoHost), &nobody), ("sda".to_owned(), 600));
}

#[test]
fn of_several_disks_the_firmwares_order_chooses_and_nobody_else() {
    let expired = refused(Code::OrderExpired);
    let mut known = with(&["sda", "sdb", "sdc"]);
    let undecided = next(&expired, &known);
    assert_eq!(short(&undecided), ("restart".to_owned(), 600));
    assert!(undecided.why.contains("sda, sdb, sdc boot"), "{}", undecided.why);
    known.firmware = vec![Uuid::from_u128(1), disk("sdc").esp.guid, disk("sda").esp.guid];
    assert_eq!(decide(&expired, &known), ("sdc".to_owned(), 600));
    known.disks[2].trouble = Some("an order was begun on it".to_owned());
    assert_eq!(decide(&expired, &known), ("sda".to_owned(), 600));
    known.disks[0].trouble = Some("an order was begun on it".to_owned());
    assert_eq!(decide(&expired, &known), ("sdb".to_owned(), 600), "it is the only one left");
    known.disks[1].trouble = Some("an order was begun on it".to_owned());
    let none = next(&expired, &known);
    assert_eq!(short(&none), ("restart".to_owned(), 600));
    assert!(none.why.contains("sdb: an order was begun on it"), "{}", none.why);
}

#[test]
fn pauses_between_restarts_grow_and_end_at_an_hour() {
    let unreachable = refused(Code::PayloadUnreachable);
    let grown = steps("restart", &[600, 1200, 2400, 3600, 3600]);
    assert_eq!(repeated(&unreachable, &with(&[]), 5), grown);
    assert_eq!(repeated(&refused(Code::ManyDisks), &with(&["sda"]), 5), grown);
    let hasty = Known { pause: Duration::ZERO, ..with(&[]) };
    assert_eq!(repeated(&unreachable, &hasty, 3), steps("restart", &[60, 120, 240]));
    let patient = Known { pause: Duration::from_secs(86400), ..with(&[]) };
    assert_eq!(repeated(&unreachable, &patient, 2), steps("restart", &[86400, 86400]));
    let forgetful = Known { remembers: false, ..with(&[]) };
    assert_eq!(repeated(&unreachable, &forgetful, 3), steps("restart", &[600, 600, 600]));

    // another order begins anew
    let tries =
        next(&unreachable, &Known { tries: Tries { again: 4, ..Tries::default() }, ..with(&[]) }).tries;
    assert_eq!((tries.order, tries.again), (Some(order()), 1));
}

#[test]
fn failures_are_tried_again_only_as_often_as_somebody_counts_them() {
    let failed = |before, counted, remembered, remembers| {
        let tries = Tries { order: Some(order()), failures: remembered, ..Tries::default() };
        let end = End::Failed { before };
        decide(&end, &Known { failures: counted, tries, remembers, ..with(&["sda"]) })
    };
    let (again, rest) = (|seconds| ("restart".to_owned(), seconds), ("rest".to_owned(), 600));
    // by the claim, by the machine, by both, and by whichever counted more
    assert_eq!(failed(0, Some(1), 0, true), again(600));
    assert_eq!(failed(1, Some(2), 1, true), again(1200));
    assert_eq!(failed(2, Some(3), 2, true), rest);
    assert_eq!(failed(0, Some(1), 0, false), again(600));
    assert_eq!(failed(0, None, 0, true), again(600));
    assert_eq!(failed(0, None, 2, true), rest);
    // the disk refused the count
    assert_eq!(failed(1, Some(1), 1, true), again(1200));
    assert_eq!(failed(1, Some(1), 0, false), rest);
    assert_eq!(failed(0, None, 0, false), rest);
    assert_eq!(failed(u32::MAX, Some(1), 0, false), rest);
    // another order's failures are its own
    let other = Tries { order: Some(OrderId::from_random([2; 16])), failures: 2, ..Tries::default() };
    let known = Known { failures: Some(1), tries: other, ..with(&[]) };
    assert_eq!(decide(&End::Failed { before: 0 }, &known), again(600));
    assert_eq!(MOST_FAILURES, 3);
}

#[test]
fn what_a_variable_holds_is_read_back_and_nonsense_is_nothing() {
    let boot = Boot { disk: "serial:S1".to_owned(), mounted: None, tries: 2 };
    let tries = Tries { order: Some(order()), again: 7, failures: 1, boot: Some(boot) };
    assert_eq!(Tries::from_bytes(&tries.to_bytes()), tries);
    for bytes in [&b""[..], b"{", b"\xff\xff", b"[]", b"{\"again\":-1}"] {
        assert_eq!(Tries::from_bytes(bytes), Tries::default());
    }
    assert!(tries.to_bytes().len() < 400, "the firmware's memory is small");
}
