//! Kickstart: sections, commands and quotes.

use super::Finding;
use super::words::words;

/// Commands of Kickstart on Enterprise Linux 9.
const COMMANDS: &str = "authselect autopart autostep bootloader cdrom clearpart cmdline driverdisk eula fcoe firewall \
    firstboot graphical group halt harddrive hmc ignoredisk iscsi iscsiname keyboard lang liveimg logging logvol \
    mediacheck module mount network nfs nvdimm ostreecontainer ostreesetup part partition poweroff raid realm reboot repo \
    reqpart rescue rhsm rootpw selinux services shutdown skipx snapshot sshkey sshpw syspurpose text timesource timezone \
    updates url user vnc volgroup xconfig zerombr zfcp zipl";
const SECTIONS: [&str; 7] =
    ["%packages", "%pre", "%pre-install", "%post", "%onerror", "%traceback", "%addon"];

/// What Anaconda would stumble over.
pub fn lint(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Some((_, section)) = open {
            match first {
                "%end" => open = None,
                _ if SECTIONS.contains(&first) => {
                    found.push(Finding::error(number, format!("{first} inside {section}")));
                }
                _ => {}
            }
        } else if SECTIONS.contains(&first) {
            open = Some((number, first));
        } else if first.starts_with('%') {
            if !matches!(first, "%include" | "%ksappend") {
                found.push(Finding::error(number, format!("{first} begins no section")));
            }
        } else {
            match words(line) {
                None => found.push(Finding::error(number, "an open quote")),
                Some(words) => found.extend(unknown(number, &words)),
            }
        }
    }
    found.extend(open.map(|(number, section)| Finding::error(number, format!("{section} without %end"))));
    found
}

fn unknown(number: usize, words: &[String]) -> Option<Finding> {
    let command = words.first()?;
    let known = COMMANDS.split_whitespace().any(|known| known == command);
    (!known).then(|| Finding::error(number, format!("`{}` is no command of EL 9", command.escape_debug())))
}
