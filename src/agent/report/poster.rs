//! Events on their way to the server: a thread with a bounded queue, which signs and tries again.
//!
//! Nothing here stops an install: progress is dropped first when the server doesn't keep up.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::run_state::RunState;
use crate::agent::backoff::Backoff;
use crate::spec::event::{Event, What};
use crate::trust::{PROOF_HEADER, Proof};

/// Events waiting for the server; progress is dropped when there are more.
const QUEUE: usize = 128;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// An event as it is posted, and what proves it.
struct Post {
    json: String,
    proof: Option<Proof>,
}

/// The queue and the thread behind it.
pub struct Poster {
    queue: SyncSender<Post>,
    done: Receiver<()>,
}

impl Poster {
    /// A thread that posts to this address.
    pub fn start(url: String) -> Self {
        let (queue, events) = sync_channel::<Post>(QUEUE);
        let (finished, done) = sync_channel(1);
        std::thread::spawn(move || {
            let client = reqwest::blocking::Client::builder()
                .timeout(Duration::from_secs(10))
                .connect_timeout(Duration::from_secs(5))
                // events are for the server that the signed order names, and for nobody whom it or a proxy names
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build();
            if let Ok(client) = client {
                for event in events {
                    deliver(|| taken(&client, &url, &event), std::thread::sleep);
                }
            }
            let _ = finished.send(());
        });
        Self { queue, done }
    }

    /// Queues an event, with what proves it where the run has a voucher.
    pub fn offer(&self, event: &Event, state: &RunState) {
        let Ok(json) = serde_json::to_string(event) else { return };
        let proof = state.voucher.as_ref().map(|voucher| voucher.prove(&state.run, json.as_bytes()));
        match self.queue.try_send(Post { json, proof }) {
            Err(TrySendError::Full(post)) if !matches!(event.what, What::Progress { .. }) => {
                // the thread is stuck in retries; an important event waits a moment for a place
                let begin = Instant::now();
                let mut post = post;
                while begin.elapsed() < Duration::from_secs(2) {
                    match self.queue.try_send(post) {
                        Err(TrySendError::Full(back)) => post = back,
                        _ => return,
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            _ => {}
        }
    }

    /// Gives the server a bounded time to take what is still queued.
    pub fn finish(self, patience: Duration) {
        drop(self.queue);
        let _ = self.done.recv_timeout(patience);
    }
}

/// Whether the server has taken the event, or has said that it never will.
fn taken(client: &reqwest::blocking::Client, url: &str, event: &Post) -> bool {
    let post = client.post(url).header("content-type", "application/json").body(event.json.clone());
    let post = match &event.proof {
        Some(proof) => post.header(PROOF_HEADER, proof.to_string()),
        None => post,
    };
    post.send().is_ok_and(|answer| !answer.status().is_server_error() && !answer.status().is_redirection())
}

/// Tries until the event is taken, however long that takes: whoever rests has time.
fn deliver(mut taken: impl FnMut() -> bool, mut sleep: impl FnMut(Duration)) {
    let mut backoff = Backoff::up_to(LONGEST_PAUSE);
    while !taken() {
        sleep(backoff.pause());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::FormatVersion;
    use crate::trust::{Voucher, event_public_key, run_name};
    use crate::value::{EventSecret, OrderId, RunSecret};

    #[test]
    fn events_reach_a_server_that_answers_late() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/events", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for status in ["503 Service Unavailable", "302 Found\r\nlocation: /elsewhere", "200 OK"] {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut buffer, mut count) = ([0; 4096], 0);
                while !String::from_utf8_lossy(&buffer[..count]).ends_with("}}") {
                    count += stream.read(&mut buffer[count..]).unwrap();
                }
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
                bodies.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
            }
            bodies
        });
        let poster = Poster::start(url);
        let event = Event {
            version: FormatVersion,
            run: "r".to_owned(),
            seq: 7,
            time: crate::value::Timestamp::from_unix(1),
            host: None,
            order: None,
            what: What::AlreadyDone,
            token: None,
        };
        let (run, events) = (RunSecret::from_bytes([7; 32]), EventSecret::from_bytes([8; 32]));
        let order = OrderId::from_random([1; 16]);
        let mut state = RunState::new(run.clone());
        state.voucher = Some(Voucher::new(&events, &order, &run));
        poster.offer(&event, &state);
        poster.finish(Duration::from_secs(20));
        for post in server.join().unwrap() {
            let (head, body) = post.split_once("\r\n\r\n").unwrap();
            assert!(body.contains("\"seq\":7"), "{body}");
            let field = head.lines().filter_map(|line| line.split_once(": "));
            let (_, proof) = field.into_iter().find(|(name, _)| *name == PROOF_HEADER).unwrap();
            let proof: Proof = proof.parse().unwrap();
            assert!(proof.is_by(&event_public_key(&events), &run_name(&run), body.as_bytes()));
            assert!(!head.contains(&run.reveal_text()) && !head.contains(&events.reveal_text()));
        }
    }

    #[test]
    fn a_server_that_is_away_for_an_hour_gets_its_events_soon_after() {
        let now = std::cell::Cell::new(Duration::ZERO);
        let hour = Duration::from_secs(3600);
        let mut asked = 0;
        let taken = || {
            asked += 1;
            now.get() >= hour
        };
        deliver(taken, |pause| now.set(now.get() + pause));
        assert!((hour..hour + LONGEST_PAUSE).contains(&now.get()), "{now:?}");
        assert!(asked < 300, "{asked} posts");
    }
}
