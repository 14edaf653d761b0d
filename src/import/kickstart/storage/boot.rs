//! `bootloader`: kernel arguments, consoles, and the menu's password.

use crate::import::Reading;
use crate::import::kickstart::Given;

/// Options that are taken over, or of which it is said what stands for them.
const KNOWN: [&str; 7] =
    ["--append", "--password", "--iscrypted", "--location", "--boot-drive", "--timeout", "--disabled"];

/// Reads the command.
pub fn loader(given: &Given<'_>, reading: &mut Reading<'_>) {
    let arguments = &given.arguments;
    for argument in arguments.text("--append").unwrap_or_default().split_whitespace() {
        reading.kernel_argument(argument, given.id);
    }
    match arguments.text("--password") {
        Some(hash) if arguments.has("--iscrypted") => {
            _ = reading.draft.put("boot.password", hash, given.id);
        }
        Some(_) => {
            let note = "a clear password isn't taken over: make a hash with grub-mkpasswd-pbkdf2, and set `boot: { password: … }`";
            reading.report.lose(given.id, note);
        }
        None => {}
    }
    if matches!(arguments.text("--location"), Some("none" | "partition")) || arguments.has("--disabled") {
        reading.report.lose(given.id, "the boot loader goes to the target disk in any case");
    }
    if arguments.has("--timeout") {
        reading.report.lose(given.id, "--timeout has no key in a profile");
    }
    let notes =
        [("--location", "the boot loader goes to the target disk"), ("--boot-drive", "the target disk")];
    given.explain(&notes, reading);
    given.rest(&KNOWN, reading);
}
