//! The routes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::services::ServeFile;

use super::access::{AccessLog, Asked, Measured};
use super::boot;
use super::connections::in_time;
use super::journal::{Journal, MAX_EVENT};
use super::state::{Received, Story};
use super::tree::{ServedFile, Tree};
use crate::spec::event::Event;
use crate::sys::clock::Clock;

/// Longest name of a run: it is kept in memory.
const MAX_RUN: usize = 64;

/// What the handlers share.
pub struct App {
    pub tree: Tree,
    pub story: Mutex<Story>,
    pub journal: Mutex<Journal>,
    pub clock: Arc<dyn Clock + Send + Sync>,
    pub log: Arc<AccessLog>,
    pub rate: Option<u64>,
}

/// All routes; files of the tree are what no route takes. An event must come whole within this time.
pub fn router(app: Arc<App>, event: Duration) -> Router {
    Router::new()
        .route("/v1/events", post(events).layer(from_fn_with_state(event, in_time)))
        .route("/v1/orders/{id}", get(order))
        .route("/v1/status", get(status))
        .fallback(file)
        .layer(DefaultBodyLimit::max(MAX_EVENT))
        .layer(from_fn_with_state(Arc::clone(&app), measure))
        .with_state(app)
}

async fn measure(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::new(client, request.method(), request.uri(), request.headers());
    let (parts, body) = next.run(request).await.into_parts();
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let body = Measured::new(body, asked, parts.status, length, Arc::clone(&app.log), app.rate);
    Response::from_parts(parts, Body::new(body))
}

fn sentence(status: StatusCode, text: &str) -> Response {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{plain}\n")).into_response()
}

async fn file(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let Some(file) = uri.path().strip_prefix('/').and_then(|path| app.tree.file(path)) else {
        return sentence(StatusCode::NOT_FOUND, "no such file in this bundle");
    };
    if !matches!(method, Method::GET | Method::HEAD) {
        let mut refused = sentence(StatusCode::METHOD_NOT_ALLOWED, "files can be fetched, nothing else");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let tag = format!("\"{}\"", file.digest);
    let mut response = if has_tag(&headers, header::IF_NONE_MATCH, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        transfer(file, &tag, &method, &headers, app.rate).await
    };
    // the name of the content is its digest; times of files say nothing
    response.headers_mut().remove(header::LAST_MODIFIED);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Whether a header lists this entity tag. A weak tag is never one of ours.
fn has_tag(headers: &HeaderMap, name: header::HeaderName, tag: &str) -> bool {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').any(|listed| listed.trim() == tag)
}

async fn transfer(
    file: &ServedFile,
    tag: &str,
    method: &Method,
    headers: &HeaderMap,
    rate: Option<u64>,
) -> Response {
    let mut plain = Request::new(Body::empty());
    *plain.method_mut() = method.clone();
    let same = !headers.contains_key(header::IF_RANGE) || has_tag(headers, header::IF_RANGE, tag);
    if let (Some(range), true) = (headers.get(header::RANGE), same) {
        plain.headers_mut().insert(header::RANGE, range.clone());
    }
    // small pieces where the rate is small, or one piece would wait for seconds
    let piece =
        rate.map_or(64 << 10, |rate| usize::try_from(rate / 16).unwrap_or(usize::MAX).clamp(512, 64 << 10));
    let served = ServeFile::new(&file.path)
        .with_buf_chunk_size(piece)
        .ignore_multi_range_requests(true)
        .try_call(plain)
        .await;
    match served {
        Ok(response) => response.map(Body::new),
        Err(_) => sentence(StatusCode::INTERNAL_SERVER_ERROR, "the file can't be read on the server"),
    }
}

async fn order(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let story = app.story.lock().unwrap_or_else(PoisonError::into_inner);
    let state = id.parse().ok().and_then(|id| boot::state(&app.tree, &story, &id));
    match state {
        Some(state) => sentence(StatusCode::OK, state.word()),
        None => sentence(StatusCode::NOT_FOUND, "no order of this server"),
    }
}

async fn status(State(app): State<Arc<App>>) -> Response {
    let story = app.story.lock().unwrap_or_else(PoisonError::into_inner);
    axum::Json(story.report(app.tree.orders())).into_response()
}

async fn events(
    State(app): State<Arc<App>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(refused) => {
            let text = format!("an event has at most {MAX_EVENT} bytes ({})", refused.body_text());
            return sentence(refused.status(), &text);
        }
    };
    let stored = tokio::task::spawn_blocking(move || store(&app, client, &body)).await;
    stored.unwrap_or_else(|_| sentence(StatusCode::INTERNAL_SERVER_ERROR, "storing the event failed"))
}

/// Judges, stores and counts an event; runs where it may block.
fn store(app: &App, client: SocketAddr, body: &[u8]) -> Response {
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
    if app.story.lock().unwrap_or_else(PoisonError::into_inner).knows(&event) {
        return sentence(StatusCode::OK, "known already");
    }
    let time = app.clock.now();
    if let Err(error) = journal.append(time, client.ip(), json) {
        return sentence(StatusCode::INSUFFICIENT_STORAGE, &format!("{error:#}"));
    }
    let mut story = app.story.lock().unwrap_or_else(PoisonError::into_inner);
    story.add(&Received { time, client: client.ip(), event });
    sentence(StatusCode::OK, "stored")
}
