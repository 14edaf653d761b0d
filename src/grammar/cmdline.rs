//! Kernel command lines: how the kernel splits them, and what it, debian-installer and boot loaders would stumble over.
//!
//! The kernel knows one kind of quote, `"`, and no escape (`next_arg` in `lib/cmdline.c`). What it doesn't know itself goes to
//! the first process: words with `=` as environment, others as arguments, 32 of each (`init/main.c`). debian-installer reads
//! its answers from that environment. A line that stands in a GRUB script is judged by [`super::grub`] first.

pub(crate) mod rules;

use super::preseed::{self, Release};
use super::{Finding, shown};

/// Bytes of a line on x86, the final zero included (`COMMAND_LINE_SIZE`).
pub const MAX_BYTES: usize = 2048;
/// Arguments, and variables, that the first process gets at most (`CONFIG_INIT_ENV_ARG_LIMIT`).
pub const MAX_OPTIONS: usize = 32;

/// Who reads a line, beside the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// An installed system, or anybody.
    Anybody,
    /// The installer of Debian.
    DebianInstaller(Release),
}

impl Reader {
    /// debian-installer, if the line looks like one for it.
    pub fn of(text: &str, release: Release) -> Self {
        let is_answer = |parameter: &Parameter<'_>| {
            let name = parameter.name();
            matches!(name, "auto" | "priority" | "preseed-md5" | "url")
                || name.rsplit(':').next().is_some_and(|key| preseed::known(key, release).is_some())
        };
        if split(text).iter().any(is_answer) { Self::DebianInstaller(release) } else { Self::Anybody }
    }
}

/// One parameter as it stands in the line, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'t> {
    /// The text.
    pub text: &'t str,
}

impl<'t> Parameter<'t> {
    /// What stands before the `=`, or all of it. d-i's `?=` is a `=`.
    pub fn name(&self) -> &'t str {
        let name = self.text.split_once('=').map_or(self.text, |(name, _)| name);
        name.trim_start_matches('"').trim_end_matches('?')
    }

    /// What stands behind the `=`, without the quotes around it.
    pub fn value(&self) -> Option<&'t str> {
        let (name, value) = self.text.split_once('=')?;
        let value = if name.starts_with('"') { value } else { value.strip_prefix('"').unwrap_or(value) };
        Some(value.strip_suffix('"').unwrap_or(value))
    }
}

/// Splits a line at blanks outside of double quotes, as the kernel does.
pub fn split(text: &str) -> Vec<Parameter<'_>> {
    let mut quoted = false;
    let blank = |c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    };
    text.split(blank).filter(|text| !text.is_empty()).map(|text| Parameter { text }).collect()
}

/// What a line would do that isn't meant. Its end may hold one newline, as a file's does.
pub fn lint(text: &str, reader: Reader) -> Vec<Finding> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let mut found = Vec::new();
    form(line, &mut found);
    let parameters = split(line);
    for parameter in parameters.iter().take(MAX_BYTES) {
        parameter_alone(*parameter, &mut found);
    }
    separators(&parameters, &mut found);
    live(&parameters, &mut found);
    if let Reader::DebianInstaller(release) = reader {
        installer(&parameters, &mut found);
        // a line that is too long anyway isn't worth the search
        let known = parameters.iter().take(MAX_BYTES / 8);
        found.extend(known.filter_map(|parameter| unknown(parameter.name(), release)));
    }
    found
}

fn form(line: &str, found: &mut Vec<Finding>) {
    if let Some(at) = line.find('\n') {
        let number = line[..at].matches('\n').count() + 2;
        found.push(Finding::error(
            &rules::SECOND_LINE,
            number,
            "a second line: a boot loader takes one line only",
        ));
    }
    if let Some(bad) = line.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        found.push(Finding::error(
            &rules::CONTROL_CHARACTER,
            1,
            format!("a control character, {}", bad.escape_debug()),
        ));
    }
    if line.len() >= MAX_BYTES {
        let message = format!("{} bytes: the kernel cuts the line after {}", line.len(), MAX_BYTES - 1);
        found.push(Finding::error(&rules::TOO_LONG, 1, message));
    }
    if !line.matches('"').count().is_multiple_of(2) {
        found.push(Finding::error(
            &rules::OPEN_QUOTE,
            1,
            "an open double quote: the kernel takes the rest of the line for one value",
        ));
    }
}

fn parameter_alone(parameter: Parameter<'_>, found: &mut Vec<Finding>) {
    let text = parameter.text;
    if text.contains('\'') {
        let message = format!("single quotes in `{}` mean nothing to the kernel", shown(parameter.name()));
        found.push(Finding::warning(&rules::SINGLE_QUOTE, 1, message).help("use double quotes, or none"));
    }
    if text.contains('\\') {
        let message = format!("the backslash in `{}` means nothing to the kernel", shown(parameter.name()));
        found.push(Finding::warning(&rules::BACKSLASH, 1, message));
    }
    if text.contains(';') && !text.contains('"') {
        let message = format!("GRUB cuts the line at the `;` in `{}`", shown(parameter.name()));
        found.push(
            Finding::warning(&rules::SEMICOLON, 1, message)
                .help("quote it where it stands in a GRUB script: \"ds=nocloud;s=…\""),
        );
    }
    let inside = text.find('"').is_some_and(|at| {
        let starts = at == 0 || text[..at].ends_with('=');
        let ends = text.ends_with('"') && text.matches('"').count() == 2;
        !(starts && ends)
    });
    if inside && text.matches('"').count().is_multiple_of(2) {
        let message = format!("quotes inside of `{}` stay in the value", shown(parameter.name()));
        found.push(
            Finding::error(&rules::INNER_QUOTE, 1, message).help("quote the whole value: name=\"a b\""),
        );
    }
}

fn separators(parameters: &[Parameter<'_>], found: &mut Vec<Finding>) {
    if parameters.iter().any(|parameter| parameter.text == "--") {
        let message = "the kernel reads nothing after `--`: it is for the first process";
        found.push(Finding::warning(&rules::SEPARATOR, 1, message));
    }
    if parameters.iter().filter(|parameter| parameter.text == "---").count() > 1 {
        found.push(Finding::error(&rules::SEPARATOR, 1, "a second `---`"));
    }
    let glued = parameters.iter().find(|parameter| parameter.text.contains("---") && parameter.text != "---");
    if let Some(parameter) = glued {
        let message = format!(
            "`{}` holds `---`, which installers take for the end of their arguments",
            shown(parameter.name())
        );
        found.push(Finding::warning(&rules::SEPARATOR, 1, message));
    }
}

/// Ubuntu's live system, in which subiquity asks yes or no unless it finds this word (its client, `noninteractive_confirmation`).
fn live(parameters: &[Parameter<'_>], found: &mut Vec<Finding>) {
    let has = |test: &dyn Fn(&Parameter<'_>) -> bool| parameters.iter().any(test);
    let casper = has(&|parameter| match (parameter.name(), parameter.value()) {
        ("boot", Some("casper")) | ("iso-url" | "layerfs-path", Some(_)) => true,
        ("url", Some(url)) => url.ends_with(".iso"),
        _ => false,
    });
    let answered = has(&|parameter| {
        parameter.name() == "ds" && parameter.value().is_some_and(|value| value.starts_with("nocloud"))
    });
    if casper && answered && !has(&|parameter| parameter.text == "autoinstall") {
        let message = "no `autoinstall`: subiquity asks before it writes, whatever the answers say";
        found.push(Finding::warning(&rules::NO_AUTOINSTALL, 1, message).help("add the word"));
    }
}

/// What d-i makes of it: `/bin/user-params` and `env2debconf` of its initrd.
fn installer(parameters: &[Parameter<'_>], found: &mut Vec<Finding>) {
    if let Some(at) = parameters.iter().position(|parameter| parameter.text == "---") {
        let answers = parameters[at + 1..].iter().filter(|parameter| parameter.name().contains('/'));
        for parameter in answers {
            let message = format!(
                "`{}` stands after `---`, where arguments for the installed system are",
                shown(parameter.name())
            );
            found.push(
                Finding::warning(&rules::ANSWER_AFTER_SEPARATOR, 1, message).help("answers go before it"),
            );
        }
    }
    for parameter in parameters.iter().take(MAX_BYTES) {
        let (name, value) = (parameter.name(), parameter.value());
        if value.is_some_and(|value| value.contains(char::is_whitespace)) {
            let message =
                format!("the value of `{}` has a blank: d-i takes the first word, or nothing", shown(name));
            found.push(
                Finding::error(&rules::BLANK_IN_VALUE, 1, message)
                    .help("put the answer into the preseed file"),
            );
        }
    }
    let counted: Vec<_> = parameters.iter().filter(|parameter| goes_to_init(parameter)).collect();
    let variables = counted.iter().filter(|parameter| parameter.value().is_some()).count();
    for (count, what) in [(variables, "variables"), (counted.len() - variables, "options")] {
        if count > MAX_OPTIONS {
            let message =
                format!("{count} {what} for the installer: the kernel panics at more than {MAX_OPTIONS}");
            found
                .push(Finding::error(&rules::TOO_MANY, 1, message).help("put answers into the preseed file"));
        }
    }
}

fn unknown(name: &str, release: Release) -> Option<Finding> {
    let key = match name.split_once(':') {
        Some((owner, _)) if owner != "d-i" => return None,
        Some((_, key)) => key,
        None => name,
    };
    let (left, _) = key.split_once('/')?;
    // a path or a kernel parameter's value isn't a question
    if left.is_empty() || left.contains(['.', '"']) || preseed::is_askable(key, release) {
        return None;
    }
    let finding = Finding::error(
        &rules::UNKNOWN_QUESTION,
        1,
        format!("`{}` is no question of {release}'s installer", shown(key)),
    );
    Some(match preseed::similar(key, release) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    })
}

/// Names that the kernel keeps for itself, of those that installers' lines have. Without its whole table the count errs on
/// the high side.
const KERNELS: [&str; 24] = [
    "acpi",
    "apm",
    "console",
    "debug",
    "earlycon",
    "earlyprintk",
    "initrd",
    "iommu",
    "ip",
    "loglevel",
    "maxcpus",
    "mem",
    "net.ifnames",
    "nfsroot",
    "noapic",
    "nolapic",
    "nomodeset",
    "nosmp",
    "panic",
    "quiet",
    "ro",
    "root",
    "rw",
    "vga",
];

fn goes_to_init(parameter: &Parameter<'_>) -> bool {
    let name = parameter.name();
    !KERNELS.contains(&name) && !name.contains('.') && !matches!(name, "---" | "--" | "BOOT_IMAGE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Vec<String> {
        lint(text, Reader::of(text, Release::Debian12)).iter().map(ToString::to_string).collect()
    }

    fn says(text: &str, what: &str) {
        let found = judged(text);
        assert!(found.iter().any(|finding| finding.contains(what)), "{text}: {what} is not in {found:?}");
    }

    #[test]
    fn good_lines_are_left_alone() {
        for text in [
            "root=UUID=1234 ro quiet console=ttyS0,115200n8\n",
            "auto=true priority=critical url=http://x/p.cfg interface=auto hostname=web01 domain= --- quiet",
            "autoinstall \"ds=nocloud;s=http://10.0.0.1/\" ---",
            "dyndbg=\"file a.c +p\"",
        ] {
            assert_eq!(judged(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_breaks_a_line_is_told() {
        says("a\nb", "line 2: a second line");
        says("a\u{7}", "a control character");
        says("a=\"b", "an open double quote");
        says("a='b c'", "single quotes");
        says("a=b\"c d\"", "stay in the value");
        says("ds=nocloud;s=http://x/", "GRUB cuts the line");
        says("a --- b --- c", "a second `---`");
        says("a=b---c", "holds `---`");
        says(&"x".repeat(MAX_BYTES), "cuts the line after 2047");
        assert_eq!(judged(&"x".repeat(MAX_BYTES - 1)), Vec::<String>::new());
    }

    #[test]
    fn the_installer_of_debian_has_limits_of_its_own() {
        let many =
            |count: usize, text: &str| (0..count).map(|at| format!(" o{at}{text}")).collect::<String>();
        says(&format!("priority=critical{}", many(32, "=1")), "33 variables");
        says(&format!("priority=critical{}", many(33, "")), "33 options");
        assert_eq!(judged(&format!("priority=critical{}", many(31, "=1"))), Vec::<String>::new());
        assert_eq!(judged(&many(40, "=1")), Vec::<String>::new(), "only d-i's lines have the limit");
        says("auto=true netcfg/get_hostnam=web01", "did you mean `netcfg/get_hostname`?");
        says("auto=true netcfg/get_nameservers=\"10.0.0.1 10.0.0.2\"", "has a blank");
        says("auto=true --- netcfg/get_gateway=none", "stands after `---`");
    }
}
