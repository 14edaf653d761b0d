//! The routes: what a request is answered with.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};

use super::access::AccessLog;
use super::answer::{Body, Part, Response, kind, part, sentence, tag};
use super::boot;
use super::follow::Followed;
use super::forgotten::Watched;
use super::journal::Journal;
use super::page::Page;
use super::places::Places;
use super::proofs::Proofs;
use super::request::Request;
use super::revoked::Revoked;
use super::state::{FleetState, Received, Trust};
use super::status;
use super::tree::{Found, Tree};
use super::turns::Turns;
use crate::spec::event::Event;
use crate::sys::clock::Clock;
use crate::trust::Proof;

/// Longest name of a run: it is kept in memory.
const MAX_RUN: usize = 64;

/// What the handlers share.
pub struct App {
    pub site: Followed,
    pub revoked: Revoked,
    pub forgotten: Mutex<Watched>,
    pub fleet: Mutex<FleetState>,
    pub journal: Mutex<Journal>,
    pub proofs: Mutex<Proofs>,
    pub page: Page,
    pub turns: Turns,
    pub long_events: Arc<Places>,
    pub clock: Arc<dyn Clock + Send + Sync>,
    pub log: Arc<AccessLog>,
    pub rate: Option<u64>,
}

impl App {
    /// The time as HTTP writes it.
    pub fn date(&self) -> String {
        let seconds = u64::try_from(self.clock.now().as_unix()).unwrap_or(0);
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
    }

    /// The fleet, without what somebody wants forgotten.
    pub fn fleet(&self) -> MutexGuard<'_, FleetState> {
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.look(&mut fleet) {
            self.page.outdated();
        }
        fleet
    }

    /// Looks whether the site's lists of revoked orders and forgotten hosts are others than before.
    pub fn look_at_lists(&self) {
        drop(self.fleet());
        if self.revoked.look() {
            self.page.outdated();
        }
    }

    /// Takes over what is at the tree's place, if it is another tree and a good one. Blocks.
    pub fn look(&self) {
        self.site.look(|tree| {
            // in this order everywhere
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
            let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
            proofs.take_over(tree.speakers(), self.clock.now());
            fleet.expect(tree.orders());
            journal.expect(&fleet);
            self.page.outdated();
        });
        self.look_at_lists();
    }
}

/// Whether this is a request whose body is read.
pub fn wants_body(request: &Request) -> bool {
    request.path() == "/v1/events" && request.method == Method::POST
}

/// The answer to a request without a body.
pub async fn answer(app: &Arc<App>, request: &Request) -> Response {
    let path = request.path();
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    match path {
        "/v1/events" => refused("events are posted, nothing else", "POST"),
        "/v1/status" | "/health" | "/ready" if !reads => {
            refused("this can be read, nothing else", "GET, HEAD")
        }
        "/v1/status" => status::answer(app).await,
        "/health" => sentence(StatusCode::OK, "alive"),
        "/ready" => ready(app).await,
        _ => match path.strip_prefix("/v1/orders/") {
            Some(_) if !reads => refused("this can be read, nothing else", "GET, HEAD"),
            Some(id) => order(app, id),
            None => file(app, request).await,
        },
    }
}

fn refused(text: &str, allowed: &str) -> Response {
    Response { fields: format!("Allow: {allowed}\r\n"), ..sentence(StatusCode::METHOD_NOT_ALLOWED, text) }
}

/// Runs what may block where that holds up nobody.
pub async fn blocking(app: &Arc<App>, call: impl FnOnce(&App) -> Response + Send + 'static) -> Response {
    let app = Arc::clone(app);
    let answered = tokio::task::spawn_blocking(move || call(&app)).await;
    answered.unwrap_or_else(|_| {
        sentence(StatusCode::INTERNAL_SERVER_ERROR, "this failed on the server; see its output")
    })
}

/// Whether installs would go well now.
async fn ready(app: &Arc<App>) -> Response {
    let probed = |app: &App| {
        let (tree, refusal) = (app.site.now(), app.site.refusal());
        let is_there = || tree.is_there().err().map(|why| why.to_string());
        if let Some(why) = app.site.retired().or_else(is_there) {
            let text = format!("not ready: {why}");
            return sentence(StatusCode::SERVICE_UNAVAILABLE, &text);
        }
        let journal = app.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = journal.writable() {
            return sentence(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {error:#}"));
        }
        match refusal {
            None => sentence(StatusCode::OK, "ready"),
            Some(why) => sentence(
                StatusCode::OK,
                &format!("ready with the former tree; the new one is refused: {why}"),
            ),
        }
    };
    // one at a time: it writes
    let _turn = app.turns.all().await;
    blocking(app, probed).await
}

async fn file(app: &Arc<App>, request: &Request) -> Response {
    if let Some(why) = app.site.retired() {
        return sentence(StatusCode::SERVICE_UNAVAILABLE, &why);
    }
    let tree = app.site.now();
    match serve(&tree, request, Tree::find) {
        Some(response) => response,
        // another tree may have come, or a file was touched; to find out may take a while
        None => {
            let request = request.clone();
            let again = move |app: &App| {
                app.look();
                serve(&app.site.now(), &request, Tree::find_again).unwrap_or_else(|| {
                    let text =
                        "this file isn't what the bundle's manifest names any more; build the bundle again";
                    let fields = "Retry-After: 5\r\n".to_owned();
                    Response { fields, ..sentence(StatusCode::SERVICE_UNAVAILABLE, text) }
                })
            };
            blocking(app, again).await
        }
    }
}

/// The answer to a request for a file of this tree; `None` where a file isn't what it was.
fn serve(
    tree: &Tree,
    request: &Request,
    find: impl FnOnce(&Tree, &super::tree::ServedFile) -> Found,
) -> Option<Response> {
    let path = request.path();
    let Some(file) = path.strip_prefix('/').and_then(|path| tree.file(path)) else {
        return Some(sentence(StatusCode::NOT_FOUND, "no such file in this bundle"));
    };
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Some(refused("files can be fetched, nothing else", "GET, HEAD"));
    }
    let found = match &file.held {
        Some(_) => None,
        None => match find(tree, file) {
            Found::Open(open) => Some(open),
            Found::Changed | Found::Gone => return None,
        },
    };
    let tag = tag(&file.digest);
    let fields = format!("ETag: {tag}\r\nAccept-Ranges: bytes\r\n");
    let (status, at, length, fields) = match part(request, &tag, file.size) {
        Part::Same => (StatusCode::NOT_MODIFIED, 0, 0, fields),
        Part::Whole => (StatusCode::OK, 0, file.size, fields),
        Part::Range(at, length) => {
            let range = format!("{fields}Content-Range: bytes {at}-{}/{}\r\n", at + length - 1, file.size);
            (StatusCode::PARTIAL_CONTENT, at, length, range)
        }
        Part::None => {
            let fields = format!("{fields}Content-Range: bytes */{}\r\n", file.size);
            let text = "the file is shorter than that";
            return Some(Response { fields, ..sentence(StatusCode::RANGE_NOT_SATISFIABLE, text) });
        }
    };
    let body = match (&file.held, found) {
        (Some(held), _) if length == file.size => Body::Shared(Arc::clone(held)),
        (Some(held), _) => Body::Shared(Arc::new(held[at as usize..(at + length) as usize].to_vec())),
        (None, Some(file)) => Body::File { file, at, length },
        (None, None) => return None,
    };
    Some(Response { status, kind: kind(path), fields, body, close: false })
}

fn order(app: &App, id: &str) -> Response {
    let tree = app.site.now();
    let state = id.parse().ok().and_then(|id| {
        let revoked = app.revoked.why(&tree, &id).is_some();
        boot::state(&tree, &app.fleet(), revoked, &id)
    });
    match state {
        Some(state) => sentence(StatusCode::OK, state.word()),
        None => sentence(StatusCode::NOT_FOUND, "no order of this server"),
    }
}

/// The answer to an event. Senders take turns, so that many events of one address hold up its own.
pub async fn events(app: &Arc<App>, client: IpAddr, proof: Option<&[u8]>, body: Vec<u8>) -> Response {
    // what can't be read proves nothing
    let proof = proof.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let _turn = app.turns.take(client).await;
    blocking(app, move |app| store(app, client, proof.as_ref(), &body)).await
}

/// Judges, stores and counts an event; runs where it may block.
fn store(app: &App, client: IpAddr, proof: Option<&Proof>, body: &[u8]) -> Response {
    let bad = |why: String| sentence(StatusCode::BAD_REQUEST, &format!("not an event: {why}"));
    let json: &serde_json::value::RawValue = match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(error) => return bad(error.to_string()),
    };
    let event: Event = match serde_json::from_str(json.get()) {
        Ok(event) => event,
        Err(error) => return bad(error.to_string()),
    };
    if event.run.is_empty() || event.run.len() > MAX_RUN || event.run.chars().any(char::is_control) {
        return bad(format!("`run` must be a word of at most {MAX_RUN} bytes"));
    }
    // held from the look-up to the counting, so that two senders of one event don't both store it
    let mut journal = app.journal.lock().unwrap_or_else(PoisonError::into_inner);
    let time = app.clock.now();
    let trust = {
        let fleet = app.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        let proofs = app.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        let trust = proofs.judge(&event, body, proof, &fleet, time);
        if fleet.knows(&event, trust) {
            return sentence(StatusCode::OK, "known already");
        }
        trust
    };
    let received = Received { time, client, trust, event };
    if let Err(error) = journal.append(&received, json) {
        return sentence(StatusCode::INSUFFICIENT_STORAGE, &format!("{error:#}"));
    }
    app.fleet.lock().unwrap_or_else(PoisonError::into_inner).add(&received);
    app.page.outdated();
    let text = match trust {
        Trust::Proven => "stored",
        Trust::Open => "stored; nothing proves it, for the host has no order",
        Trust::Stranger => "stored, but not proven: it shows a stranger and changes no host",
    };
    sentence(StatusCode::OK, text)
}
