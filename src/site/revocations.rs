//! The site's list of revoked orders, written: whoever revokes adds to it, and nobody takes anything out while it matters.

use std::path::Path;

use anyhow::{Context, Result};

use super::paths::SitePaths;
use crate::spec::revocation::{Revocations, Revoked};
use crate::sys::files;

/// Longest list that is read: some hundred thousand orders.
const LONGEST: u64 = 64 << 20;
/// Seconds after an order's end for which it stays in the list: machines with dead clocks may take it for valid for longer.
const KEPT: u64 = 2 * 365 * 24 * 3600;

/// The list as it is.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(paths: &SitePaths) -> Result<Revocations> {
    read_file(&paths.revoked())
}

/// The list in a file; an empty one where there is none.
///
/// # Errors
/// When it is there and can't be read.
pub fn read_file(path: &Path) -> Result<Revocations> {
    let Some(text) = files::read_text_if_there(path, LONGEST)? else { return Ok(Revocations::default()) };
    let list: Revocations =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    Ok(list.sorted())
}

/// Adds orders. When it returns, a running `serve` answers that they are revoked. Others that do the same at the same time wait.
///
/// # Errors
/// When the list can't be read or written; it is then as it was.
pub fn add(paths: &SitePaths, orders: Vec<Revoked>) -> Result<()> {
    let Some(now) = orders.iter().map(|order| order.time).max() else { return Ok(()) };
    let path = paths.revoked();
    let _held = files::hold(&path.with_extension("lock"))?;
    let mut list = read(paths)?;
    orders.into_iter().for_each(|order| list.add(order));
    list.orders.retain(|order| order.until.plus_seconds(KEPT) >= now);
    let text = serde_json::to_string_pretty(&list).context("writing the revoked orders")? + "\n";
    files::write_whole(&path, 0o600, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::revocation::Reason;
    use crate::value::{OrderId, Timestamp};

    #[test]
    fn two_who_revoke_at_the_same_time_lose_nothing_and_old_orders_go() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let revoked = |seed: u8, until: u64| Revoked {
            order: OrderId::from_random([seed; 16]),
            host: "web01".parse().unwrap(),
            time: Timestamp::from_unix(1_000_000_000),
            until: Timestamp::from_unix(1_000_000_000).plus_seconds(until),
            reason: Reason::Disarmed,
        };
        assert_eq!(read(&paths).unwrap(), Revocations::default());
        std::thread::scope(|scope| {
            for seed in 0..16 {
                let paths = &paths;
                scope.spawn(move || add(paths, vec![revoked(seed, 60)]).unwrap());
            }
        });
        assert_eq!(read(&paths).unwrap().orders.len(), 16);
        let late = Revoked {
            time: Timestamp::from_unix(1_000_000_000).plus_seconds(61 + KEPT),
            ..revoked(99, 2 * KEPT)
        };
        add(&paths, vec![late]).unwrap();
        assert_eq!(read(&paths).unwrap().orders.len(), 1);
        std::fs::write(paths.revoked(), "{").unwrap();
        assert!(add(&paths, vec![revoked(1, 1)]).is_err(), "a damaged list isn't taken for an empty one");
    }
}
