//! A running `serve`, somebody who revokes, and an install at each of its steps.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::agent::disk::install::{self, Install, Installed, Personalised, Personaliser};
use crate::agent::disk::progress::Progress;
use crate::agent::disk::table::DiskLayout;
use crate::agent::fixture::{self, Marker, World};
use crate::agent::orders::order_status;
use crate::bundle::{contents, pxe};
use crate::serve::{Options, Server};
use crate::spec::claim::{self, Claim, Stage};
use crate::spec::event::Step;
use crate::spec::revocation::{Reason, Revocations, Revoked};
use crate::sys::block::MemoryDevice;
use crate::sys::clock::SystemClock;
use crate::trust::SiteKey;
use crate::value::Timestamp;

const DISK_SIZE: usize = (4 << 20) + 512;

/// A site whose tree carries no order, with a server that runs until the test's process ends.
struct Site {
    dir: tempfile::TempDir,
    url: HttpUrl,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        tree(&dir.path().join("pxe"), &Revocations::default());
        let url = serve(&dir.path().join("pxe"), &dir.path().join("revoked.json"));
        Self { dir, url }
    }

    /// What `disarm` does.
    fn revoke(&self, order: &OrderId) {
        let text = serde_json::to_string(&list(order)).unwrap();
        crate::sys::files::write_whole(&self.dir.path().join("revoked.json"), 0o600, text.as_bytes())
            .unwrap();
    }
}

fn key() -> SiteKey {
    SiteKey::from_random([6; 40])
}

fn list(order: &OrderId) -> Revocations {
    let time = Timestamp::from_unix(1_795_417_200);
    let (order, host, reason) = (order.clone(), "web01".parse().unwrap(), Reason::Disarmed);
    let mut list = Revocations::default();
    list.add(Revoked { order, host, time, until: time, reason });
    list
}

fn tree(place: &Path, revoked: &Revocations) {
    let contents = contents::pxe(&[], &Default::default(), Vec::new(), revoked, &key()).unwrap();
    pxe::write(place, &contents, &|_| PathBuf::new(), &mut |_| Ok(())).unwrap();
}

fn serve(tree: &Path, revoked: &Path) -> HttpUrl {
    let beside = |name| revoked.with_file_name(name);
    let options = Options {
        tree: tree.to_owned(),
        store: beside("store"),
        keys: std::sync::Arc::new(|| Ok(key().alone())),
        events: beside("events.jsonl"),
        forgotten: beside("forgotten.json"),
        revoked: revoked.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        rate: None,
    };
    let server = Server::open(&options, Arc::new(SystemClock), Box::new(std::io::sink())).unwrap();
    let url = format!("http://{}", server.address().unwrap()).parse().unwrap();
    std::thread::spawn(move || server.run());
    url
}

/// Runs `act` when the personaliser is done, right before the commit.
struct Late<'a, A> {
    marker: Marker<'a>,
    act: A,
}

impl<A: FnMut()> Personaliser for Late<'_, A> {
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
        let done = self.marker.personalise(layout);
        (self.act)();
        done
    }
}

fn run(
    world: &World,
    device: &MemoryDevice,
    leave: &dyn Leave,
    late: impl FnMut(),
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, Failure> {
    let plan = fixture::plan_for(world, &device.content()).unwrap();
    let World { order, manifest, index, source, .. } = world;
    let install = Install { device, plan: &plan, order, manifest, index, source, leave };
    install::install(&install, &mut Late { marker: Marker::new(device), act: late }, progress)
}

fn wait_for(mut heard: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !heard() {
        assert!(begin.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn claimed_and_unbootable(device: &MemoryDevice) {
    let disk = device.content();
    assert_eq!(disk[..512], [0; 512], "the disk may boot");
    let claim = Claim::from_record(&disk[claim::OFFSET as usize..]).unwrap();
    assert!(!matches!(claim.stage, Stage::Ready { .. }), "another run would make its tables");
}

#[test]
fn a_revoked_order_is_refused_before_a_disk_is_chosen() {
    let (site, world) = (Site::new(), fixture::world());
    let said = Mutex::new(String::new());
    let note = |text: &str| said.lock().unwrap().push_str(text);
    order_status::check(&site.url, &world.order.id, &note).unwrap();
    assert!(
        said.lock().unwrap().contains("doesn't say whether this order is done or revoked, so it goes on")
    );
    site.revoke(&world.order.id);
    let refusal = order_status::check(&site.url, &world.order.id, &|_| ()).unwrap_err();
    assert_eq!(refusal.code, Code::OrderRevoked);
    // another order stands
    order_status::check(&site.url, &OrderId::from_random([9; 16]), &|_| ()).unwrap();
}

#[test]
fn an_order_that_is_revoked_after_the_plan_is_refused_before_the_claim() {
    let (site, world) = (Site::new(), fixture::world());
    let ask = asks(&site.url, &world.order.id);
    let said = Mutex::new(String::new());
    check(&ask, &|text| said.lock().unwrap().push_str(text)).unwrap();
    assert!(said.lock().unwrap().contains("so it goes on"), "no answer is told as such");
    site.revoke(&world.order.id);
    assert_eq!(check(&ask, &|_| ()).unwrap_err().code, Code::OrderRevoked);
}

#[test]
fn an_order_that_is_revoked_after_the_claim_leaves_a_disk_that_does_not_boot() {
    for wanted in [Step::Write, Step::ReadBack] {
        let (site, world) = (Site::new(), fixture::world());
        let device = MemoryDevice::new(vec![0; DISK_SIZE]);
        let watch = Watch::begin(asks(&site.url, &world.order.id), Duration::from_millis(10), |_| ());
        let mut revoked = false;
        let result = run(&world, &device, &watch, || panic!("it went on"), &mut |progress| {
            if matches!(progress, Progress::Bytes { step, .. } if step == wanted) && !revoked {
                site.revoke(&world.order.id);
                wait_for(|| watch.holds().is_err());
                revoked = true;
            }
        });
        assert_eq!(result.unwrap_err().code, Code::OrderRevoked);
        claimed_and_unbootable(&device);
    }
}

#[test]
fn the_server_is_asked_once_more_before_the_commit() {
    let (site, world) = (Site::new(), fixture::world());
    let device = MemoryDevice::new(vec![0; DISK_SIZE]);
    let watch = Watch::begin(asks(&site.url, &world.order.id), Duration::from_secs(3600), |_| ());
    let late = || site.revoke(&world.order.id);
    let failure = run(&world, &device, &watch, late, &mut |_| ()).unwrap_err();
    assert_eq!(failure.code, Code::OrderRevoked);
    claimed_and_unbootable(&device);
}

#[test]
fn a_server_that_is_away_stops_nothing_and_is_told_once() {
    let world = fixture::world();
    let device = MemoryDevice::new(vec![0; DISK_SIZE]);
    let said = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&said);
    let say = move |text: &str| hears.lock().unwrap().push(text.to_owned());
    let away = asks(&"http://127.0.0.1:9".parse().unwrap(), &world.order.id);
    let watch = Watch::begin(away, Duration::from_millis(1), say);
    wait_for(|| !said.lock().unwrap().is_empty());
    run(&world, &device, &watch, || (), &mut |_| ()).unwrap();
    let said = said.lock().unwrap();
    assert!(said.len() == 1 && said[0].starts_with("nobody says whether this order was revoked"), "{said:?}");
}

#[test]
fn a_copied_tree_tells_by_any_web_server_and_by_a_serve_without_the_sites_list() {
    let order = OrderId::from_random([1; 16]);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("copy");
    tree(&place, &list(&order));
    let state = std::fs::read_to_string(place.join(format!("v1/orders/{order}"))).unwrap();
    assert_eq!(OrderState::in_answer(&state), Some(OrderState::Revoked));
    let url = serve(&place, &dir.path().join("no-list.json"));
    assert_eq!(asks(&url, &order)().unwrap(), OrderState::Revoked);
}
