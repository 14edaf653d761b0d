//! Machines that nobody looks after, over days of simulated time.

use proptest::prelude::*;

use super::waits::Simulated;
use super::*;

/// What a run meets, and what of it stands on the disk.
#[derive(Debug, Default)]
struct Order {
    /// Runs that claimed the disk.
    claims: u32,
    /// As the claim has it.
    failures: u32,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

#[test]
fn a_server_that_comes_back_after_an_hour_is_used() {
    // it goes away before the install, or in the middle of it
    for begun in [false, true] {
        let mut machine = Simulated::new(with(&[]));
        let (mut order, mut installed) = (Order::default(), None);
        for run in 0..10 {
            // firmware, kernel, devices
            machine.now += 3 * MINUTE;
            if machine.now >= HOUR {
                order.claims += 1;
                installed = Some(machine.now);
                break;
            }
            // the agent is patient before it gives up
            machine.now += 10 * MINUTE;
            let end = if begun && run == 0 {
                (order.claims, order.failures) = (1, 1);
                machine.known.failures = Some(1);
                End::Failed { before: 0 }
            } else {
                refused(Code::PayloadUnreachable)
            };
            machine.go_on(&end);
            assert_eq!(machine.told, ["same"]);
        }
        assert!(installed.is_some_and(|at| at < 3 * HOUR), "{installed:?}");
        assert!(order.claims <= 2, "{order:?}");
    }
}

#[test]
fn an_installed_machine_boots_its_disk_after_each_of_five_power_cuts() {
    let mut machine = Simulated::new(Known { done: Some("sda".to_owned()), ..with(&["sda"]) });
    for life in 0..5 {
        machine.go_on(&refused(Code::OrderDone));
        assert_eq!((machine.now, machine.told.as_slice()), (0, &["sda".to_owned()][..]), "{life}");
        machine.known.disks[0].mounted = Some(format!("mount {life}"));
    }
}

/// What happens to a machine in one run.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Refused(Code),
    /// After the claim; told by the worker, or by whoever speaks for it after a crash.
    Failed {
        /// Whether the disk took the count.
        counted: bool,
    },
    /// After the claim.
    PowerCut,
    /// Before anything.
    EarlyPowerCut,
    /// Somebody presses a key, and Enter where the machine rests.
    Hand,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        proptest::sample::select(Code::ALL).prop_map(Fate::Refused),
        any::<bool>().prop_map(|counted| Fate::Failed { counted }),
        Just(Fate::Failed { counted: true }),
        Just(Fate::PowerCut),
        Just(Fate::EarlyPowerCut),
        Just(Fate::Hand),
    ];
    proptest::collection::vec(fate, 1..60)
}

proptest! {
    /// One order, whatever ends its runs have: it wipes no more often than it may fail, once more for each power cut, and once
    /// for each time that somebody restarts a machine that rests.
    #[test]
    fn a_wipe_loop_cannot_come_of_it(fates in fates(), stores in any::<bool>()) {
        let mut machine = Simulated::new(with(&["sda"]));
        machine.stores = stores;
        let (mut order, mut cuts, mut hands) = (Order::default(), 0, 0);
        for fate in fates {
            // what `plan` judges by: a claim with that many failures ends the order
            let over = order.failures >= MOST_FAILURES;
            let end = match fate {
                Fate::EarlyPowerCut => continue,
                Fate::PowerCut if !over => {
                    order.claims += 1;
                    cuts += 1;
                    continue;
                }
                Fate::Failed { counted } if !over => {
                    let before = order.failures;
                    order.claims += 1;
                    order.failures += u32::from(counted);
                    machine.known.failures = Some(order.failures);
                    End::Failed { before }
                }
                Fate::Refused(code) => refused(code),
                Fate::Hand if !over => refused(Code::Cancelled),
                _ => refused(Code::OrderFailed),
            };
            let begin = machine.now;
            // whoever rests does so until somebody comes, a day later
            let day = 24 * HOUR;
            machine.keys = vec![(begin + day, true)];
            machine.go_on(&end);
            if machine.now - begin >= day {
                hands += 1;
            }
            prop_assert!(machine.now - begin <= day);
        }
        prop_assert!(order.claims <= MOST_FAILURES + cuts + hands, "{order:?}, {cuts} cuts, {hands} hands");
    }
}
