//! Preseeds as debian-installer's own code and templates read them: recipes decoded and spread over a disk by partman-auto,
//! keys and values held against d-i's questions.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ironstrap::spec::installer::TAKE_OVER;

use super::expect::{partman_auto, shared};
use super::{installing, judge, rendered};

/// MB of a made-up disk, and of a made-up volume group.
const DISK: u64 = 500_000;

/// One value of a preseed, with its lines joined.
fn value(preseed: &str, key: &str) -> Option<String> {
    let joined = preseed.replace("\\\n", " ");
    let start = format!("d-i {key} ");
    let line = joined.lines().find_map(|line| line.strip_prefix(&start))?;
    let (_, value) = line.split_once(' ').unwrap_or((line, ""));
    Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn recipe(preseed: &str) -> String {
    value(preseed, "partman-auto/expert_recipe").unwrap()
}

/// The parts of a recipe as they are written.
fn parts(recipe: &str) -> Vec<String> {
    let (_, parts) = recipe.split_once(" :: ").unwrap();
    let parts = parts.strip_suffix(" .").expect("the last part ends with a dot of its own");
    parts.split(" . ").map(str::to_owned).collect()
}

#[test]
fn partman_reads_every_recipe_as_it_is_written() {
    let (Some(partman), Some(check)) = (partman_auto(), shared("tools/check_recipe.sh")) else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in installing("preseed") {
        let file = dir.path().join(&name);
        let recipe = recipe(&text);
        std::fs::write(&file, &recipe).unwrap();
        let output = Command::new("sh").args([&check, &partman, &file]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let decoded: Vec<_> = said.lines().skip(1).map(str::to_owned).collect();
        assert_eq!(decoded, parts(&recipe), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// partman-auto's own spreading of parts over free space: the sizes in MB.
fn spread(partman: &Path, parts: &[String], free: u64) -> Vec<u64> {
    let mut script = "restore_ifs() { IFS=' \t\n'; }\nNL='\n'\n".to_owned();
    writeln!(script, ". {}/lib/partman/lib/recipes.sh", partman.display()).unwrap();
    writeln!(script, "scheme='{}'\nfree_size={free}\nexpand_scheme\necho \"$scheme\"", parts.join("\n"))
        .unwrap();
    // busybox's ash keeps a function's `local -`, as dash does
    let output = Command::new("dash").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let sizes: Vec<u64> = said.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(sizes.len(), parts.len(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    sizes
}

/// What a part asks for: least, most, whether it takes all that is left.
fn asked(part: &str) -> (u64, Option<u64>) {
    let words: Vec<_> = part.split(' ').collect();
    (words[0].parse().unwrap(), words[2].parse().ok())
}

#[test]
fn every_part_gets_what_was_meant_when_partman_spreads_them() {
    let Some(partman) = partman_auto() else { return };
    for (name, text) in installing("preseed") {
        let (volumes, partitions): (Vec<_>, Vec<_>) =
            parts(&recipe(&text)).into_iter().partition(|part| part.contains("$lvmok{ }"));
        check_spread(&partman, &name, &partitions, DISK);
        // the last one is made over all that is left
        assert_eq!(asked(partitions.last().unwrap()).1, None, "{name}");
        if volumes.is_empty() {
            continue;
        }
        let guided = value(&text, "partman-auto-lvm/guided_size").unwrap();
        let free = match guided.strip_suffix(" MB") {
            None => {
                assert_eq!((guided.as_str(), asked(volumes.last().unwrap()).1), ("max", None), "{name}");
                DISK
            }
            Some(all) => {
                let all: u64 = all.parse().unwrap();
                assert_eq!(all, volumes.iter().map(|part| asked(part).0).sum::<u64>(), "{name}");
                all
            }
        };
        check_spread(&partman, &name, &volumes, free);
    }
}

fn check_spread(partman: &Path, name: &str, parts: &[String], free: u64) {
    let sizes = spread(partman, parts, free);
    for (part, size) in parts.iter().zip(&sizes) {
        let (least, most) = asked(part);
        assert!(*size >= least && most.is_none_or(|most| *size <= most), "{name}: {part} got {size}");
    }
    assert!(sizes.iter().sum::<u64>() <= free, "{name}: {sizes:?}");
    if parts.iter().any(|part| asked(part).1.is_none()) {
        // all but what whole megabytes lose
        assert!(free - sizes.iter().sum::<u64>() < 10, "{name}: {sizes:?}");
    }
}

#[test]
fn every_key_and_value_is_one_of_d_i_s_questions() {
    let (Some(check), Some(templates)) =
        (shared("tools/check_preseed.py"), shared("corpora/debian-installer-13-templates"))
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in rendered("preseed") {
        let file = dir.path().join(name);
        // choose-mirror asks `mirror/PROTOCOL/…`, but has templates of http's only: d-i registers what was preseeded
        std::fs::write(&file, text.replace(" mirror/https/", " mirror/http/")).unwrap();
        let args = [check.to_str().unwrap(), templates.to_str().unwrap()];
        judge(Path::new("python3"), &args, &file, "Debian's package python3");
    }
}

#[test]
fn commands_parse_as_shell_and_end_well() {
    for (name, text) in installing("preseed") {
        for key in ["partman/early_command", "preseed/late_command"] {
            let joined = text.replace("\\\n", "");
            let start = format!("d-i {key} string ");
            let command = joined.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            assert!(command.ends_with("; true") || command.ends_with("  true"), "{name}: {command}");
            let output = Command::new("dash").args(["-n", "-c", command]).output().unwrap();
            assert!(output.status.success(), "{name} {key}: {output:?}\n{command}");
        }
    }
}

/// debian-installer would go on to partition a disk when this command returns.
#[test]
fn what_hands_over_to_the_agent_parses_as_shell_and_never_returns() {
    let texts = rendered("preseed").into_iter().filter(|(_, text)| text.contains(TAKE_OVER));
    let texts: Vec<_> = texts.collect();
    assert!(texts.len() > 1, "the golden hosts with an image are gone");
    for (name, text) in texts {
        let joined = text.replace("\\\n", "");
        let command =
            joined.lines().find_map(|line| line.strip_prefix("d-i preseed/early_command string ")).unwrap();
        let made_up = "udevadm() { return 1; }; sleep() { echo slept; exec sleep 1; }; ";
        let agent = command.replace("/ironstrap/agent", "false").replace("/dev/console", "/dev/stdout");
        let output =
            Command::new("timeout").args(["10", "dash", "-c", &format!("{made_up}{agent}")]).output();
        let output = output.unwrap();
        assert!(Command::new("dash").args(["-n", "-c", command]).status().unwrap().success(), "{name}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("the agent has ended (status 1)") && said.contains("slept"), "{name}: {said}");
    }
}

/// The late command on a made-up installer: `in-target` runs what it is given in this place, and can be made to fail.
fn late(text: &str, in_target: &str) -> (String, String, bool) {
    let dir = tempfile::tempdir().unwrap();
    let tmp = dir.path().display();
    for made in ["target/var/lib", "target/var/log", "bin", "tmp"] {
        std::fs::create_dir_all(dir.path().join(made)).unwrap();
    }
    let joined = text.replace("\\\n", "");
    let command =
        joined.lines().find_map(|line| line.strip_prefix("d-i preseed/late_command string ")).unwrap();
    let command = command
        .replace("/target/", &format!("{tmp}/target/"))
        .replace("/tmp/ironstrap", &format!("{tmp}/tmp/ironstrap"))
        .replace("/dev/console", &format!("{tmp}/console"));
    let whole = format!("logger() {{ :; }}\n{command}");
    let stand_in = dir.path().join("bin/in-target");
    std::fs::write(&stand_in, format!("#!/bin/sh\n{in_target}\n")).unwrap();
    assert!(Command::new("chmod").arg("755").arg(&stand_in).status().unwrap().success());
    let path = format!("{}/bin:{}", tmp, std::env::var("PATH").unwrap());
    let output = Command::new("dash").args(["-c", &whole]).env("PATH", path).output().unwrap();
    let read = |file: &str| std::fs::read_to_string(dir.path().join(file)).unwrap_or_default();
    let kept = std::fs::read_dir(dir.path().join("target/var/lib/ironstrap")).unwrap().next().is_some();
    assert!(output.status.success(), "d-i would ask: {output:?}");
    (read("console"), read("target/etc/issue.d/ironstrap.issue"), kept)
}

#[test]
fn what_fails_after_the_install_is_shown_and_never_asked_about() {
    for (name, text) in installing("preseed") {
        let outside = text.contains("scripts.post_outside");
        let (console, issue, kept) = late(&text, "exit 1");
        for log in ["debian", "setup"] {
            let line = format!("ironstrap: failed: set-up, see /var/log/ironstrap-{log}.log");
            assert!(issue.contains(&line), "{name}: {issue}");
        }
        assert!(!kept, "{name}: the set-up script, which holds hashes, stays");
        // the golden site's outside script reads a log that isn't here
        assert_eq!(issue.contains("scripts.post_outside"), outside, "{name}: {issue}");
        // a console takes one line after the other, a file here keeps the last one
        assert!(issue.ends_with(&console) && !console.is_empty(), "{name}: {console}");
        let (_, issue, kept) = late(&text, "exit 0");
        assert!(!issue.contains("set-up") && !kept, "{name}: {issue}");
    }
}
