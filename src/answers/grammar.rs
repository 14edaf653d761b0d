//! Small models of what the targets' parsers do with a file, so that a broken override is found before a machine boots.
//!
//! They judge form, not meaning: sections, commands and quotes of Kickstart; owner, key, type and continuation of preseed.

use std::collections::BTreeMap;

/// Commands of Kickstart on Enterprise Linux 9.
const COMMANDS: &str = "authselect autopart autostep bootloader cdrom clearpart cmdline driverdisk eula fcoe firewall \
    firstboot graphical group halt harddrive hmc ignoredisk iscsi iscsiname keyboard lang liveimg logging logvol \
    mediacheck module mount network nfs nvdimm ostreecontainer ostreesetup part partition poweroff raid realm reboot repo \
    reqpart rescue rhsm rootpw selinux services shutdown skipx snapshot sshkey sshpw syspurpose text timesource timezone \
    updates url user vnc volgroup xconfig zerombr zfcp zipl";
const SECTIONS: [&str; 7] =
    ["%packages", "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%addon"];
const TYPES: [&str; 8] = ["string", "boolean", "select", "multiselect", "note", "text", "password", "title"];

/// Splits a line like a POSIX shell, without expansions; `None` for an open quote.
pub fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '#' if word.is_none() => break,
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// What Anaconda would stumble over, a sentence a line.
pub fn kickstart(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Some((_, section)) = open {
            match first {
                "%end" => open = None,
                _ if SECTIONS.contains(&first) => {
                    found.push(format!("line {number}: {first} inside {section}"))
                }
                _ => {}
            }
        } else if SECTIONS.contains(&first) {
            open = Some((number, first));
        } else if first.starts_with('%') {
            if !matches!(first, "%include" | "%ksappend") {
                found.push(format!("line {number}: {first} begins no section"));
            }
        } else {
            match words(line) {
                None => found.push(format!("line {number}: an open quote")),
                Some(words) => found.extend(
                    words
                        .first()
                        .filter(|command| !COMMANDS.split_whitespace().any(|known| known == *command))
                        .map(|command| {
                            format!("line {number}: `{}` is no command of EL 9", command.escape_debug())
                        }),
                ),
            }
        }
    }
    found.extend(open.map(|(number, section)| format!("line {number}: {section} without %end")));
    found
}

/// One answer: owner, key, type, value.
pub type Answer = (String, String, String, String);

/// The answers of a preseed file, with the number of their first line, or what is wrong with a line.
pub fn answers(text: &str) -> Vec<(usize, Result<Answer, String>)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(start) = whole.strip_suffix('\\') {
            let Some((_, next)) = lines.next() else { break };
            whole = format!("{start}{next}");
        }
        found.push((number, answer(&whole)));
    }
    found
}

fn answer(line: &str) -> Result<Answer, String> {
    let mut rest = line.trim_start();
    let mut field = || {
        let (field, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = after.trim_start();
        field.to_owned()
    };
    let (owner, key, kind) = (field(), field(), field());
    if !key.contains('/') {
        return Err(format!("`{}` is no question", key.escape_debug()));
    }
    if !TYPES.contains(&kind.as_str()) {
        return Err(format!("`{}` is no type of {key}", kind.escape_debug()));
    }
    if kind == "boolean" && !matches!(rest, "true" | "false") {
        return Err(format!("{key} must be true or false"));
    }
    Ok((owner, key, kind, rest.trim_end().to_owned()))
}

/// What d-i would stumble over, a sentence a line.
pub fn preseed(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_end() != line && line.trim_end().ends_with('\\') {
            found.push(format!("line {number}: a blank after the backslash: the line doesn't go on"));
        }
    }
    for (number, answer) in answers(text) {
        match answer {
            Err(why) => found.push(format!("line {number}: {why}")),
            Ok((owner, key, ..)) => {
                if let Some(first) = seen.insert((owner, key.clone()), number) {
                    found.push(format!("line {number}: {key} was answered in line {first} already"));
                }
            }
        }
    }
    found
}
