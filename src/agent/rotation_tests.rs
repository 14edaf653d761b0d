//! Machines that were installed under one key of the site and meet media of the next one.

use super::disk::install::{self, Install};
use super::fixture::{self, Marker, World};
use super::orders;
use crate::bundle::initramfs;
use crate::order;
use crate::plan;
use crate::probe::disk_probe;
use crate::spec::Code;
use crate::spec::boot;
use crate::spec::claim::{self, Claim};
use crate::spec::facts::DiskContent;
use crate::spec::order::{InstallOrder, WipePolicy};
use crate::sys::block::{BlockDevice as _, MemoryDevice};
use crate::trust::{KeyRing, SiteKey, TrustedKeys};
use crate::value::Timestamp;

const DISK: usize = (4 << 20) + 512;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

/// The keys that an agent finds on a medium which a site with these keys builds.
fn on_medium(ring: &KeyRing) -> TrustedKeys {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in initramfs::tests::files_for(&ring.trusted()) {
        if path.ends_with(".pub") {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    orders::site_keys(dir.path()).unwrap()
}

/// The same world after the host was armed again by a site whose key is now this one.
fn armed_under(world: World, key: &SiteKey) -> World {
    let world = world.armed_again_with(WipePolicy::Ours);
    let order = InstallOrder { seal: order::seal(&world.order.grant(), key), ..(*world.order).clone() };
    World { order: fixture::verified(&order), ..world }
}

fn install(world: &World, device: &MemoryDevice, keys: &TrustedKeys) {
    let plan = fixture::plan_with_keys(world, device, keys).unwrap();
    let (order, manifest, index) = (&world.order, &world.manifest, &world.index);
    let install = Install { device, plan: &plan, order, manifest, index, source: &world.source, leave: &() };
    install::install(&install, &mut Marker::of(device, &plan), &mut |_| ()).unwrap();
}

#[test]
fn a_disk_that_was_installed_under_the_former_key_is_ours_until_that_key_is_retired() {
    let (old, new) = (fixture::key(), SiteKey::from_random([4; 40]));
    let first = KeyRing::first(old.public(), at(1));
    let (world, device) = (fixture::world(), MemoryDevice::new(vec![0; DISK]));
    install(&world, &device, &on_medium(&first));
    let content = |keys: &TrustedKeys| disk_probe::look(&device, keys, true).content;

    let rotated = first.rotated(new.public(), at(2)).unwrap();
    let keys = on_medium(&rotated);
    assert_eq!(*keys.current(), new.public());
    assert!(matches!(content(&keys), DiskContent::Ours { .. }));
    let world = armed_under(world, &new);
    let plan = fixture::plan_with_keys(&world, &device, &keys).unwrap();
    assert_eq!(plan.superseded.len(), 1, "the order of the former key is known to be older");

    let (retired, _) = rotated.retire(old.public().id(), at(3)).unwrap();
    let without = on_medium(&retired);
    let DiskContent::Foreign { looks_like } = content(&without) else { panic!("not foreign") };
    assert!(looks_like.contains("that this site's key didn't seal"), "{looks_like}");
    let refusal = fixture::plan_with_keys(&world, &device, &without).unwrap_err();
    assert_eq!(refusal.code, Code::ForeignData, "{refusal}");

    // installed anew before that, it carries a claim of the new key, and stays ours
    install(&world, &device, &keys);
    assert!(matches!(content(&without), DiskContent::Ours { .. }));
    // a medium that was built before the rotation takes that for somebody's and leaves it alone
    assert!(matches!(content(&on_medium(&first)), DiskContent::Foreign { .. }));
}

#[test]
fn an_install_that_was_cut_off_under_the_former_key_is_finished_by_the_same_order_under_the_new_one() {
    let (old, new) = (fixture::key(), SiteKey::from_random([4; 40]));
    let keys = on_medium(&KeyRing::first(old.public(), at(1)).rotated(new.public(), at(2)).unwrap());
    let (world, device) = (fixture::world(), MemoryDevice::new(vec![0; DISK]));
    let plan = fixture::plan_for(&world, &device.content()).unwrap();
    let begun = plan::claim(&world.order, &plan);
    device.write_at(claim::OFFSET, &begun.to_record().unwrap()).unwrap();
    let resealed = InstallOrder { seal: order::seal(&world.order.grant(), &new), ..(*world.order).clone() };
    let world = World { order: fixture::verified(&resealed), ..world };
    install(&world, &device, &keys);
    let claim = Claim::from_record(&device.content()[claim::OFFSET as usize..]).unwrap();
    assert_eq!((claim.attempts, claim.seal), (2, resealed.seal), "the claim is the new key's from then on");
}

#[test]
fn damaged_former_keys_are_refused_like_a_damaged_key() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("etc/ironstrap")).unwrap();
    let (current, former) = (fixture::key().public(), SiteKey::from_random([4; 40]).public());
    std::fs::write(dir.path().join(boot::PUBLIC_KEY), current.to_text()).unwrap();
    let with = |text: &str| {
        std::fs::write(dir.path().join(boot::FORMER_KEYS), text).unwrap();
        orders::site_keys(dir.path())
    };
    let keys = with(&format!("{former}\n")).unwrap();
    assert_eq!(keys.former(), std::slice::from_ref(&former));
    for damaged in
        ["x\n".to_owned(), format!("{former}\n{former}\n"), format!("{current}\n"), "\n".to_owned()]
    {
        let refusal = with(&damaged).unwrap_err();
        assert_eq!(refusal.code, Code::OrderSignature, "{damaged:?}");
        assert!(refusal.message.contains("etc/ironstrap/former.pub"), "{refusal}");
    }
}

#[test]
fn an_order_of_the_former_key_is_none_on_a_medium_of_the_new_one() {
    let (old, new) = (fixture::key(), SiteKey::from_random([4; 40]));
    let keys = on_medium(&KeyRing::first(old.public(), at(1)).rotated(new.public(), at(2)).unwrap());
    let order = fixture::order(&fixture::manifest());
    let signed = order::sign(&fixture::granted(order), &old).unwrap();
    assert!(order::verify(&signed.json, &signed.signature, &old.public()).is_ok());
    assert!(order::verify(&signed.json, &signed.signature, keys.current()).is_err());
}
