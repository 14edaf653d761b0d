//! `image-old`: how old the image's package lists and its last package are.
//!
//! From what is written in it: `Date:` of APT's lists, the last line of dpkg's log, `BUILD_ID` of os-release where that is a day. An
//! image that has none of it doesn't say how old it is.

use anyhow::Result;

use super::rules::OLD;
use super::{Finding, Subject};

const DAY: i64 = 24 * 60 * 60;
/// Half a year: by then most of a release's packages have had security updates.
const OLDEST: i64 = 180 * DAY;

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut newest: Option<(i64, String)> = None;
    let mut seen = |time: Option<i64>, path: String| {
        if let Some(time) = time.filter(|time| newest.as_ref().is_none_or(|(known, _)| time > known)) {
            newest = Some((time, path));
        }
    };
    for (path, text) in subject.texts("/var/lib/apt/lists", "Release")? {
        let date = text.lines().find_map(|line| line.strip_prefix("Date: "));
        seen(
            date.and_then(|date| jiff::fmt::rfc2822::parse(date.trim()).ok())
                .map(|time| time.timestamp().as_second()),
            path,
        );
    }
    for path in ["/var/log/dpkg.log", "/usr/lib/os-release"] {
        let text = subject.text(path)?.unwrap_or_default();
        let day = text.lines().rev().find_map(|line| match line.strip_prefix("BUILD_ID=") {
            Some(id) => day(id.trim_matches('"')),
            None => line.get(..10).and_then(day),
        });
        seen(day, path.to_owned());
    }
    let Some((time, path)) = newest else { return Ok(Vec::new()) };
    let age = subject.now.as_unix() - time;
    if age <= OLDEST {
        return Ok(Vec::new());
    }
    let message = format!("the newest of what it has is {} days old", age / DAY);
    Ok(vec![Finding::new(&OLD, message).at(path)])
}

/// A day as ISO 8601 has it, with dashes or without, in seconds.
fn day(text: &str) -> Option<i64> {
    let is_day = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let text = text.get(..10).filter(is_day).or_else(|| text.get(..8).filter(is_day))?;
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}
