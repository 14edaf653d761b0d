//! The server, as far as an install needs one: reached, asked about its order, told of an end.

use std::time::Duration;

use super::random;
use crate::agent::net;
use crate::agent::orders::order_status;
use crate::agent::report::reporter::Reporter;
use crate::agent::time::Timekeeper;
use crate::spec::Code;
use crate::spec::facts::{Machine, Nic};
use crate::spec::order::InstallOrder;
use crate::spec::plan::Refusal;
use crate::spec::system::NetworkSpec;
use crate::sys::clock::SystemClock;
use crate::value::HttpUrl;

/// How long an install that doesn't need the network waits for one, so that its events arrive.
const COURTESY: Duration = Duration::from_secs(15);
/// How often a server that doesn't answer is asked again, where the machine's clock is wrong, and the pause before.
const TIME_TRIES: u32 = 5;
const TIME_PAUSE: Duration = Duration::from_secs(5);

/// Who hears of an end: the order's server, or, where no order is for this machine, that of one that was verified, for
/// somebody watches it.
pub(super) struct Listener {
    server: HttpUrl,
    network: NetworkSpec,
    nics: Vec<Nic>,
}

impl Listener {
    /// This server, in this order's network.
    pub(super) fn new(server: &HttpUrl, network: &NetworkSpec, machine: &Machine) -> Self {
        let (server, network, nics) = (server.clone(), network.clone(), machine.nics.clone());
        Self { server, network, nics }
    }

    /// Tells the server what was said so far, if the network comes up at once.
    pub(super) fn reach(&self, reporter: &mut Reporter) {
        let random = u32::from_le_bytes(random());
        match net::bring_up(&self.network, &self.nics, COURTESY, random) {
            Ok(up) => {
                note_network(reporter, &up);
                reporter.post_to(&self.server);
            }
            Err(error) => reporter.note(&format!("no network, the story stays here: {error:#}")),
        }
    }
}

/// Brings the network up if something wants it (only a payload that is far away can't do without), and asks the server. With a
/// clock that is wrong, the server's may be all there is: it is waited for as for a payload. What the server remembers of the
/// order is given back as the refusal that it is a reason for.
pub(super) fn connect(
    reporter: &mut Reporter,
    order: &InstallOrder,
    machine: &Machine,
    needed: bool,
    time: &mut Timekeeper<SystemClock>,
) -> Result<Option<Refusal>, Refusal> {
    if !needed && order.server.is_none() {
        reporter.note("the order names no server: nobody says whether it was revoked, so it goes on");
        return Ok(None);
    }
    let wanted = needed || time.is_out();
    let patience = if wanted { net::PATIENCE } else { COURTESY };
    match net::bring_up(&order.network, &machine.nics, patience, u32::from_le_bytes(random())) {
        Ok(up) => note_network(reporter, &up),
        Err(error) if needed => return Err(Refusal::new(Code::NetworkDown, format!("{error:#}"))),
        Err(error) => {
            reporter.note(&format!("no network, so the story stays here and no one can revoke: {error:#}"));
            return Ok(None);
        }
    }
    let Some(server) = &order.server else { return Ok(None) };
    reporter.post_to(server);
    for tries in 0.. {
        match order_status::check(server, &order.id, &|text| reporter.note(text)) {
            Ok(date) => time.hear_server(date),
            Err(done) => return Ok(Some(done)),
        }
        if time.has_reading() || !time.is_out() || tries == TIME_TRIES {
            break;
        }
        std::thread::sleep(TIME_PAUSE);
    }
    Ok(None)
}

fn note_network(reporter: &Reporter, up: &net::Up) {
    reporter.note(&format!("network {}", up.links.join(", ")));
    for problem in &up.problems {
        reporter.note(&format!("network without {problem}"));
    }
}
