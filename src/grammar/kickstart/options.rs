//! Options that need or exclude each other, as pykickstart's commands check them, and values that they refuse.

use super::{Arguments, Read, Reading, Release};
use crate::grammar::Finding;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    for read in reading.working() {
        if read.arguments.problems.is_empty() {
            let wrong = of_command(reading.release, read);
            found.extend(
                wrong.into_iter().map(|why| Finding::error(read.line, format!("{}: {why}", read.name))),
            );
        }
        found.extend(superseded(reading.release, read));
    }
}

/// Collects what is wrong with one command.
struct Wrong<'a, 'b> {
    arguments: &'b Arguments<'a>,
    found: Vec<String>,
}

impl Wrong<'_, '_> {
    fn when(&mut self, wrong: bool, why: impl Into<String>) {
        if wrong {
            self.found.push(why.into());
        }
    }

    /// How many of these options have a value, or stand alone as they should.
    fn given(&self, options: &[&str]) -> usize {
        let given = |name: &&&str| self.arguments.has(name) && self.arguments.value(name) != Some("");
        options.iter().filter(given).count()
    }

    fn exactly_one(&mut self, options: &[&str]) {
        self.when(self.given(options) != 1, format!("exactly one of {} must be given", options.join(", ")));
    }

    fn at_most_one(&mut self, options: &[&str]) {
        self.when(self.given(options) > 1, format!("only one of {} can be given", options.join(", ")));
    }

    fn needs(&mut self, option: &str, other: &str) {
        let wrong = self.given(&[option]) > 0 && self.given(&[other]) == 0;
        self.when(wrong, format!("{option} needs {other}"));
    }

    /// Numbers count only if they aren't 0.
    fn one_pbkdf(&mut self) {
        let number = |name| self.arguments.number(name).is_some();
        let both = number("--pbkdf-time") && number("--pbkdf-iterations");
        self.when(both, "only one of --pbkdf-time, --pbkdf-iterations can be given");
    }

    fn opal(&mut self) {
        let luks = self.arguments.value("--luks-version").unwrap_or_default();
        let wrong = self.given(&["--hw-passphrase"]) > 0
            && !(self.arguments.has("--encrypted") && luks.starts_with("luks2-"));
        self.when(wrong, "--hw-passphrase needs --encrypted and a --luks-version of luks2-hw-opal");
    }

    fn filesystem(&mut self, release: Release) {
        self.one_pbkdf();
        self.when(
            self.arguments.has("--noformat") && self.given(&["--mkfsoptions"]) > 0,
            "--mkfsoptions has no effect with --noformat",
        );
        self.at_most_one(&["--mkfsoptions", "--fsprofile"]);
        let btrfs = self.arguments.value("--fstype") == Some("btrfs");
        self.when(btrfs && release.is_rhel(), format!("{release} has no btrfs"));
    }
}

fn of_command(release: Release, read: &Read) -> Vec<String> {
    let given = &read.arguments;
    let mut wrong = Wrong { arguments: given, found: Vec::new() };
    let first = given.first().unwrap_or_default();
    match read.name {
        "part" | "logvol" | "raid" | "btrfs" | "volgroup" | "autopart" => storage(release, read, &mut wrong),
        "stratispool" => {
            let members = given.words().count().saturating_sub(1);
            wrong.when(first.is_empty(), "it needs a name");
            wrong.when(!given.has("--useexisting") && members == 0, "it needs its partitions");
            wrong.when(given.has("--useexisting") && members > 0, "an existing pool takes no members");
            wrong.needs("--passphrase", "--encrypted");
        }
        "stratisfs" => wrong.needs("--maxsize", "--grow"),
        "bootloader" => {
            wrong.when(given.list("--boot-drive").len() > 1, "--boot-drive takes one disk");
            wrong.at_most_one(&["--sdboot", "--extlinux"]);
        }
        "cmdline" => wrong.when(given.has("--non-interactive"), "it takes no --non-interactive"),
        "driverdisk" => {
            wrong.when(given.words().count() > 1, "it takes one partition");
            let count = wrong.given(&["--source", "--biospart"]) + usize::from(!first.is_empty());
            wrong.when(count != 1, "exactly one of a partition, --source, --biospart must be given");
        }
        "eula" => wrong.when(!given.has("--agreed"), "it needs --agreed"),
        "harddrive" if release == Release::Rhel8 => {
            let both = given.has("--partition") == given.has("--biospart");
            wrong.when(both, "exactly one of --partition, --biospart must be given");
        }
        "ignoredisk" => wrong.exactly_one(&["--drives", "--only-use"]),
        "keyboard" => {
            wrong.when(given.words().count() > 1, "it takes one layout");
            let none = given.words().count() == 0 && wrong.given(&["--vckeymap", "--xlayouts"]) == 0;
            wrong.when(none, "it needs a layout, --vckeymap or --xlayouts");
        }
        "logging" => wrong.needs("--port", "--host"),
        // the table knows its options, but only other commands may use them
        "method" => wrong.when(true, "it can't be written in a file"),
        "mount" => {
            let point = given.words().nth(1).unwrap_or_default();
            let fits = point.starts_with('/') || point.eq_ignore_ascii_case("none");
            wrong.when(!fits, "the mount point must begin with / or be none");
            wrong.needs_flag("--mkfsoptions", "--reformat");
        }
        "network" => network(release, &mut wrong),
        "nvdimm" => nvdimm(first, &mut wrong),
        "ostreesetup" => {
            let url = given.value("--url").unwrap_or_default();
            let fits = ["file:", "http:", "https:"].iter().any(|scheme| url.starts_with(scheme));
            wrong.when(!fits, "--url must begin with file:, http: or https:");
        }
        "repo" => wrong.at_most_one(&["--baseurl", "--mirrorlist", "--metalink"]),
        "rescue" => wrong.at_most_one(&["--nomount", "--romount"]),
        "rhsm" => wrong.when(given.value("--activation-key") == Some(""), "--activation-key is empty"),
        "rootpw" => wrong.when(first.is_empty() && !given.has("--lock"), "it needs a password or --lock"),
        "services" => {
            wrong.when(wrong.given(&["--disabled", "--enabled"]) == 0, "it needs --disabled or --enabled")
        }
        "snapshot" => {
            let parts: Vec<_> = first.split('/').collect();
            let fits = parts.len() == 2 && parts.iter().all(|part| !part.is_empty());
            wrong.when(!fits, "the origin must be VOLUMEGROUP/VOLUME");
        }
        "realm" => realm(&given.left_over, &mut wrong),
        "sshpw" => wrong.when(given.words().count() == 0, "it needs a password"),
        "timesource" => wrong.exactly_one(&["--ntp-server", "--ntp-pool", "--ntp-disable"]),
        "timezone" => {
            let count = given.words().count();
            wrong.when(count == 0 && given.options.is_empty(), "it needs a time zone or an option");
            wrong.when(count > 1, "it takes one time zone");
            wrong.when(
                given.has("--nontp") && !given.list("--ntpservers").is_empty(),
                "only one of --nontp, --ntpservers can be given",
            );
        }
        "updates" => wrong.when(given.words().count() > 1, "it takes one place"),
        "url" => wrong.exactly_one(&["--url", "--mirrorlist", "--metalink"]),
        "zfcp" if release != Release::Rhel8 => {
            wrong.when(
                wrong.given(&["--wwpn", "--fcplun"]) == 1,
                "--wwpn and --fcplun must be given together",
            );
            wrong.when(given.has("--devnum") && given.text("--devnum").is_none(), "--devnum is empty");
        }
        _ => {}
    }
    wrong.found
}

impl Wrong<'_, '_> {
    /// Like [`Wrong::needs`], for an option that may stand without a value.
    fn needs_flag(&mut self, option: &str, flag: &str) {
        let wrong = self.given(&[option]) > 0 && !self.arguments.has(flag);
        self.when(wrong, format!("{option} needs {flag}"));
    }
}

fn storage(release: Release, read: &Read, wrong: &mut Wrong) {
    let given = &read.arguments;
    let first = given.first().unwrap_or_default();
    match read.name {
        "part" => {
            wrong.filesystem(release);
            wrong.opal();
            wrong.needs("--resize", "--onpart");
            wrong.when(given.has("--resize") && given.number("--size").is_none(), "--resize needs --size");
            let grows = given.has("--grow") || given.number("--maxsize").is_some();
            wrong.when(
                grows && given.value("--fstype") == Some("tmpfs"),
                "a tmpfs takes neither --grow nor --maxsize",
            );
            wrong.when(release.is_rhel() && first.starts_with("btrfs."), format!("{release} has no btrfs"));
        }
        "raid" => {
            wrong.filesystem(release);
            let exists = given.has("--noformat") || given.has("--useexisting");
            wrong.when(!exists && given.text("--level").is_none(), "it needs --level");
            wrong.when(!exists && given.words().count() < 2, "it has no members");
            wrong.when(exists && given.words().count() > 1, "an existing array takes no members");
            wrong.when(exists && given.text("--device").is_none(), "an existing array needs --device");
            let dash = given.left_over.iter().any(|word| word.starts_with('-'));
            wrong.when(dash, "a member can't begin with a dash");
        }
        "logvol" => logvol(release, given, wrong),
        "volgroup" => {
            let exists = given.has("--noformat") || given.has("--useexisting");
            wrong.when(first.is_empty(), "it needs a name");
            wrong.when(!exists && given.words().count() < 2, "no physical volume fills it");
            wrong.when(
                exists && given.words().count() > 1,
                "an existing volume group takes no physical volumes",
            );
            let percent = given.value("--reserved-percent").and_then(super::arguments::integer);
            wrong.when(percent.is_some_and(|p| !(1..100).contains(&p)), "--reserved-percent must be 1 to 99");
            let space = given.value("--reserved-space").and_then(super::arguments::integer);
            wrong.when(space.is_some_and(|space| space < 0), "--reserved-space can't be less than 0");
        }
        "btrfs" => {
            let devices = given.words().count().saturating_sub(1);
            let dash = given.left_over.iter().any(|word| word.starts_with('-'));
            wrong.when(dash, "a member can't begin with a dash");
            wrong.when(first.is_empty(), "it needs a mount point");
            wrong.when(devices == 0, "it needs its partitions, or the volume that holds a subvolume");
            wrong.when(given.has("--subvol") && given.text("--name").is_none(), "a subvolume needs --name");
            let exists = given.has("--noformat") || given.has("--useexisting");
            wrong.when(
                exists && wrong.given(&["--mkfsoptions"]) > 0,
                "--mkfsoptions has no effect with --noformat or --useexisting",
            );
        }
        _ => {
            wrong.one_pbkdf();
            wrong.opal();
            wrong.at_most_one(&["--noswap", "--hibernation"]);
            let btrfs = given.value("--type").is_some_and(|kind| kind.eq_ignore_ascii_case("btrfs"));
            let fstype = given.text("--fstype");
            wrong.when(fstype == Some("btrfs"), "--fstype can't be btrfs; --type can");
            wrong.when(
                btrfs && fstype.is_some_and(|fstype| fstype != "btrfs"),
                "--type=btrfs takes no --fstype",
            );
            wrong.when(btrfs && release.is_rhel(), format!("{release} has no btrfs"));
        }
    }
}

fn logvol(release: Release, given: &Arguments, wrong: &mut Wrong) {
    wrong.filesystem(release);
    let exists = given.has("--noformat") || given.has("--useexisting");
    let number = |name| given.number(name).is_some();
    wrong.when(given.has("--resize") && !exists, "--resize needs --useexisting");
    wrong.when(given.has("--resize") && !number("--size"), "--resize needs --size");
    wrong.at_most_one(&["--thin", "--thinpool"]);
    wrong.needs("--thin", "--poolname");
    let pool_only = number("--chunksize") || number("--metadatasize");
    wrong.when(pool_only && !given.has("--thinpool"), "--chunksize and --metadatasize are for thin pools");
    let sized =
        number("--size") || number("--percent") || given.has("--recommended") || given.has("--hibernation");
    wrong.when(!exists && !sized, "it needs --size or --percent");
    wrong.when(number("--size") && number("--percent"), "only one of --size, --percent can be given");
    let percent = given.value("--percent").and_then(super::arguments::integer);
    wrong.when(percent.is_some_and(|percent| !(0..=100).contains(&percent)), "--percent must be 0 to 100");
    let cache = number("--cachesize") || given.text("--cachemode").is_some();
    if cache || !given.list("--cachepvs").is_empty() {
        wrong.when(exists, "an existing volume takes no cache");
        wrong.when(given.has("--thin"), "a thin volume takes no cache");
        wrong.when(given.list("--cachepvs").is_empty(), "a cache needs --cachepvs");
        wrong.when(!number("--cachesize"), "a cache needs --cachesize");
        let mode = given.text("--cachemode");
        wrong.when(
            mode.is_some_and(|mode| !["writeback", "writethrough"].contains(&mode)),
            "--cachemode must be writeback or writethrough",
        );
    }
}

fn network(release: Release, wrong: &mut Wrong) {
    let given = wrong.arguments;
    wrong.needs("--bridgeopts", "--bridgeslaves");
    let pair =
        |opt: &str| opt.split_once('=').is_some_and(|(_, value)| !value.is_empty() && !value.contains('='));
    let options = given.text("--bridgeopts");
    wrong.when(
        options.is_some_and(|all| !all.split(',').all(pair)),
        "--bridgeopts must be key=value,key=value",
    );
    let bound_vlan =
        given.has("--bindto") && given.text("--vlanid").is_some() && given.text("--bondopts").is_none();
    wrong.when(bound_vlan, "--bindto=mac can't stand with --vlanid");
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
        return wrong.when(true, "only `realm join` is known");
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
            (false, _) => return wrong.when(true, "it has an option that `realm join` doesn't know"),
        }
    }
    wrong.when(rest.len() != 1, "exactly one realm must stand at the end");
}

fn nvdimm(action: &str, wrong: &mut Wrong) {
    let given = wrong.arguments;
    let (namespace, devices) = (given.text("--namespace").is_some(), !given.list("--blockdevs").is_empty());
    wrong.at_most_one(&["--namespace", "--blockdevs"]);
    if action == "reconfigure" {
        wrong.when(!namespace, "reconfigure needs --namespace");
        let sector = given.value("--mode").is_none_or(|mode| mode == "sector");
        wrong.when(
            sector && given.number("--sectorsize").is_none(),
            "sector mode, which is the default, needs --sectorsize",
        );
    } else {
        wrong.when(!namespace && !devices, "use needs --namespace or --blockdevs");
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
        Finding::warning(read.line, format!("timezone: {old} goes away after {release}"))
            .help(format!("write {new}")),
    )
}
