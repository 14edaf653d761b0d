//! `/v1/status`: what is told of the hosts, bounded by those that the tree expects.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;

use super::answer::{Body, Response, sentence};
use super::http::App;
use super::published::published;
use super::report::Report;
use super::tree::Tree;
use crate::value::HostName;

/// Most hosts that are told of though the tree has no order for them (any more); the latest are kept.
const MAX_OTHERS: usize = 1000;

/// The page for everybody.
pub async fn answer(app: &Arc<App>) -> Response {
    app.look_at_lists();
    let maker = Arc::clone(app);
    let body = app.page.body(move || body(&maker)).await;
    if body.is_empty() {
        return sentence(StatusCode::INTERNAL_SERVER_ERROR, "the status can't be written as JSON");
    }
    let (status, kind) = (StatusCode::OK, "application/json");
    Response { status, kind, fields: String::new(), body: Body::Shared(body), close: false }
}

fn body(app: &App) -> Vec<u8> {
    let tree = app.site.now();
    let report = app.fleet().report(tree.orders());
    serde_json::to_vec(&published(bounded(report, &tree), &tree, &app.revoked)).unwrap_or_default()
}

fn bounded(mut report: Report, tree: &Tree) -> Report {
    let expected: HashSet<&HostName> = tree.orders().map(|(host, _)| host).collect();
    let mut others: Vec<_> =
        report.hosts.iter().filter(|host| !expected.contains(&host.host)).map(|host| host.heard).collect();
    if others.len() > MAX_OTHERS {
        others.sort_unstable();
        let from = others[others.len() - MAX_OTHERS];
        let mut left = MAX_OTHERS;
        report.hosts.retain(|host| {
            if expected.contains(&host.host) {
                return true;
            }
            let stays = host.heard >= from && left > 0;
            left -= usize::from(stays);
            stays
        });
    }
    report
}
