//! Which images a disk holds by its claim, and which the next claim names.

use super::*;

#[test]
fn what_a_disk_holds_of_images_is_what_a_claim_of_ours_says_and_no_more() {
    let digest = |name: &str| Digest::of(name.as_bytes());
    let (image, former) = (digest("image"), digest("former"));
    let holds = |claim: &dyn Fn(&InstallOrder, &Disk) -> Claim| {
        let planned = outcome(|o, _, f| {
            f.disks[0].content = ours(claim(o, &f.disks[0]));
            f.disks[0].claimed_root_in_place = true;
        });
        planned.unwrap().holds
    };
    let placed = |o: &InstallOrder, d: &Disk| Claim { stage: Stage::Placed, ..by(9, 1, own_claim(o, d)) };
    assert_eq!(holds(&|o, d| own_claim(o, d)), [image, former], "both, while one is being written");
    assert_eq!(holds(&|o, d| by(9, 1, own_claim(o, d))), [image, former], "whatever the order");
    assert_eq!(holds(&placed), [image], "nothing of the former one is left");
    let same = |o: &InstallOrder, d: &Disk| Claim { former: Some(image), ..own_claim(o, d) };
    assert_eq!(holds(&same), [image]);
    let older = |o: &InstallOrder, d: &Disk| Claim { image: None, former: None, ..own_claim(o, d) };
    assert_eq!(holds(&older), [], "claims of earlier versions name none");
    assert_eq!(outcome(|_, _, _| ()).unwrap().holds, []);
    // what is given up is somebody's data, and is none of ours
    let given_up = outcome(|o, _, f| {
        f.disks[0].content = ours(of_db01(by(9, 1, own_claim(o, &f.disks[0]))));
        o.wipe = WipePolicy::Foreign;
    });
    let given_up = given_up.unwrap();
    assert!(given_up.overwrites_foreign && given_up.holds.is_empty());
}

#[test]
fn a_claim_names_the_image_that_is_written_and_the_one_before_it_however_often_it_is_tried() {
    let (mut order, manifest, mut facts) = world();
    let disk = &mut facts.disks[0];
    disk.content = ours(Claim { stage: Stage::Placed, ..by(9, 1, own_claim(&order, disk)) });
    disk.claimed_root_in_place = true;
    let mut claimed = claim(&order, &plan(&order, &manifest, floor(), &facts).unwrap());
    let former = Some(Digest::of(b"image"));
    for _ in 0..3 {
        assert_eq!((claimed.image, claimed.former), (Some(order.image.manifest), former));
        facts.disks[0].content = ours(claimed);
        claimed = claim(&order, &plan(&order, &manifest, floor(), &facts).unwrap());
    }
    // the same image by another order: what was before it may still be there
    order.generation += 1;
    order.id = OrderId::from_random([8; 16]);
    facts.disks[0].content = ours(claimed);
    let again = plan(&order, &manifest, floor(), &facts).unwrap();
    assert_eq!(claim(&order, &again).former, former);
}

#[test]
fn names_of_images_give_way_to_names_of_hosts_and_disks() {
    let (order, manifest, facts) = world();
    let planned = plan(&order, &manifest, floor(), &facts).unwrap();
    let named = |length: usize| {
        let mut planned = Plan { holds: vec![Digest::of(b"former")], ..planned.clone() };
        planned.disk.serial = Some("x".repeat(length));
        let claim = claim(&order, &planned);
        claim.require_room().ok().map(|()| (claim.image.is_some(), claim.former.is_some()))
    };
    let seen: Vec<_> = (0..).map_while(named).collect();
    assert_eq!(seen[0], (true, true));
    assert!(seen.contains(&(true, false)) && !seen.contains(&(false, true)));
    assert_eq!(seen.last(), Some(&(false, false)));
}
