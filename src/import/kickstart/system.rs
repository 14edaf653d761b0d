//! Commands about the system as a whole, and those that a profile has no word for.

use super::Given;
use crate::import::Reading;

/// Commands that hold anyway, or that ironstrap's own files decide, and how.
const ALWAYS: [(&str, &str); 7] = [
    ("text", "the installer runs without questions (`cmdline`)"),
    ("cmdline", "the installer runs without questions"),
    ("graphical", "the installer runs without questions (`cmdline`)"),
    ("skipx", "no graphical system is started unless a package brings one"),
    ("xconfig", "a graphical system starts if a package brings one"),
    ("firstboot", "nothing asks at the first boot (`firstboot --disable`)"),
    ("eula", "it is agreed to"),
];

/// Any command that has no module of its own.
pub fn read(name: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    match name {
        "lang" => {
            if let Some(lang) = arguments.first() {
                reading.draft.put("locale.lang", lang, given.id);
            }
            given.rest(&[], reading);
        }
        "keyboard" => keyboard(given, reading),
        "timezone" => timezone(given, reading),
        "timesource" => {
            match arguments.text("--ntp-server") {
                Some(server) => reading.draft.push("locale.ntp", server, given.id),
                None => reading.report.refuse(given.id, "name time servers in `locale: { ntp: … }`"),
            }
            given.rest(&["--ntp-server"], reading);
        }
        "reboot" | "poweroff" | "shutdown" | "halt" => finish(name, given, reading),
        "auth" | "authconfig" => authentication(given, reading),
        "logging" => {
            reading.report.note(given.id, "the installer logs to its own files");
            given.rest(&["--level"], reading);
        }
        "services" => services(given, reading),
        "firewall" => firewall(given, reading),
        "selinux" => selinux(given, reading),
        name => match ALWAYS.iter().find(|(known, _)| *known == name) {
            Some((_, how)) if name != "firstboot" || !arguments.has("--enable") => {
                reading.report.note(given.id, *how);
            }
            _ => reading.report.refuse(given.id, way_out(name)),
        },
    }
}

fn way_out(name: &str) -> String {
    match name {
        "liveimg" => {
            "a golden image is named by the store: `ironstrap image import` it, and set `image: NAME@VERSION`"
                .to_owned()
        }
        "cdrom" | "harddrive" | "nfs" | "hmc" => {
            "a profile's packages come from the network: set `mirror: http://…`".to_owned()
        }
        "rhsm" | "syspurpose" | "realm" => {
            format!(
                "a profile has no key for `{name}`: join in a script under `scripts: {{ first_boot: … }}`"
            )
        }
        "vnc" | "rdp" | "sshpw" => "nobody looks into an unattended installer: leave it out".to_owned(),
        name => format!(
            "a profile has no key for `{name}`: do it in a script under `scripts: {{ post: … }}`, or in a template of the site's own"
        ),
    }
}

/// What every release does is all that needs no saying.
fn authentication(given: &Given<'_>, reading: &mut Reading<'_>) {
    let words = given.arguments.words().map(ToOwned::to_owned);
    let options = given.arguments.options.iter().map(|option| match given.arguments.text(option.name) {
        Some(value) => format!("{}={value}", option.name),
        None => option.name.to_owned(),
    });
    let usual = ["--enableshadow", "--useshadow", "--passalgo=sha512"];
    match words.chain(options).all(|word| usual.contains(&word.as_str())) {
        true => reading.report.note(given.id, "what the release does anyway"),
        false => {
            let why = "a profile has no key for it: call authselect in a script under `scripts: { post: … }`";
            reading.report.refuse(given.id, why);
        }
    }
}

fn keyboard(given: &Given<'_>, reading: &mut Reading<'_>) {
    let layouts = given.arguments.list("--xlayouts");
    let words = [layouts.first().copied(), given.arguments.text("--vckeymap"), given.arguments.first()];
    let Some(layout) = words.into_iter().flatten().next() else {
        return reading.report.refuse(given.id, "it names no layout");
    };
    if layouts.len() > 1 {
        reading.report.lose(given.id, "a profile has one layout: the first one is taken");
    }
    // `de (nodeadkeys)`: the variant has no place in a profile
    let (layout, variant) =
        layout.split_once('(').map_or((layout, ""), |(layout, rest)| (layout.trim(), rest));
    if !variant.is_empty() {
        reading.report.lose(given.id, "a profile has no variant of a layout");
    }
    if given.arguments.has("--vckeymap") && given.arguments.has("--xlayouts") {
        reading.report.note(given.id, "--vckeymap: the console's keymap follows the layout");
    }
    reading.draft.put("locale.keyboard", layout, given.id);
    given.rest(&["--xlayouts", "--vckeymap"], reading);
}

fn timezone(given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some(zone) = given.arguments.first() {
        reading.draft.put("locale.timezone", zone, given.id);
    }
    for server in given.arguments.list("--ntpservers") {
        reading.draft.push("locale.ntp", server, given.id);
    }
    given.rest(&["--utc", "--isUtc", "--ntpservers", "--nontp"], reading);
    given.explain(&[("--nontp", "the system's own time servers stay")], reading);
}

fn finish(name: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let how = if name == "reboot" { "reboot" } else { "poweroff" };
    if how != "reboot" || reading.draft.has("finish") {
        reading.draft.put("finish", how, given.id);
    }
    given.explain(
        &[("--eject", "no medium is ejected"), ("--kexec", "the machine restarts through its firmware")],
        reading,
    );
    given.rest(&["--eject", "--kexec"], reading);
}

/// What a line does with the system, as commands that do the same.
fn set(commands: Vec<String>, given: &Given<'_>, reading: &mut Reading<'_>) {
    commands.into_iter().for_each(|command| reading.setting(command, given.id));
    reading.report.note(given.id, "done by a script");
}

fn services(given: &Given<'_>, reading: &mut Reading<'_>) {
    let unit = |name: &&str| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b"@._:-".contains(&b)) && !name.starts_with('-')
    };
    let mut lines = Vec::new();
    for (option, verb) in [("--disabled", "disable"), ("--enabled", "enable")] {
        let names = given.arguments.list(option);
        if let Some(name) = names.iter().find(|name| !unit(name)) {
            let why = format!("`{}` is not the name of a unit", name.escape_debug());
            return reading.report.refuse(given.id, why);
        }
        // the installer goes on where a service isn't there (`services.py`)
        lines.extend(names.iter().map(|name| format!("systemctl {verb} {name} || true")));
    }
    if lines.is_empty() {
        return reading.report.note(given.id, "it names no service");
    }
    set(lines, given, reading);
}

fn firewall(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    if arguments.has("--disabled") || arguments.has("--disable") {
        return set(vec!["systemctl disable firewalld || true".to_owned()], given, reading);
    }
    let known = ["--enabled", "--enable", "--ssh"];
    match arguments.options.iter().all(|option| known.contains(&option.name)) {
        true => {
            reading.report.note(given.id, "what the distribution does anyway: firewalld runs and lets SSH in")
        }
        false => reading
            .report
            .refuse(given.id, "call firewall-offline-cmd in a script under `scripts: { post: … }`"),
    }
}

fn selinux(given: &Given<'_>, reading: &mut Reading<'_>) {
    let mode =
        ["--enforcing", "--permissive", "--disabled"].into_iter().find(|mode| given.arguments.has(mode));
    match mode {
        Some("--enforcing") | None => reading.report.note(given.id, "what the distribution does anyway"),
        Some(mode) => {
            let mode = mode.trim_start_matches('-');
            let line = format!("sed -i 's/^SELINUX=.*/SELINUX={mode}/' /etc/selinux/config");
            set(vec![line], given, reading);
        }
    }
}
