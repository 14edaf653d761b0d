//! A person beside the machine who presses reset when its firmware stands still.
//!
//! Debian 12's OVMF can enter the timer's handler again within itself until the end of days (edk2 mended that in 2023). It is
//! then in nobody's hands: no boot loader runs, no disk is being written. What it looks like is certain: the timer's interrupt is in
//! service and requested again, look after look, and the console is silent. Nothing else is ever reset here.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::monitor::Monitor;
use super::say;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// So many looks in a row that show the same are no chance.
const LOOKS: u32 = 12;
/// The vector of the firmware's timer (edk2, `LocalApicTimerDxe`).
const TIMER: &str = "32";

/// Watches a machine until QEMU is gone; `log` is its console's.
pub fn watch(name: &str, mut monitor: Monitor, log: &Path) {
    let (name, log) = (name.to_owned(), log.to_owned());
    // the last look fails when QEMU ends, which ends the thread as well
    std::thread::spawn(move || while reset_once(&name, &mut monitor, &log).is_ok() {});
}

/// Waits until the firmware stands still, and presses reset.
fn reset_once(name: &str, monitor: &mut Monitor, log: &Path) -> Result<()> {
    let (mut seen, mut length) = (0, 0);
    while seen < LOOKS {
        std::thread::sleep(PAUSE);
        let said = monitor.command("human-monitor-command", json!({ "command-line": "info lapic" }))?;
        let now = std::fs::metadata(log).context("looking at the console's log")?.len();
        let still = stands_still(said.as_str().unwrap_or_default()) && now == length;
        (seen, length) = (if still { seen + 1 } else { 0 }, now);
    }
    say(&format!("machine {name}: OVMF stands still in its timer's handler; pressing reset"));
    monitor.command("system_reset", json!({})).map(drop)
}

/// Whether the timer's interrupt is in service and requested, by what QEMU says of the local APIC.
fn stands_still(lapic: &str) -> bool {
    let has = |register: &str| {
        let lines = lapic.lines().filter_map(|line| line.strip_prefix(register));
        lines.flat_map(str::split_whitespace).any(|vector| vector == TIMER)
    };
    has("ISR\t") && has("IRR\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_timer_in_service_and_requested_stands_still() {
        let state = |isr: &str, irr: &str| {
            format!(
                "LVTT\t 0x00020020 periodic Fixed  (vec 32)\nESR\t 0x00000000\nISR\t {isr}\nIRR\t {irr}\n\nAPR 0x00\n"
            )
        };
        assert!(stands_still(&state("32 ", "32 ")));
        assert!(stands_still(&state("32 ", "32 236 ")));
        for (isr, irr) in [("(none)", "(none)"), ("32 ", "(none)"), ("(none)", "32 "), ("236 ", "32 236 ")] {
            assert!(!stands_still(&state(isr, irr)), "{isr} {irr}");
        }
    }
}
