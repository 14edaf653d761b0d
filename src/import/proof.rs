//! The proof that an import means what its report says: the drafted profile is resolved and rendered like any other.
//!
//! Whatever a rule of the model or an installer's table refuses is taken out again, with that rule's own words, until the rest
//! stands. Then a line counts as kept if each of its canonical forms is found in what was rendered.

use std::collections::{BTreeMap, HashSet};

use super::draft::Draft;
use super::layout::Found;
use super::line_report::{EntryState, Id};
use super::reader::{Reader, RenderedLines};
use super::reading::Settled;
use super::{layout, reader, secret};
use crate::answers::table::{self, Target};
use crate::answers::{self, Answers, CommandLine, Dialect, RenderError, Seed, Templates};
use crate::handoff::{self, SeedError};
use crate::host::{self, Host, Refusal};
use crate::profile::load;
use crate::spec::lock::LockFile;

/// How often a draft is mended line by line; what still doesn't stand then goes by whole sections.
const ROUNDS: usize = 12;
const STAND_IN_MAC: &str = "02:00:00:00:00:01";
const STAND_IN_DISK: &str = "STAND-IN";

/// A profile of which each line says what is true of it.
pub struct Proven(Settled);

impl Proven {
    /// What was proven, to be written down.
    pub fn into_settled(self) -> Settled {
        self.0
    }
}

/// Takes out of the draft what doesn't stand, and says of each entry whether it comes out again; what is left to do, too.
pub fn prove(mut settled: Settled) -> Proven {
    let dialect = Dialect::of(settled.os);
    let unproven = stand(&mut settled, reader::of(&dialect));
    settled.to_do.extend(unproven);
    Proven(settled)
}

/// Why nothing could be rendered, if so, and what a script of ironstrap does.
fn stand(settled: &mut Settled, reader: &dyn Reader) -> Vec<String> {
    settled.draft.put("name", settled.name.to_string(), Id::NOBODY);
    settled.draft.put(ALLOW, true, Id::NOBODY);
    let mut why = Vec::new();
    for round in 0.. {
        match attempt(settled) {
            Ok((answers, scripted)) => {
                let found = laid_out(settled, reader, &answers);
                if deny(settled, &found) && round <= 2 * ROUNDS {
                    continue;
                }
                settle(settled, reader, &answers, &found);
                return by_script(settled, scripted);
            }
            Err(complaints) => {
                let before = settled.draft.keys();
                take_out(settled, &complaints, round >= ROUNDS);
                why = complaints.into_iter().map(|complaint| complaint.message).collect();
                // what is left can't be mended by leaving something out
                if settled.draft.keys() == before || round > 2 * ROUNDS {
                    settled.report.give_up();
                    break;
                }
            }
        }
    }
    why.insert(0, "the profile doesn't stand yet, so that nothing could be compared:".to_owned());
    why
}

/// Something that doesn't stand.
struct Complaint {
    /// Whose fault it is, as far as that can be told.
    of: Vec<Id>,
    message: String,
}

/// The rendered host, and what of it a script of ironstrap does.
fn attempt(settled: &Settled) -> Result<(Answers, Vec<String>), Vec<Complaint>> {
    let draft = with_stand_ins(&settled.draft);
    let host = resolve(settled, &draft)?;
    let site = host::Site {
        name: "none".to_owned(),
        server: None,
        exports: None,
        debian_installer: Default::default(),
        order_validity: 3600,
    };
    let complain = |refused| complaints(refused, &draft);
    let (files, units) = handoff::seed(&host, &site).map_err(Refused::from).map_err(complain)?;
    let templates = Templates::new(|_| Ok(None)).map_err(Refused::whole).map_err(complain)?;
    let seed = Seed { files, units };
    let answers = answers::render(settled.os, &site, &host, &LockFile::default(), &seed, &templates);
    let answers = answers.map_err(Refused::from).map_err(complain)?;
    let scripted = table::judge(&host, Target::Os(settled.os)).scripted;
    Ok((answers, scripted.into_iter().map(|(key, how)| format!("{key}: {how}")).collect()))
}

/// Why a host that resolves isn't rendered.
enum Refused {
    /// Keys, each with its reason.
    Keys(Refusal),
    /// The command line of the installer's kernel.
    CommandLine(CommandLine),
    /// Something that is no key's fault, in lines.
    Whole(String),
}

impl Refused {
    fn whole(error: anyhow::Error) -> Self {
        Self::Whole(format!("{error:#}"))
    }
}

impl From<SeedError> for Refused {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::Unsupported(refusal) => Self::Keys(refusal),
            SeedError::Failed(error) => Self::whole(error),
        }
    }
}

impl From<RenderError> for Refused {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Unsupported(refusal) => Self::Keys(refusal),
            RenderError::CommandLine(wrong) => Self::CommandLine(wrong),
            RenderError::Unreadable(wrong) => Self::Whole(wrong.sentence()),
            RenderError::Failed(error) => Self::whole(error),
        }
    }
}

fn complaints(refused: Refused, draft: &Draft) -> Vec<Complaint> {
    match refused {
        Refused::Keys(refusal) => refusal
            .found()
            .iter()
            .map(|found| Complaint { of: draft.behind(&found.key), message: refusal.sentence(found) })
            .collect(),
        Refused::CommandLine(wrong) => {
            vec![Complaint { of: draft.behind(CommandLine::KEY), message: wrong.sentence() }]
        }
        Refused::Whole(text) => {
            text.lines().map(|line| Complaint { of: Vec::new(), message: line.to_owned() }).collect()
        }
    }
}

/// The policy stands where it is needed, and the operator hears of it.
fn by_script(settled: &mut Settled, scripted: Vec<String>) -> Vec<String> {
    if scripted.is_empty() {
        settled.draft.remove_section("policy");
        return Vec::new();
    }
    let mut open = vec![format!(
        "`{ALLOW}` is set, for the installer can't say all of it itself; by a script of ironstrap:"
    )];
    open.extend(scripted);
    open
}

/// The key that lets scripts do what an installer can't say.
const ALLOW: &str = "policy.allow_scripted";

/// What no answer file says: which machine, and which disk.
fn with_stand_ins(draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    if !draft.has("match") {
        draft.push("match.mac", STAND_IN_MAC, Id::NOBODY);
    }
    if !draft.has("storage.target") {
        draft.put("storage.target.serial", STAND_IN_DISK, Id::NOBODY);
    }
    draft
}

fn resolve(settled: &Settled, draft: &Draft) -> Result<Host, Vec<Complaint>> {
    let (yaml, lines) = draft.yaml();
    let texts = settled.scripts.iter().map(|script| (script.path.as_str(), script.text.as_str()));
    let tree = load::of_host(settled.name.as_str(), &yaml, texts);
    let mut resolved = host::resolve(&tree);
    if let (true, Some(host)) = (resolved.diagnostics.is_empty(), resolved.hosts.pop()) {
        return Ok(host);
    }
    let complain = |diagnostic: &crate::profile::diag::Diagnostic| {
        let (line, _) = tree.sources.position(diagnostic.span);
        let path = &tree.sources.get(diagnostic.span.source).path;
        let of: Vec<_> = if path.starts_with("hosts/") && diagnostic.span.end > 0 {
            // a section's own line comes from nobody: what stands in it does
            let own = lines.iter().skip(line - 1).find(|id| **id != Id::NOBODY);
            own.copied().into_iter().collect()
        } else {
            let entries = (0..).zip(&settled.report.entries);
            let all = entries.filter(|(_, entry)| entry.file.as_ref() == Some(path));
            all.map(|(number, _)| Id(number)).collect()
        };
        let help = diagnostic.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        Complaint { of, message: format!("{}{help}", diagnostic.message) }
    };
    Err(resolved.diagnostics.iter().map(complain).collect())
}

fn take_out(settled: &mut Settled, complaints: &[Complaint], whole_sections: bool) {
    let mut gone = HashSet::new();
    let keys = if whole_sections { settled.draft.keys_by_entry() } else { BTreeMap::new() };
    for Complaint { of, message } in complaints {
        for id in of.iter().filter(|id| **id != Id::NOBODY) {
            let sections = keys.get(id).into_iter().flatten().filter_map(|key| key.split(['.', '[']).next());
            let with = sections.flat_map(|section| settled.draft.behind(section)).chain([*id]);
            for id in with.collect::<Vec<_>>() {
                settled.report.refuse(id, message.clone());
                gone.insert(id);
            }
        }
    }
    settled.draft.remove_all(&gone);
}

/// What was rendered for each line of the file's layout.
fn laid_out(settled: &Settled, reader: &dyn Reader, answers: &Answers) -> Found {
    let rendered = reader.laid_out(answers);
    let Some(rendered) = rendered else { return Found::new() };
    let standing = settled.layout.iter().filter(|(id, _)| !settled.report.is_refused(*id)).cloned();
    layout::compare(&standing.collect::<Vec<_>>(), &rendered)
}

/// Takes out what was rendered as something else, or not at all; says whether there was anything.
fn deny(settled: &mut Settled, found: &Found) -> bool {
    let gone: HashSet<_> = found.iter().filter(|(_, found)| found.is_err()).map(|(id, _)| *id).collect();
    for (id, why) in found.iter().filter_map(|(id, found)| Some((*id, found.as_ref().err()?))) {
        settled.report.refuse(id, why.clone());
    }
    settled.draft.remove_all(&gone);
    !gone.is_empty()
}

/// Compares what lines say with what was rendered.
fn settle(settled: &mut Settled, reader: &dyn Reader, answers: &Answers, found: &Found) {
    let rendered = reader.rendered_lines(answers);
    for number in 0..settled.report.entries.len() {
        let entry = &settled.report.entries[number];
        if entry.state == EntryState::Keyless {
            keyless(settled, reader, Id(number), &rendered);
            continue;
        }
        if entry.several && matches!(entry.state, EntryState::Taken | EntryState::Partly) {
            lose_parts(settled, reader, Id(number), &rendered);
            continue;
        }
        if entry.state != EntryState::Taken || !entry.notes.is_empty() {
            continue;
        }
        let missing: Vec<_> =
            entry.claims.iter().filter(|claim| !rendered.contains_key(*claim)).cloned().collect();
        let claimed = !entry.claims.is_empty();
        if claimed && missing.is_empty() {
            continue;
        }
        let same = found.get(&Id(number)).and_then(|found| found.as_ref().ok());
        let other =
            || missing.iter().find_map(|claim| similar(reader, claim, &rendered)).map(ToOwned::to_owned);
        let other = same.cloned().filter(|line| !line.is_empty()).or_else(other);
        let note = match &other {
            Some(line) => format!("written as `{}`", secret::shown(line)),
            None => "said in another way".to_owned(),
        };
        let whole = same.is_some()
            || missing.iter().all(|claim| other.as_ref().is_none_or(|line| reader.agrees(claim, line)));
        match whole {
            true => settled.report.note(Id(number), note),
            // another value of the same key isn't the same in other words
            false => settled.report.lose(Id(number), note),
        }
    }
}

/// Of a line that says several things each must come out again, since nobody knows which of them was taken over.
fn lose_parts(settled: &mut Settled, reader: &dyn Reader, id: Id, rendered: &RenderedLines) {
    let Some(entry) = settled.report.entries.get(id.0) else { return };
    let missing = entry.claims.iter().filter(|claim| !rendered.contains_key(*claim));
    let (empty, lost): (Vec<_>, Vec<_>) = missing.partition(|claim| reader.says_nothing(claim));
    let keys =
        lost.iter().map(|claim| claim.split(' ').next().unwrap_or_default().escape_debug().to_string());
    let (keys, empty) = (keys.collect::<Vec<_>>(), !empty.is_empty());
    for key in keys {
        settled.report.lose(id, format!("{key}: it doesn't come out again as it stands"));
    }
    if empty {
        settled.report.note(id, "an empty text is left out");
    }
}

/// What has no key in a profile is kept if it is said anyway.
fn keyless(settled: &mut Settled, reader: &dyn Reader, id: Id, rendered: &RenderedLines) {
    let Some(entry) = settled.report.entries.get_mut(id.0) else { return };
    let missing = entry.claims.iter().find(|claim| !rendered.contains_key(*claim));
    match missing.map(|claim| similar(reader, claim, rendered)) {
        None => entry.state = EntryState::Taken,
        Some(_) if entry.moot.is_some() => {
            entry.state = EntryState::Taken;
            entry.notes.extend(entry.moot.map(str::to_owned));
        }
        Some(Some(line)) => {
            let line = secret::shown(line);
            settled.report.refuse(id, format!("no key of a profile says it; ironstrap writes `{line}`"));
        }
        Some(None) => settled.report.refuse(id, NO_KEY),
    }
}

/// Said of what nobody here knows a place for.
const NO_KEY: &str =
    "a profile has no key for it: say it in a template of the site's own, or do it in a script";

/// The rendered line that is most like a claim: the same command, with the most words in common.
fn similar<'s>(reader: &dyn Reader, claim: &str, rendered: &'s RenderedLines) -> Option<&'s str> {
    let words: HashSet<_> = claim.split(' ').collect();
    let name = claim.split(' ').next()?;
    let alike = |known: &str| known.split(' ').filter(|word| words.contains(word)).count();
    // commands of one name stand together, since the map is sorted
    let same = rendered.range(name.to_owned()..).take_while(|(known, _)| known.starts_with(name));
    let same = same.filter(|(known, _)| known.split(' ').next() == Some(name));
    let same = same.filter(|(known, _)| reader.subject(known) == reader.subject(claim));
    same.max_by_key(|(known, _)| alike(known)).map(|(_, line)| line.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Os;

    #[test]
    fn a_line_about_another_thing_is_not_alike() {
        let dialect = Dialect::of(Os::El9);
        let said = |line: &str| (line.to_owned(), line.to_owned());
        let rendered =
            RenderedLines::from([said("part / --size=5"), said("part swap --size=9"), said("user --name=a")]);
        let similar = |claim| similar(reader::of(&dialect), claim, &rendered);
        assert_eq!(similar("part /var --size=5"), None);
        assert_eq!(similar("part / --size=7"), Some("part / --size=5"));
        assert_eq!(similar("user --name=b"), None);
    }
}
