//! A plan that was shown is made again, from newer facts, before anything is written.

use super::*;

/// What the plan for one blank disk meets after the countdown.
fn after_countdown(change: impl Fn(&mut InstallOrder, &mut Facts)) -> Result<(), Refusal> {
    let (mut order, manifest, mut facts) = world();
    order.wipe = WipePolicy::Foreign;
    let made = plan(&order, &manifest, floor(), &facts).unwrap();
    change(&mut order, &mut facts);
    still_holds(&made, &order, &manifest, floor(), &facts)
}

#[test]
fn a_plan_holds_while_clock_and_other_disks_go_on() {
    assert_eq!(after_countdown(|_, _| {}), Ok(()));
    let later = after_countdown(|_, f| {
        f.clock = Timestamp::from_unix(f.clock.as_unix() + 60);
        f.disks.push(second(f));
    });
    assert_eq!(later, Ok(()));
}

type Change<'a> = &'a dyn Fn(&mut InstallOrder, &mut Facts);

#[test]
fn a_plan_ends_when_the_disk_is_another_one_or_holds_something_else() {
    let cases: &[(&str, Code, Change<'_>)] = &[
        ("now, attempt 1: sdb", Code::DiskChanged, &|_, f| f.disks[0].name = "sdb".to_owned()),
        ("wwn naa.5", Code::DiskChanged, &|_, f| f.disks[0].wwn = Some("naa.5".to_owned())),
        ("now, attempt 1: sda: QEMU HARDDISK, serial s1", Code::DiskChanged, &|_, f| {
            f.disks[0].serial = Some("s1".to_owned());
        }),
        ("holds LUKS", Code::DiskChanged, &|_, f| {
            f.disks[0].content = DiskContent::Foreign { looks_like: "LUKS".to_owned() };
        }),
        ("now, attempt 3", Code::DiskChanged, &|o, f| f.disks[0].content = ours(own_claim(o, &f.disks[0]))),
        ("is done: sda", Code::OrderDone, &|o, f| f.disks[0].done = vec![o.id.clone()]),
        ("2 disks have serial S1", Code::ManyDisks, &|_, f| {
            let disk = Disk { serial: Some("S1".to_owned()), ..second(f) };
            f.disks.push(disk);
        }),
        ("no disk has serial S1", Code::NoDisk, &|_, f| f.disks.clear()),
        ("ended at", Code::OrderExpired, &|o, f| f.clock = Timestamp::from_unix(o.not_after.as_unix() + 1)),
        ("was claimed by generation 8", Code::OrderStale, &|o, f| {
            let mut disk = second(f);
            disk.content = ours(by(9, 8, own_claim(o, &disk)));
            f.disks.push(disk);
        }),
    ];
    for (message, code, change) in cases {
        let refusal = after_countdown(change).unwrap_err();
        assert_eq!(refusal.code, *code, "{refusal}");
        assert!(refusal.message.contains(message), "expected `{message}` in: {refusal}");
    }
}
