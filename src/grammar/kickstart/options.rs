//! Options that need or exclude each other, as pykickstart's commands check them, and values that they refuse.

mod storage;

use super::rules;
use super::{Arguments, Problem, Read, Reading, Release};
use crate::grammar::Finding;
use crate::value::rule::Rule;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    for read in reading.working() {
        if read.arguments.problems.is_empty() {
            let wrong = of_command(reading.release, read);
            found.extend(wrong.into_iter().map(|Problem { rule, what }| {
                Finding::error(rule, read.line, format!("{}: {what}", read.name))
            }));
        }
        found.extend(superseded(reading.release, read));
    }
}

/// Collects what is wrong with one command.
struct Wrong<'a, 'b> {
    arguments: &'b Arguments<'a>,
    found: Vec<Problem>,
}

impl Wrong<'_, '_> {
    fn when(&mut self, wrong: bool, rule: &'static Rule, why: impl Into<String>) {
        if wrong {
            self.found.push(Problem { rule, what: why.into() });
        }
    }

    fn lacks(&mut self, wrong: bool, what: &str) {
        self.when(wrong, &rules::MISSING_ARGUMENT, what);
    }

    fn surplus(&mut self, wrong: bool, what: &str) {
        self.when(wrong, &rules::SURPLUS_WORDS, what);
    }

    fn bad_value(&mut self, wrong: bool, what: &str) {
        self.when(wrong, &rules::OPTION_VALUE, what);
    }

    fn conflict(&mut self, wrong: bool, what: impl Into<String>) {
        self.when(wrong, &rules::OPTION_CONFLICT, what);
    }

    fn unmet(&mut self, wrong: bool, what: impl Into<String>) {
        self.when(wrong, &rules::OPTION_NEEDS, what);
    }

    /// How many of these options have a value, or stand alone as they should.
    fn given(&self, options: &[&str]) -> usize {
        let given = |name: &&&str| self.arguments.has(name) && self.arguments.value(name) != Some("");
        options.iter().filter(given).count()
    }

    fn exactly_one(&mut self, options: &[&str]) {
        self.when(
            self.given(options) != 1,
            &rules::OPTION_CHOICE,
            format!("exactly one of {} must be given", options.join(", ")),
        );
    }

    fn at_most_one(&mut self, options: &[&str]) {
        self.conflict(self.given(options) > 1, format!("only one of {} can be given", options.join(", ")));
    }

    fn needs(&mut self, option: &str, other: &str) {
        let wrong = self.given(&[option]) > 0 && self.given(&[other]) == 0;
        self.unmet(wrong, format!("{option} needs {other}"));
    }

    /// Numbers count only if they aren't 0.
    fn one_pbkdf(&mut self) {
        let number = |name| self.arguments.number(name).is_some();
        let both = number("--pbkdf-time") && number("--pbkdf-iterations");
        self.conflict(both, "only one of --pbkdf-time, --pbkdf-iterations can be given");
    }

    fn opal(&mut self) {
        let luks = self.arguments.value("--luks-version").unwrap_or_default();
        let wrong = self.given(&["--hw-passphrase"]) > 0
            && !(self.arguments.has("--encrypted") && luks.starts_with("luks2-"));
        self.unmet(wrong, "--hw-passphrase needs --encrypted and a --luks-version of luks2-hw-opal");
    }

    fn filesystem(&mut self, release: Release) {
        self.one_pbkdf();
        self.conflict(
            self.arguments.has("--noformat") && self.given(&["--mkfsoptions"]) > 0,
            "--mkfsoptions has no effect with --noformat",
        );
        self.at_most_one(&["--mkfsoptions", "--fsprofile"]);
        let btrfs = self.arguments.value("--fstype") == Some("btrfs");
        self.when(btrfs && release.is_rhel(), &rules::NO_BTRFS, format!("{release} has no btrfs"));
    }
}

fn of_command(release: Release, read: &Read) -> Vec<Problem> {
    let given = &read.arguments;
    let mut wrong = Wrong { arguments: given, found: Vec::new() };
    let first = given.first().unwrap_or_default();
    match read.name {
        "part" | "logvol" | "raid" | "btrfs" | "volgroup" | "autopart" => {
            storage::check(release, read, &mut wrong)
        }
        "stratispool" => {
            let members = given.words().count().saturating_sub(1);
            wrong.lacks(first.is_empty(), "it needs a name");
            wrong.lacks(!given.has("--useexisting") && members == 0, "it needs its partitions");
            wrong.conflict(given.has("--useexisting") && members > 0, "an existing pool takes no members");
            wrong.needs("--passphrase", "--encrypted");
        }
        "stratisfs" => wrong.needs("--maxsize", "--grow"),
        "bootloader" => {
            wrong.bad_value(given.list("--boot-drive").len() > 1, "--boot-drive takes one disk");
            wrong.at_most_one(&["--sdboot", "--extlinux"]);
        }
        "cmdline" => wrong.conflict(given.has("--non-interactive"), "it takes no --non-interactive"),
        "driverdisk" => {
            wrong.surplus(given.words().count() > 1, "it takes one partition");
            let count = wrong.given(&["--source", "--biospart"]) + usize::from(!first.is_empty());
            wrong.when(
                count != 1,
                &rules::OPTION_CHOICE,
                "exactly one of a partition, --source, --biospart must be given",
            );
        }
        "eula" => wrong.lacks(!given.has("--agreed"), "it needs --agreed"),
        "harddrive" if release == Release::Rhel8 => {
            let both = given.has("--partition") == given.has("--biospart");
            wrong.when(both, &rules::OPTION_CHOICE, "exactly one of --partition, --biospart must be given");
        }
        "ignoredisk" => wrong.exactly_one(&["--drives", "--only-use"]),
        "keyboard" => {
            wrong.surplus(given.words().count() > 1, "it takes one layout");
            let none = given.words().count() == 0 && wrong.given(&["--vckeymap", "--xlayouts"]) == 0;
            wrong.lacks(none, "it needs a layout, --vckeymap or --xlayouts");
        }
        "logging" => wrong.needs("--port", "--host"),
        // the table knows its options, but only other commands may use them
        "method" => wrong.when(true, &rules::UNKNOWN_COMMAND, "it can't be written in a file"),
        "mount" => {
            let point = given.words().nth(1).unwrap_or_default();
            let fits = point.starts_with('/') || point.eq_ignore_ascii_case("none");
            wrong.bad_value(!fits, "the mount point must begin with / or be none");
            wrong.needs_flag("--mkfsoptions", "--reformat");
        }
        "network" => network(release, &mut wrong),
        "nvdimm" => nvdimm(first, &mut wrong),
        "ostreesetup" => {
            let url = given.value("--url").unwrap_or_default();
            let fits = ["file:", "http:", "https:"].iter().any(|scheme| url.starts_with(scheme));
            wrong.bad_value(!fits, "--url must begin with file:, http: or https:");
        }
        "repo" => wrong.at_most_one(&["--baseurl", "--mirrorlist", "--metalink"]),
        "rescue" => wrong.at_most_one(&["--nomount", "--romount"]),
        "rhsm" => wrong.bad_value(given.value("--activation-key") == Some(""), "--activation-key is empty"),
        "rootpw" => wrong.lacks(first.is_empty() && !given.has("--lock"), "it needs a password or --lock"),
        "services" => {
            wrong.lacks(wrong.given(&["--disabled", "--enabled"]) == 0, "it needs --disabled or --enabled")
        }
        "snapshot" => {
            let parts: Vec<_> = first.split('/').collect();
            let fits = parts.len() == 2 && parts.iter().all(|part| !part.is_empty());
            wrong.bad_value(!fits, "the origin must be VOLUMEGROUP/VOLUME");
        }
        "realm" => realm(&given.left_over, &mut wrong),
        "sshpw" => wrong.lacks(given.words().count() == 0, "it needs a password"),
        "timesource" => wrong.exactly_one(&["--ntp-server", "--ntp-pool", "--ntp-disable"]),
        "timezone" => {
            let count = given.words().count();
            wrong.lacks(count == 0 && given.options.is_empty(), "it needs a time zone or an option");
            wrong.surplus(count > 1, "it takes one time zone");
            wrong.conflict(
                given.has("--nontp") && !given.list("--ntpservers").is_empty(),
                "only one of --nontp, --ntpservers can be given",
            );
        }
        "updates" => wrong.surplus(given.words().count() > 1, "it takes one place"),
        "url" => wrong.exactly_one(&["--url", "--mirrorlist", "--metalink"]),
        "zfcp" if release != Release::Rhel8 => {
            wrong.unmet(
                wrong.given(&["--wwpn", "--fcplun"]) == 1,
                "--wwpn and --fcplun must be given together",
            );
            wrong.bad_value(given.has("--devnum") && given.text("--devnum").is_none(), "--devnum is empty");
        }
        _ => {}
    }
    wrong.found
}

impl Wrong<'_, '_> {
    /// Like [`Wrong::needs`], for an option that may stand without a value.
    fn needs_flag(&mut self, option: &str, flag: &str) {
        let wrong = self.given(&[option]) > 0 && !self.arguments.has(flag);
        self.unmet(wrong, format!("{option} needs {flag}"));
    }
}

fn network(release: Release, wrong: &mut Wrong) {
    let given = wrong.arguments;
    wrong.needs("--bridgeopts", "--bridgeslaves");
    let pair =
        |opt: &str| opt.split_once('=').is_some_and(|(_, value)| !value.is_empty() && !value.contains('='));
    let options = given.text("--bridgeopts");
    wrong.bad_value(
        options.is_some_and(|all| !all.split(',').all(pair)),
        "--bridgeopts must be key=value,key=value",
    );
    let bound_vlan =
        given.has("--bindto") && given.text("--vlanid").is_some() && given.text("--bondopts").is_none();
    wrong.conflict(bound_vlan, "--bindto=mac can't stand with --vlanid");
    if release != Release::Rhel8 {
        for option in
            ["--ipv4-dns-search", "--ipv6-dns-search", "--ipv4-ignore-auto-dns", "--ipv6-ignore-auto-dns"]
        {
            wrong.needs(option, "--device");
        }
    }
}

/// `realm` reads its words in a way of its own: options first, then one realm.
fn realm(words: &[&str], wrong: &mut Wrong) {
    const VALUED: [&str; 5] = [
        "--client-software",
        "--server-software",
        "--membership-software",
        "--one-time-password",
        "--computer-ou",
    ];
    let Some((&"join", mut rest)) = words.split_first() else {
        return wrong.when(true, &rules::REALM, "only `realm join` is known");
    };
    while let Some((option, after)) =
        rest.split_first().filter(|(option, _)| option.starts_with('-') && option.len() > 1)
    {
        let (name, value) =
            option.split_once('=').map_or((*option, None), |(name, value)| (name, Some(value)));
        rest = after;
        match (VALUED.contains(&name), value) {
            (true, Some(_)) => {}
            (true, None) => rest = rest.get(1..).unwrap_or_default(),
            (false, None) if name == "--no-password" => {}
            (false, _) => {
                return wrong.when(true, &rules::REALM, "it has an option that `realm join` doesn't know");
            }
        }
    }
    wrong.when(rest.len() != 1, &rules::REALM, "exactly one realm must stand at the end");
}

fn nvdimm(action: &str, wrong: &mut Wrong) {
    let given = wrong.arguments;
    let (namespace, devices) = (given.text("--namespace").is_some(), !given.list("--blockdevs").is_empty());
    wrong.at_most_one(&["--namespace", "--blockdevs"]);
    if action == "reconfigure" {
        wrong.unmet(!namespace, "reconfigure needs --namespace");
        let sector = given.value("--mode").is_none_or(|mode| mode == "sector");
        wrong.unmet(
            sector && given.number("--sectorsize").is_none(),
            "sector mode, which is the default, needs --sectorsize",
        );
    } else {
        wrong.unmet(!namespace && !devices, "use needs --namespace or --blockdevs");
    }
}

/// Options that still work and have a successor.
fn superseded(release: Release, read: &Read) -> Option<Finding> {
    let given = &read.arguments;
    if read.name != "timezone" || release != Release::Rhel9 {
        return None;
    }
    let (old, new) = [
        ("--isUtc", "timezone --utc"),
        ("--ntpservers", "timesource --ntp-server, once a server"),
        ("--nontp", "timesource --ntp-disable"),
    ]
    .into_iter()
    .find(|(old, _)| given.has(old))?;
    Some(
        Finding::warning(&rules::DEPRECATED, read.line, format!("timezone: {old} goes away after {release}"))
            .help(format!("write {new}")),
    )
}
