//! The server's memory, asked before a disk is chosen: an install by this order may be done, and the disk that shows it may be gone;
//! or somebody may have taken the order back.
//!
//! Without it a disk that was swapped for a blank one would be installed again by an order that is still in the tree. The
//! answer isn't signed and needn't be: it can only keep a machine from installing, which whoever owns the network can anyway.
//! Its `Date` (RFC 9110, section 6.6.1) tells the time to a machine whose own clock is dead, whatever else the server says.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::blocking::Client;
use reqwest::header::{CACHE_CONTROL, DATE};
use reqwest::redirect::Policy;

use crate::spec::Code;
use crate::spec::boot::OrderState;
use crate::spec::plan::{Plan, Refusal, Work};
use crate::value::{HttpUrl, OrderId, Timestamp};

/// A server that has this much to think about doesn't know.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const LONGEST: u64 = 64;

/// Refuses an order that the server knows to be done or revoked. A server that doesn't know, or can't be asked, changes nothing: `note`
/// hears of it. Says what the server's clock says, if it answers.
///
/// # Errors
/// [`Code::OrderDone`], [`Code::OrderRevoked`].
pub fn check(server: &HttpUrl, order: &OrderId, note: &dyn Fn(&str)) -> Result<Option<Timestamp>, Refusal> {
    let mut time = None;
    match ask(server, order, &mut time) {
        Ok(OrderState::Waits) => Ok(time),
        Ok(OrderState::Done) => {
            let message = format!(
                "{server} knows that this order is done, on a disk that isn't here or doesn't show it"
            );
            Err(Refusal::new(Code::OrderDone, message))
        }
        Ok(OrderState::Revoked) => {
            let message =
                format!("{server} says that this order was revoked: its host was disarmed, or armed anew");
            Err(Refusal::new(Code::OrderRevoked, message))
        }
        Err(error) => {
            note(&format!(
                "the server doesn't say whether this order is done or revoked, so it goes on: {error:#}"
            ));
            Ok(time)
        }
    }
}

/// What is done, given what the server remembers: it ends an order wherever it would be carried out again. A disk that only gets
/// its tables back shows by itself that the order is done there; so the server is right, and the plan stands. A revoked order does
/// nothing at all.
///
/// # Errors
/// The server's reason, else the plan's.
pub fn judge(planned: Result<Plan, Refusal>, remembered: Option<Refusal>) -> Result<Plan, Refusal> {
    match (planned, remembered) {
        (Ok(plan), Some(Refusal { code: Code::OrderDone, .. }))
            if matches!(plan.work, Work::Tables { .. }) =>
        {
            Ok(plan)
        }
        (_, Some(done)) => Err(done),
        (planned, None) => planned,
    }
}

/// What a server says of an order, and the time in its answer.
///
/// # Errors
/// No answer, or none that can be understood.
pub fn ask(server: &HttpUrl, order: &OrderId, time: &mut Option<Timestamp>) -> Result<OrderState> {
    let client = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
    let url = server.join("v1/orders").join(order.as_str()).to_string();
    // an old answer out of somebody's cache has an old date
    let request = client.context("making a client")?.get(&url).header(CACHE_CONTROL, "no-cache");
    let answer = request.send().with_context(|| format!("asking {url}"))?;
    *time = answer.headers().get(DATE).and_then(|date| told_by(date.to_str().ok()?));
    ensure!(answer.status().is_success(), "{url} answers with {}", answer.status());
    let mut text = String::new();
    answer.take(LONGEST).read_to_string(&mut text).with_context(|| format!("reading {url}"))?;
    OrderState::in_answer(&text).with_context(|| format!("{url} answers `{}`", text.escape_debug()))
}

/// The time in a `Date` field; its form is one of those that mail has (RFC 5322).
fn told_by(date: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    parser.parse_timestamp(date).ok().map(|time| Timestamp::from_unix(time.as_second()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;
    use crate::agent::fixture;
    use crate::plan;

    /// What the check makes of one answer, and what it noted.
    fn with(answer: &'static str) -> (Option<Code>, String) {
        let (outcome, said) = outcome(answer);
        (outcome.err().map(|refusal| refusal.code), said)
    }

    fn outcome(answer: &'static str) -> (Result<Option<Timestamp>, Refusal>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}/site", listener.local_addr().unwrap()).parse().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let said = RefCell::new(String::new());
        let order = OrderId::from_random([7; 16]);
        let outcome = check(&server, &order, &|text| said.borrow_mut().push_str(text));
        let request = thread.join().unwrap();
        assert!(request.starts_with(&format!("GET /site/v1/orders/{order} ")), "{request}");
        (outcome, said.into_inner())
    }

    #[test]
    fn whatever_a_server_answers_its_date_tells_the_time() {
        let time = "2026-11-30T02:16:15Z".parse().unwrap();
        for answer in [
            "HTTP/1.1 200 OK\r\ndate: Mon, 30 Nov 2026 02:16:15 GMT\r\ncontent-length: 6\r\nconnection: close\r\n\r\nwaits\n",
            "HTTP/1.1 404 Not Found\r\nDate: Mon, 30 Nov 2026 02:16:15 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ] {
            assert_eq!(outcome(answer).0, Ok(Some(time)), "{answer}");
        }
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nwaits\n",
            "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 6\r\nconnection: close\r\n\r\nwaits\n",
            "",
        ] {
            assert_eq!(outcome(answer).0, Ok(None), "{answer}");
        }
    }

    #[test]
    fn only_a_server_that_says_done_or_revoked_keeps_a_machine_from_installing() {
        let done = with("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\ndone\n");
        assert_eq!(done, (Some(Code::OrderDone), String::new()));
        let revoked = with("HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nrevoked\n");
        assert_eq!(revoked, (Some(Code::OrderRevoked), String::new()));
        let waits = with("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nwaits\n");
        assert_eq!(waits, (None, String::new()));
        for (answer, noted) in [
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\nconnection: close\r\n\r\ndone\n", "404"),
            (
                "HTTP/1.1 302 Found\r\nlocation: /done\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                "302",
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\n<html>\n", "<html>"),
            ("", "asking"),
        ] {
            let (refused, said) = with(answer);
            assert!(refused.is_none() && said.contains(noted), "{answer}: {said}");
        }
    }

    #[test]
    fn an_order_that_the_server_saw_done_gives_a_disk_its_tables_back_and_nothing_else() {
        let (order, manifest) = (fixture::order(&fixture::manifest()), fixture::manifest());
        let facts = fixture::facts(manifest.size.as_bytes());
        let install = plan::plan(&order, &manifest, order.not_before, &facts).unwrap();
        let tables = Plan { work: Work::Tables { entries: 7 }, ..install.clone() };
        let done = || Some(Refusal::new(Code::OrderDone, "the server knows"));
        assert_eq!(judge(Ok(install.clone()), done()).unwrap_err().code, Code::OrderDone);
        assert_eq!(judge(Ok(tables.clone()), done()), Ok(tables));
        let revoked = || Some(Refusal::new(Code::OrderRevoked, "the server says"));
        assert_eq!(
            judge(Ok(Plan { work: Work::Tables { entries: 7 }, ..install.clone() }), revoked())
                .unwrap_err()
                .code,
            Code::OrderRevoked
        );
        assert_eq!(judge(Ok(install.clone()), None), Ok(install));
        let other = || Err(Refusal::new(Code::NoDisk, "none"));
        assert_eq!(judge(other(), done()).unwrap_err().code, Code::OrderDone);
        assert_eq!(judge(other(), None).unwrap_err().code, Code::NoDisk);
    }

    #[test]
    fn a_server_that_is_not_there_changes_nothing() {
        let said = RefCell::new(String::new());
        let server = "http://127.0.0.1:9".parse().unwrap();
        check(&server, &OrderId::from_random([7; 16]), &|text| said.borrow_mut().push_str(text)).unwrap();
        assert!(said.into_inner().contains("doesn't say"));
    }
}
