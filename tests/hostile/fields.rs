//! The tests: every text, every renderer.

use std::collections::{BTreeMap, BTreeSet};

use ironstrap::answers::Templates;
use ironstrap::host::{Host, Site};
use ironstrap::profile::schema::Document;
use serde_json::Value;

use super::choice::Choice;
use super::model::{Profile, in_parallel, profiles, texts_of};
use super::readers::{Known, agree};
use super::reference;
use super::render::{Target, Texts, render};
use super::shell::Evidence;
use super::strings;

/// Texts of the model that no hostile string can be: each string is refused, or is printed anew from a number or an address.
const NEVER_HOSTILE: &[(&str, &str)] = &[
    ("boot.password", "two hexadecimal numbers and a count"),
    ("match.mac[]", "six hexadecimal numbers"),
    ("match.uuid", "a UUID, printed anew"),
    ("network.interfaces[].match.mac", "six hexadecimal numbers"),
    ("network.dns[]", "an address, printed anew"),
];

/// Addresses and sizes stand in these; whatever a type makes of them is printed anew.
const NUMBERS: &[&str] =
    &[".address", ".gateway", ".more[]", ".mtu", ".to", ".via", ".tag", "_size", ".min", ".max", ".size"];

/// Texts that no output of this test holds.
const NOWHERE: &[(&str, &str)] = &[
    ("match.vendor", "stands in the signed order, which is JSON by serde; no loader compares it"),
    ("classes[]", "names of files; nothing is written of them"),
    ("site.waive[].host", "only compared with names of hosts"),
    ("site.waive[].reason", "told by `check`, written nowhere"),
    (
        "storage.btrfs[].subvolumes[].options[]",
        "of the type that mounts' options have; formats with btrfs refuse them",
    ),
    ("storage.disks[].select.model", "refused by each format"),
    ("site.debian_installer.debian-12.kernel", "a path that is read here; nothing is written of it"),
    ("site.debian_installer.debian-12.initrd", "a path that is read here; nothing is written of it"),
    ("site.debian_installer.debian-12.udebs", "a path that is read here; nothing is written of it"),
    ("site.debian_installer.debian-13.kernel", "a path that is read here; nothing is written of it"),
    ("site.debian_installer.debian-13.initrd", "a path that is read here; nothing is written of it"),
    ("site.debian_installer.debian-13.udebs", "a path that is read here; nothing is written of it"),
    ("site.exports", "of the type that mirrors have, and written by the same line; golden cases hold it"),
    ("site.order_validity", "a time; nothing is written of it"),
    ("policy.max_age", "a time; nothing is written of it"),
];

/// Of so many hosts one is shown to readers that nobody here wrote.
const SAMPLE: usize = 40;

/// What became of the strings of one place.
#[derive(Debug, Default, Clone)]
struct Count {
    /// Refused by the type or by `resolve`.
    refused: usize,
    /// Refused by a renderer.
    unfit: usize,
    /// Came back as they were.
    through: usize,
}

#[derive(Debug, Default)]
struct Outcome {
    counts: BTreeMap<String, Count>,
    evidence: Evidence,
    known: Known,
    texts: Texts,
    failures: Vec<String>,
}

impl Outcome {
    fn count(&mut self, path: &str) -> &mut Count {
        self.counts.entry(path.to_owned()).or_default()
    }

    /// How much others shall judge so far.
    fn sizes(&self) -> [usize; 5] {
        let (Evidence { literals, lines }, Texts { answers, grub, dnsmasq }) = (&self.evidence, &self.texts);
        [literals.len(), lines.len(), answers.len(), grub.len(), dnsmasq.len()]
    }

    /// Forgets what came after that.
    fn cut(&mut self, [literals, lines, answers, grub, dnsmasq]: [usize; 5]) {
        self.evidence.literals.truncate(literals);
        self.evidence.lines.truncate(lines);
        self.texts.answers.truncate(answers);
        self.texts.grub.truncate(grub);
        self.texts.dnsmasq.truncate(dnsmasq);
    }

    fn join(&mut self, other: Self) {
        for (path, count) in other.counts {
            let sum = self.count(&path);
            sum.refused += count.refused;
            sum.unfit += count.unfit;
            sum.through += count.through;
        }
        self.evidence.literals.extend(other.evidence.literals);
        self.evidence.lines.extend(other.evidence.lines);
        self.texts.answers.extend(other.texts.answers);
        self.texts.grub.extend(other.texts.grub);
        self.texts.dnsmasq.extend(other.texts.dnsmasq);
        self.failures.extend(other.failures);
    }
}

/// A profile with what the tame host gives for each of its targets.
struct Case<'p> {
    profile: &'p Profile,
    targets: Vec<(Target, Value)>,
    templates: Templates,
}

impl<'p> Case<'p> {
    fn new(profile: &'p Profile) -> Self {
        let templates = Templates::new(|_| Ok(None)).unwrap();
        let (host, site, refused) = profile.tame().resolve();
        assert!(refused.is_empty(), "{}", profile.name);
        let targets = profile.releases.iter().map(|name| {
            let target = Target::of(name);
            let tree =
                render(target, &templates, &site, &host, &mut Evidence::default(), &mut Texts::default());
            (target, tree.unwrap().unwrap_or_else(|error| panic!("{} for {name}: {error}", profile.name)))
        });
        Self { targets: targets.collect(), profile, templates }
    }

    /// Host `number`, on the targets by turns.
    fn run(&self, number: usize, outcome: &mut Outcome) {
        let mut choice = self.profile.choice(number);
        let (target, tame) = &self.targets[number % self.targets.len()];
        let (host, site, refused) = choice.resolve();
        for token in refused {
            outcome.count(&self.profile.tokens[token].path).refused += 1;
        }
        let mut now = (host, site);
        while let Err(unfit) = self.judge(*target, tame, &choice, &now, outcome) {
            for token in unfit {
                outcome.count(&self.profile.tokens[token].path).unfit += 1;
                choice.strings[token] = None;
            }
            let (host, site, _) = choice.resolve();
            now = (host, site);
        }
        for (token, _) in choice.hostile() {
            outcome.count(&self.profile.tokens[token].path).through += 1;
        }
    }

    /// Renders, reads and compares. What a renderer refuses comes back: the tokens that it was about.
    fn judge(
        &self,
        target: Target,
        tame: &Value,
        choice: &Choice<'_>,
        (host, site): &(Host, Site),
        outcome: &mut Outcome,
    ) -> Result<(), Vec<usize>> {
        let Outcome { evidence, known, texts, failures, .. } = outcome;
        let replaced = choice.replaced();
        let verdict = match render(target, &self.templates, site, host, evidence, texts) {
            Ok(Ok(got)) => agree(tame, &got, &replaced, known, evidence),
            Ok(Err(refusal)) => {
                assert!(
                    !refusal.chars().any(|c| c.is_control() && c != '\n'),
                    "{refusal:?} would reach a terminal"
                );
                return Err(self.whose(&refusal, target, choice));
            }
            Err(unreadable) => Err(unreadable),
        };
        if let Err(why) = verdict {
            let hostile = choice.hostile();
            let hostile: Vec<_> = hostile
                .iter()
                .map(|(token, text)| format!("{}: {text:?}", self.profile.tokens[*token].path))
                .collect();
            failures.push(format!(
                "{} for {target:?}: {why}\n    with {}",
                self.profile.name,
                hostile.join("\n         ")
            ));
        }
        Ok(())
    }

    /// The hostile tokens that a refusal is about: those whose key it names, else those that are refused alone.
    fn whose(&self, refusal: &str, target: Target, choice: &Choice<'_>) -> Vec<usize> {
        let keys: Vec<_> =
            refusal.lines().filter_map(|line| line.split(": ").nth(1)).map(without_names).collect();
        let named = |path: &str| {
            keys.iter().any(|key| !key.is_empty() && path.replace("[]", "").starts_with(key.as_str()))
        };
        let hostile: Vec<_> = choice.hostile().into_iter().map(|(token, _)| token).collect();
        let found: Vec<_> =
            hostile.iter().copied().filter(|token| named(&self.profile.tokens[*token].path)).collect();
        if !found.is_empty() {
            return found;
        }
        let alone = |token: &usize| {
            let mut alone = self.profile.tame();
            alone.strings[*token] = choice.strings[*token];
            let (host, site, _) = alone.resolve();
            let result = render(
                target,
                &self.templates,
                &site,
                &host,
                &mut Evidence::default(),
                &mut Texts::default(),
            );
            matches!(result, Ok(Err(_)))
        };
        let found: Vec<_> = hostile.into_iter().filter(alone).collect();
        assert!(!found.is_empty(), "{}: nobody's fault: {refusal}", self.profile.name);
        found
    }
}

/// `a[b].c` as `a.c`.
fn without_names(key: &str) -> String {
    let mut depth = 0;
    let outside = |c: &char| {
        depth += i32::from(*c == '[');
        let is_outside = depth == 0;
        depth -= i32::from(*c == ']');
        is_outside
    };
    key.chars().filter(outside).collect()
}

/// Puts every string into every text of the profiles whose names begin so.
fn run(family: &str) -> Outcome {
    let mut whole = Outcome::default();
    for profile in &profiles(family) {
        let started = std::time::Instant::now();
        let case = Case::new(profile);
        for token in &profile.tokens {
            whole.count(&token.path).refused += token.refused;
        }
        let run = |number: usize, outcome: &mut Outcome| {
            let before = outcome.sizes();
            case.run(number, outcome);
            if !number.is_multiple_of(SAMPLE) {
                outcome.cut(before);
            }
        };
        for outcome in in_parallel(profile.hosts(), run) {
            whole.join(outcome);
        }
        eprintln!("{}: {} hosts in {:?}", profile.name, profile.hosts(), started.elapsed());
    }
    eprintln!("{:#?}", whole.counts);
    let shown: Vec<_> = whole.failures.iter().take(5).cloned().collect();
    assert!(shown.is_empty(), "{} failures:\n{}", whole.failures.len(), shown.join("\n"));
    whole
}

/// A place that lets nothing through is not tested, unless it is listed. That takes all strings.
fn something_went_through(outcome: &Outcome) {
    if strings::step() > 1 {
        return;
    }
    let mut wrong = Vec::new();
    for (path, Count { through, .. }) in &outcome.counts {
        let never = NEVER_HOSTILE.iter().any(|(known, _)| known == path);
        if *through == 0 && !never {
            wrong.push(format!("{path}: every string was refused; list it with its reason"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Anaconda.
pub fn in_kickstart() {
    let outcome = run("kickstart");
    something_went_through(&outcome);
    reference::shell(&outcome.evidence);
    reference::shlex(&outcome.evidence);
    reference::pykickstart(&outcome.texts.answers);
}

/// debian-installer.
pub fn in_preseed() {
    let outcome = run("preseed");
    something_went_through(&outcome);
    reference::shell(&outcome.evidence);
    reference::debconf(&outcome.texts.answers);
}

/// subiquity.
pub fn in_autoinstall() {
    let outcome = run("autoinstall");
    something_went_through(&outcome);
    reference::shell(&outcome.evidence);
    reference::yaml(&outcome.texts.answers);
}

/// GRUB, the kernel, and what the agent writes.
pub fn for_loaders_and_in_the_hand_off() {
    let outcome = run("native");
    something_went_through(&outcome);
    reference::shell(&outcome.evidence);
    reference::grub(&outcome.texts.grub);
}

/// A new text in the model has to be put into a profile here, or to be listed.
pub fn whole_model() {
    let profiles: Vec<_> =
        ["kickstart", "preseed", "autoinstall", "native"].into_iter().flat_map(profiles).collect();
    let tested: BTreeSet<_> = profiles.iter().flat_map(Profile::places).map(|(path, _)| path).collect();
    let hosts = texts_of(Document::Host).into_iter();
    let site = texts_of(Document::Site).into_iter().map(|(path, kind)| (format!("site.{path}"), kind));
    let listed = |path: &str| {
        NEVER_HOSTILE.iter().chain(NOWHERE).any(|(known, _)| *known == path)
            || NUMBERS.iter().any(|end| path.ends_with(end))
    };
    let untested: Vec<_> = hosts
        .chain(site)
        .map(|(path, _)| path)
        .filter(|path| !tested.contains(path) && !listed(path))
        .collect();
    assert!(untested.is_empty(), "no profile here has a text in these places: {untested:#?}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_is_data_in_kickstart() {
        super::in_kickstart();
    }

    #[test]
    fn a_text_is_data_in_preseed() {
        super::in_preseed();
    }

    #[test]
    fn a_text_is_data_in_autoinstall() {
        super::in_autoinstall();
    }

    #[test]
    fn a_text_is_data_for_loaders_and_in_the_hand_off() {
        super::for_loaders_and_in_the_hand_off();
    }

    #[test]
    fn every_text_of_the_model_is_tested() {
        super::whole_model();
    }
}
