//! Which disks are looked at as a whole, and which are never taken, whatever they hold.

use super::*;
use crate::spec::samples::Samples;
use crate::spec::transport::Transport;

const OUTSIDE: [(Transport, &str); 10] = [
    (Transport::Iscsi, "sda is reached over iSCSI; such a disk is taken only when named by wwn"),
    (Transport::FibreChannel, "over Fibre Channel"),
    (Transport::Srp, "over SRP"),
    (Transport::NvmeFabrics, "over NVMe over Fabrics"),
    (Transport::Usb, "over USB"),
    (Transport::FireWire, "over FireWire"),
    (Transport::External, "outside of the machine"),
    (Transport::Pmem, "is persistent memory"),
    (Transport::Rbd, "RADOS"),
    (Transport::Unknown, "in a way that is unknown"),
];

#[test]
fn a_disk_that_is_not_the_machines_own_is_taken_only_when_named_by_wwn() {
    for (transport, words) in OUTSIDE {
        for selector in [r#"{"serial":"S1"}"#, r#"{"min_size":"1M"}"#, r#"{"model":"QEMU*"}"#] {
            let refusal = outcome(|o, _, f| {
                o.target = serde_json::from_str(selector).unwrap();
                o.wipe = WipePolicy::Foreign;
                f.disks[0].wwn = Some("naa.5000c500a1b2c3d4".to_owned());
                f.disks[0].transport = transport;
            })
            .unwrap_err();
            assert_eq!(refusal.code, Code::NoDisk, "{selector}: {refusal}");
            assert!(refusal.message.contains(words), "{selector}: {refusal}");
        }
        let named = outcome(|o, _, f| {
            o.target = serde_json::from_str(r#"{"wwn":"0x5000c500a1b2c3d4"}"#).unwrap();
            f.disks[0].wwn = Some("naa.5000c500a1b2c3d4".to_owned());
            f.disks[0].transport = transport;
        });
        assert_eq!(named.unwrap().disk.transport, transport);
    }
}

#[test]
fn a_disk_elsewhere_that_matches_does_not_stand_in_the_way_of_the_machines_own() {
    let plan = outcome(|o, _, f| {
        o.target = serde_json::from_str(r#"{"min_size":"1M"}"#).unwrap();
        let transport = Transport::Iscsi;
        f.disks.push(Disk { transport, ..second(f) });
    });
    assert_eq!(plan.unwrap().disk.name, "sda");
}

#[test]
fn a_disk_that_nobody_looked_at_or_could_not_read_everywhere_is_not_taken() {
    for wipe in [WipePolicy::Ours, WipePolicy::Foreign] {
        let refusal = outcome(|o, _, f| {
            o.wipe = wipe;
            f.disks[0].content = DiskContent::Unsampled;
        })
        .unwrap_err();
        assert_eq!(refusal.code, Code::Internal);
        assert!(refusal.message.contains("its ends are blank"), "{refusal}");
        let refusal = outcome(|o, _, f| {
            o.wipe = wipe;
            f.disks[0].content = DiskContent::Foreign { looks_like: "XFS".to_owned() };
            f.disks[0].unread = Some("reading 4096 bytes at byte 1048576: bad cable".to_owned());
        })
        .unwrap_err();
        assert_eq!(refusal.code, Code::DiskIo);
        assert!(refusal.message.contains("at byte 1048576: bad cable"), "{refusal}");
    }
}

#[test]
fn candidates_are_the_disks_that_a_plan_could_be_for() {
    let (order, _, facts) = world();
    let disk = &facts.disks[0];
    assert!(is_candidate(&order, disk));
    for other in [
        Disk { removable: true, ..disk.clone() },
        Disk { boot_medium: true, ..disk.clone() },
        Disk { serial: Some("S2".to_owned()), ..disk.clone() },
        Disk { transport: Transport::Iscsi, ..disk.clone() },
        Disk { done: vec![order.id.clone()], ..disk.clone() },
    ] {
        assert!(!is_candidate(&order, &other), "{other:?}");
    }
}

#[test]
fn a_plan_ends_when_anything_on_the_disk_has_changed_during_the_countdown() {
    let (order, manifest, mut facts) = world();
    let sampled = |byte: u8| {
        let mut samples = Samples::default();
        samples.push(Some(&[byte]));
        Some(samples)
    };
    facts.disks[0].samples = sampled(1);
    let made = plan(&order, &manifest, floor(), &facts).unwrap();
    assert_eq!(still_holds(&made, &order, &manifest, floor(), &facts), Ok(()));
    facts.disks[0].samples = sampled(2);
    let refusal = still_holds(&made, &order, &manifest, floor(), &facts).unwrap_err();
    assert_eq!(refusal.code, Code::DiskChanged);
    assert!(refusal.message.contains("blank, and other bytes than before"), "{refusal}");
}

/// Facts that an earlier version wrote say neither how a disk is reached nor what stands all over it.
#[test]
fn facts_of_earlier_versions_are_read_and_give_no_plan_by_serial_number() {
    let (order, manifest, facts) = world();
    let mut json = serde_json::to_value(&facts).unwrap();
    let disk = json["disks"][0].as_object_mut().unwrap();
    assert!(disk.remove("transport").is_some());
    assert!(!disk.contains_key("samples") && !disk.contains_key("unread"));
    let facts: Facts = serde_json::from_value(json).unwrap();
    let refusal = plan(&order, &manifest, floor(), &facts).unwrap_err();
    assert!(refusal.message.contains("in a way that is unknown here"), "{refusal}");
}
