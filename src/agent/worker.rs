//! The story of an install, told once from top to bottom: [`install_this_machine`] reads aloud.
//!
//! It ends installed, refused (nothing was touched) or failed (in the claim or after it: once claimed, the disk isn't
//! bootable). Each end is told to everybody who listens before PID 1 takes over.

mod reach;
mod wake;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use self::reach::Listener;
use super::disk::install::{self, Install, Installed, Leave, Personalised};
use super::disk::progress::Progress;
use super::efi::BootEntries;
use super::ends::real::RealMachine;
use super::ends::tries::Tries;
use super::ends::{self, Machine as _};
use super::init::DONE;
use super::orders::{self, Orders, order_status, recorded, revocation};
use super::payload::Payload;
use super::payload::stick::StickSource;
use super::personalise::kernel_personaliser::{self, KernelPersonaliser};
use super::report::console::Consoles;
use super::report::promise::trust_sentence;
use super::report::recorder::Recorder;
use super::report::reporter::{Reporter, Tenths};
use super::report::run_state::{self, End};
use super::time::{self, Timekeeper};
use super::{Failure, started_from};
use crate::image::read::Index;
use crate::plan;
use crate::probe::facts::{self, gather};
use crate::probe::live::live_disks;
use crate::spec::Code;
use crate::spec::event::What;
use crate::spec::facts::{Disk, Facts, Machine};
use crate::spec::image::ImageManifest;
use crate::spec::order::InstallOrder;
use crate::spec::plan::{Plan, Refusal, Work};
use crate::spec::system::NetworkSpec;
use crate::sys::block::attended::Attended;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::linux::disk::TargetDisk;
use crate::sys::linux::machine;
use crate::trust::Verified;
use crate::value::{RunSecret, Timestamp};

pub(super) const ROOT: &str = "/";
pub(super) const EFIVARS: &str = "/sys/firmware/efi/efivars";
/// How long events may still be delivered before the restart.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Why an install didn't happen.
enum Trouble {
    /// Nothing was touched.
    Refused(Refusal),
    /// The disk was claimed, or writing the claim failed.
    Failed(Failure),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Before the claim, a failure is a refusal: nothing was touched.
impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Refused(Refusal::new(failure.code, failure.message))
    }
}

/// Runs the install in a child of PID 1. When it returns, the end was told, what comes next was decided and waited for.
pub(super) fn main() -> ExitCode {
    let consoles = Arc::new(Consoles::open());
    consoles.line(&format!("started agent={}", env!("CARGO_PKG_VERSION")));
    let mut reporter =
        Reporter::new(Arc::clone(&consoles), Box::new(SystemClock), RunSecret::from_bytes(random()));
    reporter.keep_state_in(Path::new(run_state::RUN_STATE));
    let mut listener = None;
    if let Err(trouble) = install_this_machine(&mut reporter, &mut listener) {
        tell(&mut reporter, trouble);
        go_on(&mut reporter, &consoles, listener.as_ref());
    }
    reporter.finish(LAST_WORDS);
    ExitCode::from(DONE)
}

/// After an end that isn't an install.
fn go_on(reporter: &mut Reporter, consoles: &Consoles, listener: Option<&Listener>) {
    let reach = |reporter: &mut Reporter| listener.into_iter().for_each(|listener| listener.reach(reporter));
    let mut machine = RealMachine {
        consoles,
        firmware: BootEntries::new(Path::new(EFIVARS)),
        keys: orders::site_keys(Path::new(ROOT)).ok(),
        tell: &reach,
    };
    machine.reach_server(reporter);
    // every trouble is told as an end
    let end = reporter.end().unwrap_or(End::Refused { code: Code::Internal });
    ends::after(&end, reporter, &mut machine);
}

fn tell(reporter: &mut Reporter, trouble: Trouble) {
    match trouble {
        Trouble::Refused(refusal) if refusal.code == Code::OrderDone => {
            reporter.note(&format!("refused {}: {}", refusal.code, refusal.message));
            reporter.event(What::AlreadyDone);
        }
        Trouble::Refused(Refusal { code, message }) => reporter.event(What::Refused { code, message }),
        Trouble::Failed(Failure { code, message }) => reporter.event(What::Failed { code, message }),
    }
}

/// What an install is made from, once all of it is here and verified.
struct Job {
    order: Verified<InstallOrder>,
    manifest: Verified<ImageManifest>,
    index: Index,
    payload: Payload,
    /// It is later than this.
    floor: Timestamp,
}

fn install_this_machine(reporter: &mut Reporter, listener: &mut Option<Listener>) -> Result<(), Trouble> {
    let keys = orders::site_keys(Path::new(ROOT))?;
    let all = orders::read(Path::new(ROOT), keys.current());
    let floor = orders::floor(Path::new(ROOT), &all);
    let mut time = keep_time(reporter, &floor);
    wake::devices(reporter, &all, &keys);
    let machine = facts::machine(Path::new(ROOT));
    let stick = begin_telling(reporter, &all, &machine, &mut time);
    let order = choose_order(reporter, listener, all, &machine)?;

    let payload = Payload::choose(&order, stick, reporter.consoles())?;
    let remembered = reach::connect(reporter, &order, &machine, payload.is_remote(), &mut time)?;
    if let Some(revoked) = remembered.clone().filter(|refusal| refusal.code == Code::OrderRevoked) {
        return Err(revoked.into());
    }
    let floor = floor?;
    let fetched = payload.manifest(&order).and_then(|manifest| Ok((payload.index(&manifest)?, manifest)));
    let (index, manifest) = match (fetched, &remembered) {
        // its image may be gone from the server since
        (Err(_), Some(done)) => return Err(done.clone().into()),
        (fetched, _) => fetched?,
    };
    let job = Job { order, manifest, index, payload, floor };

    let is_candidate = |disk: &Disk| plan::is_candidate(&job.order, disk);
    let look = |time: &Timekeeper<_>| {
        let disks = live_disks(&keys, &is_candidate);
        gather(Path::new(ROOT), time.machine_clock(), time.vouchers(), disks)
    };
    let plan = decide(reporter, &job, remembered, &look(&time))?;
    set_clock(reporter, &mut time, plan.now.time);
    carry_out(reporter, &job, &plan, &|| look(&time))
}

/// The order for this machine; and from here on it is known who listens.
fn choose_order(
    reporter: &mut Reporter,
    listener: &mut Option<Listener>,
    all: Orders,
    machine: &Machine,
) -> Result<Verified<InstallOrder>, Refusal> {
    *listener = all.server().map(|server| Listener::new(server, &NetworkSpec::default(), machine));
    let order = all.choose(machine)?;
    *listener = order.server.as_ref().map(|server| Listener::new(server, &order.network, machine));
    reporter.identify(&order);
    reporter.pause_for(order.refusal_pause_seconds);
    reporter.event(What::Ordered { image: order.image.image.clone(), generation: order.generation });
    Ok(order)
}

/// The plan, if nothing speaks against it: neither what is here nor what the server and the medium remember.
fn decide(
    reporter: &Reporter,
    job: &Job,
    remembered: Option<Refusal>,
    facts: &Facts,
) -> Result<Plan, Refusal> {
    let planned = plan::plan(&job.order, &job.manifest, job.floor, facts);
    let planned = planned.inspect_err(|_| dump(reporter, facts));
    let plan = order_status::judge(planned, remembered)?;
    if let Some(doubt) = plan::firmware_doubt(&job.order, &facts.machine) {
        reporter.note(&doubt);
    }
    recorded::check(&reporter.recorded(), &plan)?;
    Ok(plan)
}

/// From the plan to a disk that boots. `look` sees the machine as it is then.
fn carry_out(
    reporter: &mut Reporter,
    job: &Job,
    plan: &Plan,
    look: &dyn Fn() -> Facts,
) -> Result<(), Trouble> {
    let Job { order, manifest, index, payload, floor } = job;
    let disk = plan::describe(&plan.disk);
    let believed = plan.now.vouched_time();
    reporter.event(What::Planned { disk: disk.clone(), bytes: manifest.size.as_bytes(), believed });

    let target = open_target(plan)?;
    let watch = reporter.server().map(|server| revocation::asks(server, &order.id));
    let consoles = Arc::clone(reporter.consoles());
    let attended = Attended::new(&target, move |text| consoles.line(text));
    let install =
        Install { device: &attended, plan, order, manifest, index, source: payload.source(), leave: &() };
    install::preflight(&install)?;
    confirm(reporter, order, plan, &disk)?;
    // the target is held by now, so what is seen stays
    let facts = look();
    plan::still_holds(plan, order, manifest, *floor, &facts).inspect_err(|_| dump(reporter, &facts))?;
    // only now: the second look finds old file systems by the kernel's partitions too
    kernel_personaliser::forget_partitions(&target, &plan.disk.name)
        .map_err(|error| Refusal::new(Code::DiskIo, format!("{error:#}")))?;
    if let Some(ask) = &watch {
        revocation::check(ask, &|text| reporter.note(text))?;
    }
    let consoles = Arc::clone(reporter.consoles());
    let watch =
        watch.map(|ask| revocation::Watch::begin(ask, revocation::EVERY, move |text| consoles.line(text)));
    let leave = watch.as_ref().map_or(&() as &dyn Leave, |watch| watch);
    let install = Install { leave, ..install };
    let mut personaliser = KernelPersonaliser {
        disk: &target,
        name: &plan.disk.name,
        order,
        superseded: &plan.superseded,
        now: plan.now,
        manifest,
    };
    let installed = run(reporter, &install, &mut personaliser)?;
    hand_over(reporter, plan.work, &installed);
    Ok(())
}

/// Keeps the time from here on, no earlier than the floor: it was later than that when the host was armed. Without a floor, the
/// clock is left as it is.
fn keep_time(reporter: &Reporter, floor: &Result<Timestamp, Refusal>) -> Timekeeper<SystemClock> {
    let known = floor.as_ref().copied().ok();
    let mut time = Timekeeper::new(SystemClock, known.unwrap_or(SystemClock.now()), Path::new(time::STEP));
    if let Some(floor) = known {
        set_clock(reporter, &mut time, floor);
    }
    time
}

fn set_clock(reporter: &Reporter, time: &mut Timekeeper<SystemClock>, believed: Timestamp) {
    if let Err(error) = time.set_to(believed) {
        reporter.note(&format!("the system clock stays as it is: {error}"));
    }
}

/// Finds the medium with this machine's image, its recorder, and says what this run can promise.
fn begin_telling(
    reporter: &mut Reporter,
    all: &Orders,
    machine: &Machine,
    time: &mut Timekeeper<SystemClock>,
) -> Option<StickSource> {
    let wanted = all.first_match(machine).map(|order| &order.image.manifest);
    let stick = StickSource::find(Path::new("/sys"), wanted);
    if let Some(medium) = stick.as_ref().map(StickSource::name)
        && let Some(recorder) = Recorder::open(medium)
    {
        time.hear_recorder(recorder.believed());
        reporter.record_to(medium, recorder);
    }
    let trust = trust_sentence(machine.secure_boot, started_from());
    reporter.event(What::Started { agent: env!("CARGO_PKG_VERSION").to_owned(), trust });
    stick
}

fn dump(reporter: &Reporter, facts: &Facts) {
    if let Ok(json) = serde_json::to_string(facts) {
        reporter.note(&format!("facts {json}"));
    }
}

/// Opens the disk for this install alone. What of it is in use is found out here, while it can still be refused.
fn open_target(plan: &Plan) -> Result<TargetDisk, Refusal> {
    let name = &plan.disk.name;
    let refuse = |why: String| Refusal::new(Code::DiskIo, why);
    TargetDisk::open(&Path::new("/dev").join(name))
        .map_err(|error| refuse(format!("opening {name}: {error}")))
}

/// Shows what will be lost and gives a human time to stop it.
fn confirm(reporter: &Reporter, order: &InstallOrder, plan: &Plan, disk: &str) -> Result<(), Refusal> {
    let loss = if plan.overwrites_foreign { "; DATA THAT IS NOT OURS WILL BE LOST" } else { "" };
    reporter.note(&format!("installing {} on host {}, on disk {disk}{loss}", order.image.image, order.host));
    if reporter.consoles().countdown(order.confirm_seconds) {
        return Ok(());
    }
    Err(Refusal::new(Code::Cancelled, "a key was pressed during the countdown; nothing was touched"))
}

fn run(
    reporter: &mut Reporter,
    install: &Install<'_>,
    personaliser: &mut KernelPersonaliser<'_>,
) -> Result<Installed, Trouble> {
    let (mut claimed, mut tenths) = (false, Tenths::default());
    let Plan { disk: Disk { name, .. }, failures, .. } = install.plan;
    let result = install::install(install, personaliser, &mut |progress| match progress {
        Progress::Claimed { disk, attempt } => {
            claimed = true;
            reporter.claimed(name, *failures);
            reporter.event(What::Claimed { disk, attempt });
        }
        Progress::Tables => {
            claimed = true;
            reporter.claimed(name, *failures);
            reporter.note("this order is done; its partition tables are made anew, nothing else is written");
        }
        Progress::Personalising => reporter.note("personalising"),
        Progress::Committing => reporter.note("committing"),
        Progress::Bytes { step, done, total } => {
            if tenths.is_new(step, done, total) {
                reporter.event(What::Progress { step, done, total });
            }
        }
    });
    result.map_err(|failure| if claimed { Trouble::Failed(failure) } else { failure.into() })
}

fn hand_over(reporter: &mut Reporter, work: Work, installed: &Installed) {
    let Personalised { ssh_host_key, outcomes } = installed.personalised.clone();
    reporter.event(match work {
        Work::Install => What::Committed {
            ssh_host_key,
            peak_rss_kib: machine::peak_rss_kib(),
            outcomes,
            reused: installed.reused,
        },
        Work::Tables { .. } => What::TablesMade,
    });
    let firmware = BootEntries::new(Path::new(EFIVARS));
    // what outlives the restart shows later runs that this firmware keeps what it is given
    if let Err(error) = firmware.remember(&Tries::default().to_bytes()) {
        reporter.note(&format!("the firmware remembers nothing: {error:#}"));
    }
    let told = firmware.boot_next(&installed.layout.esp, true);
    if let Err(error) = &told {
        reporter.note(&format!("boot order unchanged: {error:#}"));
    }
    reporter.event(What::Rebooting { boot_next: told.is_ok() });
}

/// Random bytes of the kernel.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    while getrandom::fill(&mut bytes).is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
    bytes
}
