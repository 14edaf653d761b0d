//! What is settled once a file has been read, in the one order in which each step finds what it needs:
//!
//! ```text
//! Reading ─end─► Read ─drop_refused─► Standing ─judge_layout─► LaidOut ─recognise─► Recognised ─settle─► Settled ─► proof
//! ```
//!
//! Each stage is made of the one before it and of nothing else, and uses it up: a step that is forgotten, done twice or out of
//! order doesn't compile. A further step is a further stage; don't give an early one to a late step's caller.

use std::collections::HashSet;

use super::Reading;
use crate::host::Os;
use crate::import::ScriptFile;
use crate::import::draft::{Draft, Overwritten};
use crate::import::layout::Part;
use crate::import::line_report::{Id, LineReport};
use crate::import::names::named_after;
use crate::value::HostName;

/// The file is read, and settings have their script.
pub struct Read<'r> {
    reading: Reading<'r>,
    name: HostName,
}

/// Refused lines have left nothing behind.
pub struct Standing<'r>(Read<'r>);

/// What layout there is, is one for empty disks.
pub struct LaidOut<'r>(Read<'r>);

/// The machine and its disk are said, as far as anybody says them.
pub struct Recognised<'r>(Read<'r>);

/// Of everything that isn't in the draft some line says so.
pub struct Settled {
    /// The release whose installer reads the profile.
    pub os: Os,
    /// The host.
    pub name: HostName,
    /// Its profile.
    pub draft: Draft,
    /// What became of each line.
    pub report: LineReport,
    /// Files for the site.
    pub scripts: Vec<ScriptFile>,
    /// What the file lays out on disks, each part with its line.
    pub layout: Vec<(Id, Part)>,
    /// What the operator must know of the disk.
    pub to_do: Vec<String>,
}

/// Why a layout is not taken over; a disk that the operator named stays named.
const KEEPS_DISK: &str = "the original keeps what is on a disk already, so that no layout of it is taken over: ironstrap's usual one, or what you say in `storage:`, overwrites the whole disk that `storage.target` names";

impl<'r> Reading<'r> {
    /// The file's end. Before anything is dropped: the name counts unless its own line was refused, and settings stand in one
    /// script before the file's own, since installers set them before they run scripts.
    pub fn end(mut self) -> Read<'r> {
        let asked = self.request.name.clone();
        let own = self.name.take().filter(|(_, from)| !self.report.is_refused(*from)).map(|(name, _)| name);
        let name = asked.or(own).unwrap_or_else(|| named_after(self.request.file));
        let settings = std::mem::take(&mut self.settings);
        if let Some((first, _)) = settings.first() {
            let path = self.scripts.path("scripts", "settings.sh");
            let mut text = "#!/bin/sh\nset -e\n".to_owned();
            for (id, command) in &settings {
                self.report.file(*id, &path);
                text.push_str(&format!("{command}\n"));
            }
            self.draft.push_front("scripts.post", path.clone(), *first);
            self.scripts.files.push(ScriptFile { path, text });
        }
        Read { reading: self, name }
    }
}

impl<'r> Read<'r> {
    /// A refused line leaves nothing behind, also where it was half read: what is left of the layout comes from lines that stand.
    pub fn drop_refused(mut self) -> Standing<'r> {
        let reading = &mut self.reading;
        let all = (0..reading.report.entries.len()).map(Id);
        let refused: HashSet<_> = all.filter(|id| reading.report.is_refused(*id)).collect();
        reading.draft.remove_all(&refused);
        Standing(self)
    }
}

impl<'r> Standing<'r> {
    /// Takes out a layout that isn't for an empty disk: what is left of it without the lines that keep something would stand for
    /// a disk of which nothing is kept. The operator's disk isn't part of it, and is said after this.
    pub fn judge_layout(mut self) -> LaidOut<'r> {
        let Reading { draft, report, keeps_disk, .. } = &mut self.0.reading;
        if *keeps_disk {
            // what comes from nobody stands outside of the layout too: classes, the installer
            let behind = draft.behind("storage").into_iter();
            let lines: HashSet<_> = behind.filter(|id| *id != Id::NOBODY).collect();
            lines.iter().for_each(|id| report.refuse(*id, KEEPS_DISK));
            draft.remove_all(&lines);
            draft.remove_section("storage");
        }
        LaidOut(self.0)
    }
}

impl<'r> LaidOut<'r> {
    /// Which machine and disk the profile is for: what the operator says, or the interfaces that the file names. What it takes the
    /// place of is told with the rest.
    pub fn recognise(mut self) -> Recognised<'r> {
        let Reading { request, draft, report, macs, target, .. } = &mut self.0.reading;
        let named = &request.machine.macs;
        for mac in named {
            draft.push("match.mac", mac.to_string(), Id::NOBODY);
        }
        if named.is_empty() {
            for (mac, from) in macs.drain(..).filter(|(_, from)| !report.is_refused(*from)) {
                draft.push("match.mac", mac.to_string(), from);
            }
        }
        if let Some(serial) = target.serial() {
            draft.put("storage.target.serial", serial, Id::NOBODY);
        }
        Recognised(self.0)
    }
}

impl Recognised<'_> {
    /// Of what didn't get into the draft, or didn't stay there, its line says so.
    pub fn settle(self) -> Settled {
        let Read { reading, name } = self.0;
        let Reading { request, mut draft, mut report, target, keeps_disk, layout, scripts, .. } = reading;
        for id in draft.take_nameless() {
            // half of what it says would be worse than nothing
            draft.remove(id);
            report.refuse(id, "a name in it holds brackets or line breaks, or is empty: name it otherwise");
        }
        tell_overwritten(&mut draft, &mut report);
        let contradicted = target.contradiction().map(str::to_owned);
        let keeps = keeps_disk.then(|| KEEPS_DISK.to_owned());
        let to_do = contradicted.into_iter().chain(keeps).collect();
        Settled { os: request.os, name, draft, report, scripts: scripts.files, layout, to_do }
    }
}

/// What another line, or the operator, said after it.
fn tell_overwritten(draft: &mut Draft, report: &mut LineReport) {
    let overwritten = draft.take_overwritten();
    if overwritten.is_empty() {
        return;
    }
    let left = draft.keys_by_entry();
    for Overwritten { earlier, later, path } in overwritten {
        if !report.is_taken(earlier) {
            continue;
        }
        let why = match report.entries.get(later.0) {
            Some(entry) if report.is_taken(later) => {
                format!("`{path}`: line {} says it again, and counts", entry.first)
            }
            Some(entry) => format!("`{path}`: line {} says it again", entry.first),
            None => format!("`{path}`: what the command line says counts"),
        };
        match left.contains_key(&earlier) {
            true => report.lose(earlier, why),
            false => report.refuse(earlier, why),
        }
    }
}
