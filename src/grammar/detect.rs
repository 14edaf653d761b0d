//! Any answer file: which grammar it is in, and the model that judges it.
//!
//! The one place that knows all grammars. A new grammar is one line in [`Grammar::ALL`], in [`Grammar::of`], in [`lint`] and in
//! [`super::rules::GROUPS`].

use super::{
    Finding, MAX_FINDINGS, autoinstall, cloud_config, cmdline, grub, kickstart, preseed, recipe, rules,
};
use crate::value::nearest;

/// A grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// Anaconda's.
    Kickstart,
    /// debian-installer's.
    Preseed,
    /// subiquity's.
    Autoinstall,
    /// cloud-init's user-data.
    CloudConfig,
    /// A GRUB script.
    Grub,
    /// A kernel command line.
    Cmdline,
    /// A recipe of partman-auto.
    Recipe,
}

impl Grammar {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Kickstart,
        Self::Preseed,
        Self::Autoinstall,
        Self::CloudConfig,
        Self::Grub,
        Self::Cmdline,
        Self::Recipe,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kickstart => "kickstart",
            Self::Preseed => "preseed",
            Self::Autoinstall => "autoinstall",
            Self::CloudConfig => "cloud-config",
            Self::Grub => "grub",
            Self::Cmdline => "cmdline",
            Self::Recipe => "recipe",
        }
    }

    /// The grammar of a file, by its name and, where that says nothing, by what is in it.
    pub fn of(name: &str, text: &str) -> Option<Self> {
        Self::by_mark(text).or_else(|| Self::by_name(name)).or_else(|| Self::by_content(text))
    }

    /// First lines that say it themselves.
    fn by_mark(text: &str) -> Option<Self> {
        let first = text.lines().next().unwrap_or_default();
        if first.trim_end() == "#cloud-config" {
            let key = |line: &str| line.split_once(':').map(|(key, _)| key.trim_end().to_owned());
            let meant = text.lines().filter_map(key).any(|key| nearest(&key, ["autoinstall"]).is_some());
            return Some(if meant { Self::Autoinstall } else { Self::CloudConfig });
        }
        let marks = ["#cloud-config-", "## template: jinja", "#include", "#cloud-boothook", "#part-handler"];
        let mime = ["mime-version:", "content-type: multipart/"];
        let small = first.to_ascii_lowercase();
        if marks.iter().any(|mark| first.starts_with(mark)) || mime.iter().any(|mark| small.starts_with(mark))
        {
            return Some(Self::CloudConfig);
        }
        first.starts_with("#_preseed_V1").then_some(Self::Preseed)
    }

    fn by_name(name: &str) -> Option<Self> {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if name.starts_with("grub") && ends(&[".cfg"]) || ends(&[".grub"]) {
            Some(Self::Grub)
        } else if ends(&[".ks", "ks.cfg"]) || name.contains("kickstart") {
            Some(Self::Kickstart)
        } else if name.contains("preseed") || ends(&[".seed"]) {
            Some(Self::Preseed)
        } else if name.starts_with("user-data") || ends(&[".yaml", ".yml"]) {
            Some(Self::Autoinstall)
        } else if name.contains("cmdline") {
            Some(Self::Cmdline)
        } else if name.contains("recipe") {
            Some(Self::Recipe)
        } else {
            None
        }
    }

    fn by_content(text: &str) -> Option<Self> {
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first_words = || lines().filter_map(|line| line.split_ascii_whitespace().next());
        if first_words().any(|word| word == "d-i") {
            return Some(Self::Preseed);
        }
        if first_words()
            .any(|word| matches!(word, "%packages" | "%pre" | "%post" | "%end" | "rootpw" | "clearpart"))
        {
            return Some(Self::Kickstart);
        }
        if first_words().any(|word| matches!(word, "menuentry" | "submenu" | "linux" | "initrd" | "insmod")) {
            return Some(Self::Grub);
        }
        if first_words().any(|word| matches!(word, "autoinstall:" | "version:")) {
            return Some(Self::Autoinstall);
        }
        let words: Vec<_> = lines().flat_map(str::split_ascii_whitespace).take(10_000).collect();
        if words.contains(&".") && words.iter().any(|word| word.len() > 1 && word.ends_with('{')) {
            return Some(Self::Recipe);
        }
        let one_line = lines().count() == 1;
        (one_line && words.iter().any(|word| word.contains('='))).then_some(Self::Cmdline)
    }
}

impl std::str::FromStr for Grammar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|grammar| grammar.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|grammar| grammar.name() == text);
        found.copied().ok_or_else(|| format!("`{text}` is no kind of file; known are {}", names()))
    }
}

/// Judges a file as an installer of a release would read it: the newest release with a model where none is named.
///
/// # Errors
/// A release that this grammar has no model of.
pub fn lint(grammar: Grammar, text: &str, release: Option<&str>) -> Result<Vec<Finding>, String> {
    let mut found = judge(grammar, text, release)?;
    if found.len() > MAX_FINDINGS {
        found.truncate(MAX_FINDINGS);
        let line = found.last().map_or(1, |last| last.line);
        found.push(Finding::warning(&rules::TOO_MANY_FINDINGS, line, "there is more; mend this first"));
    }
    Ok(found)
}

fn judge(grammar: Grammar, text: &str, release: Option<&str>) -> Result<Vec<Finding>, String> {
    Ok(match grammar {
        Grammar::Kickstart => {
            use kickstart::Release::{Fedora43, Fedora44, Fedora45, Rhel8, Rhel9, Rhel10};
            let el = [("10", Rhel10), ("9", Rhel9), ("8", Rhel8)];
            let fedora = [("45", Fedora45), ("44", Fedora44), ("43", Fedora43)];
            let named = match release {
                None => kickstart::Release::detect(text),
                Some(_) => None,
            };
            let known: Vec<_> = el.into_iter().chain(fedora).collect();
            let release = named.map_or_else(|| choose(grammar, release, &known), Ok)?;
            kickstart::lint(text, release)
        }
        Grammar::Preseed => preseed::lint(text, debian(grammar, release)?),
        Grammar::Recipe => {
            debian(grammar, release)?;
            let decoded = recipe::decode(recipe::words(text), &recipe::Machine::default());
            recipe::judge(&decoded, method_of(text))
        }
        Grammar::Cmdline => cmdline::lint(text, cmdline::Reader::of(text, debian(grammar, release)?)),
        Grammar::Autoinstall => {
            use autoinstall::Release::{Ubuntu2204, Ubuntu2404};
            let known =
                [("24.04", Ubuntu2404), ("noble", Ubuntu2404), ("22.04", Ubuntu2204), ("jammy", Ubuntu2204)];
            autoinstall::lint(text, choose(grammar, release, &known)?)
        }
        Grammar::CloudConfig => {
            use cloud_config::Version::{V22_4, V25_1};
            let known = [
                ("25.1", V25_1),
                ("13", V25_1),
                ("trixie", V25_1),
                ("22.4", V22_4),
                ("12", V22_4),
                ("bookworm", V22_4),
            ];
            let version = release.map(|_| choose(grammar, release, &known)).transpose()?;
            cloud_config::lint(text, version)
        }
        Grammar::Grub => {
            if let Some(release) = release {
                return Err(format!("grub has no releases here: leave `{release}` out"));
            }
            grub::lint(text)
        }
    })
}

/// A recipe by itself doesn't say its method; what is in it does.
fn method_of(text: &str) -> recipe::Method {
    let has = |mark: &str| text.split_ascii_whitespace().any(|word| word == mark);
    match (has("crypto"), has("$lvmok{") || has("in_vg{")) {
        (true, _) => recipe::Method::Crypto,
        (false, true) => recipe::Method::Lvm,
        (false, false) => recipe::Method::Regular,
    }
}

fn debian(grammar: Grammar, release: Option<&str>) -> Result<preseed::Release, String> {
    use preseed::Release::{Debian12, Debian13};
    choose(
        grammar,
        release,
        &[("13", Debian13), ("trixie", Debian13), ("12", Debian12), ("bookworm", Debian12)],
    )
}

/// The release that was named, or the first.
fn choose<R: Copy>(grammar: Grammar, release: Option<&str>, known: &[(&str, R)]) -> Result<R, String> {
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let wanted = |name: &str| {
        let small = release.unwrap_or_default().to_ascii_lowercase();
        small.rsplit(['-', ' ']).next() == Some(name) || small.trim_start_matches(char::is_alphabetic) == name
    };
    let found = match release {
        None => known.first(),
        Some(_) => known.iter().find(|(name, _)| wanted(name)),
    };
    let missing = || {
        format!(
            "{} has no model of release `{}`; known are {}",
            grammar.name(),
            release.unwrap_or_default(),
            names()
        )
    };
    found.map(|(_, release)| *release).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_mark_its_name_or_what_is_in_it() {
        for (name, text, grammar) in [
            ("x", "#cloud-config\nautoinstall:\n", Grammar::Autoinstall),
            ("x", "#cloud-config\nruncmd: []\n", Grammar::CloudConfig),
            ("user-data", "Content-Type: multipart/mixed; boundary=x\n", Grammar::CloudConfig),
            ("user-data", "## template: jinja\n#cloud-config\n", Grammar::CloudConfig),
            ("http/ks.cfg", "", Grammar::Kickstart),
            ("debian.preseed.cfg", "", Grammar::Preseed),
            ("boot/grub.cfg", "", Grammar::Grub),
            ("user-data", "autoinstall:\n", Grammar::Autoinstall),
            ("-", "# x\nd-i a/b string c\n", Grammar::Preseed),
            ("-", "lang en_US\n%packages\n%end\n", Grammar::Kickstart),
            ("-", "menuentry x {\n a\n}\n", Grammar::Grub),
            ("-", "quiet root=/dev/sda1\n", Grammar::Cmdline),
            ("-", "boot ::\n1 1 1 ext4 method{ keep } .\n", Grammar::Recipe),
        ] {
            assert_eq!(Grammar::of(name, text), Some(grammar), "{name}: {text}");
        }
        assert_eq!(Grammar::of("notes.txt", "hello\nworld\n"), None);
    }

    #[test]
    fn a_release_is_named_as_people_do_or_refused() {
        let text = "d-i auto-install/cloak_initrd_preseed boolean true\n";
        let count = |release: &str| lint(Grammar::Preseed, text, Some(release)).unwrap().len();
        for release in ["12", "debian-12", "debian12", "bookworm", "Debian 12"] {
            assert_eq!(count(release), 1, "{release}");
        }
        assert_eq!(count("13"), 0);
        let refused = lint(Grammar::Preseed, text, Some("11")).unwrap_err();
        assert_eq!(refused, "preseed has no model of release `11`; known are 13, trixie, 12, bookworm");
        assert!(lint(Grammar::Grub, "", Some("2.12")).is_err());
    }
}
