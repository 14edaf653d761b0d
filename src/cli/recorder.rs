//! `ironstrap recorder`: what machines wrote on the stick that they started from.
//!
//! The stick is opened for reading only, and nothing on it is trusted: damage is told with its place, records behind it are
//! looked for, and texts are shown without what steers a terminal.

use std::fmt::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::output;
use crate::failure::{Blame, BlameExt};
use crate::spec::event::{Event, plain};
use crate::spec::recorder::{self, Part};
use crate::sys::block::{BlockDevice, FileDevice};
use crate::sys::gpt;
use crate::sys::linux::disk;

/// Print the flight recorder of a stick: what happened on each machine that started from it, in the order in which it was
/// written. The stick is only read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The stick (`/dev/sdX`, the whole disk), or an image of it.
    #[arg(value_name = "usb.img|/dev/sdX")]
    stick: PathBuf,
}

/// Prints the records, or JSON.
///
/// # Errors
/// Not a stick of ours, or one that can't be read.
pub fn run(args: &Args, json: bool) -> Result<()> {
    let path = &args.stick;
    let device =
        open(path).with_context(|| format!("opening {}", path.display())).blame(Blame::Environment)?;
    let area = area(&device, path)?;
    let parts: Vec<_> = recorder::parts(&area).collect();
    let text = if json { as_json(&parts)? } else { as_text(&parts) };
    Ok(output::print(&text)?)
}

fn open(path: &Path) -> std::io::Result<FileDevice> {
    let kind = std::fs::metadata(path)?;
    if kind.file_type().is_block_device() {
        return disk::open_to_read(path);
    }
    if !kind.is_file() {
        return Err(std::io::Error::other("it is neither a disk nor an image of one"));
    }
    Ok(FileDevice::new(std::fs::File::open(path)?, kind.len(), 512))
}

/// The bytes of the recorder partition.
fn area(device: &dyn BlockDevice, path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let Some(table) = gpt::kernel_table(device) else {
        bail!(
            "{shown} has no intact GPT, so it isn't a stick of ironstrap (of a stick name the whole disk, `/dev/sdX`, not a partition)"
        );
    };
    let Some(entry) = table.entries.into_values().find(|entry| entry.kind == recorder::PARTITION_TYPE) else {
        bail!("{shown} has no recorder partition, so it isn't a stick of ironstrap");
    };
    let (start, length) = (entry.offset(), entry.length().min(recorder::SIZE));
    if start.checked_add(length).is_none_or(|end| end > device.size()) {
        bail!("{shown} ends before its recorder does (byte {start}): the copy isn't whole");
    }
    let mut area = vec![0; length as usize];
    device
        .read_at(start, &mut area)
        .with_context(|| format!("{shown}: reading the recorder at byte {start}"))
        .blame(Blame::Environment)?;
    Ok(area)
}

/// Longest text of one event that is shown.
const LONGEST: usize = 2000;

fn as_text(parts: &[Part<'_>]) -> String {
    let mut text = String::new();
    let mut last = None;
    for part in parts {
        match part {
            Part::Record { at, json } => match serde_json::from_slice::<Event>(json) {
                Ok(event) => {
                    if last.as_ref() != Some(&event.run) {
                        _ = writeln!(text, "run {}", plain(&event.run, 64));
                        last = Some(event.run.clone());
                    }
                    let host = event.host.as_ref().map_or("-", |host| host.as_str());
                    _ = writeln!(
                        text,
                        "  {}  {host}  {}",
                        event.time,
                        plain(&event.what.in_record(), LONGEST)
                    );
                }
                Err(_) => _ = writeln!(text, "  (byte {at} holds a record of another version)"),
            },
            Part::Damaged { at, length } => {
                _ = writeln!(
                    text,
                    "  ({length} bytes at byte {at} are damaged or were cut off while they were written)"
                );
            }
        }
    }
    if text.is_empty() {
        "the recorder is empty: no machine has started from this stick\n".to_owned()
    } else {
        text
    }
}

fn as_json(parts: &[Part<'_>]) -> Result<String> {
    let all: Vec<Value> = parts
        .iter()
        .map(|part| match part {
            Part::Record { at, json } => match serde_json::from_slice::<Value>(json) {
                Ok(event) => json!({ "byte": at, "event": event }),
                Err(_) => json!({ "byte": at, "unreadable": true }),
            },
            Part::Damaged { at, length } => json!({ "byte": at, "damaged": length }),
        })
        .collect();
    output::json(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Vec<u8> {
        let json = json!({ "version": 1, "run": "r1", "seq": 0, "time": "2026-01-02T03:04:05Z", "host": "web01",
            "order": null, "what": { "event": "refused", "code": "IS-203", "message": message } });
        recorder::encode(json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn damage_is_told_and_what_is_behind_it_shown_without_what_steers_a_terminal() {
        let mut area = refused("one");
        area.extend(refused("torn"));
        area.extend(refused("three\u{1b}[2J"));
        area.extend([0; 1024]);
        area[512 + 20] ^= 1;
        let text = as_text(&recorder::parts(&area).collect::<Vec<_>>());
        assert!(text.contains("web01  refused IS-203: one\n"), "{text}");
        assert!(text.contains("(512 bytes at byte 512 are damaged"), "{text}");
        assert!(text.contains("three?[2J\n") && !text.contains("torn"), "{text}");
        let json: Value =
            serde_json::from_str(&as_json(&recorder::parts(&area).collect::<Vec<_>>()).unwrap()).unwrap();
        assert_eq!((json[1]["damaged"].as_u64(), json.as_array().unwrap().len()), (Some(512), 3));
        assert!(as_text(&[]).contains("empty"));
    }

    #[test]
    fn what_is_no_stick_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let args = |path: &Path| Args { stick: path.to_owned() };
        file.as_file().set_len(1 << 20).unwrap();
        let error = run(&args(file.path()), false).unwrap_err().to_string();
        assert!(error.contains("isn't a stick of ironstrap"), "{error}");
        assert!(run(&args(Path::new("/")), false).is_err());
        assert!(run(&args(Path::new("/nonexistent")), false).is_err());
    }
}
