//! Golden cases, through the program; and what it refuses to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::expect::Expected;
use super::root;

fn run(site: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("--site").arg(site).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A site without hosts.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("site.yaml"), "name: test\n").unwrap();
    dir
}

fn files(dir: &Path, below: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, below, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(path.strip_prefix(below).unwrap().to_owned(), text);
        }
    }
}

#[test]
fn cases_come_out_as_they_were_looked_at() {
    let mut comparison = Expected::new();
    let cases = root().join("tests/import/cases");
    for case in std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()) {
        let site = site();
        let names = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        let input = names.into_iter().find(|path| path.file_stem().unwrap() == "input").unwrap();
        let args = std::fs::read_to_string(case.join("args")).unwrap();
        let name = input.file_name().unwrap().to_str().unwrap();
        std::fs::copy(&input, site.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
        command.current_dir(site.path()).args(["import", name]).args(args.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {}", case.display(), text(&output));
        std::fs::remove_file(site.path().join(name)).unwrap();
        std::fs::remove_file(site.path().join("site.yaml")).unwrap();
        let mut made = BTreeMap::from([(PathBuf::from("report"), text(&output))]);
        files(site.path(), site.path(), &mut made);
        for (path, text) in &made {
            assert!(!text.contains("hunter2"), "{}: {} shows a password", case.display(), path.display());
            comparison.file(&case.join("expected").join(path), text);
        }
        let input = input.file_name().unwrap().to_str().unwrap();
        comparison.nothing_else_in(&case, &|name| name == "args" || name == input);
    }
    comparison.judge();
}

/// What the proof has proved of the draft holds of the files.
#[test]
fn imported_hosts_pass_check_and_render() {
    for (case, host) in
        [("kickstart", "db07.example"), ("preseed", "print01.example"), ("autoinstall", "build03")]
    {
        let site = site();
        let expected = root().join("tests/import/cases").join(case).join("expected");
        let mut made = BTreeMap::new();
        files(&expected, &expected, &mut made);
        for (path, text) in made.iter().filter(|(path, _)| *path != Path::new("report")) {
            std::fs::create_dir_all(site.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(site.path().join(path), text).unwrap();
        }
        let checked = run(site.path(), &["check"]);
        assert!(checked.status.success(), "{case}: {}", text(&checked));
        let rendered = run(site.path(), &["render", host]);
        assert!(rendered.status.success(), "{case}: {}", text(&rendered));
    }
}

#[test]
fn nothing_is_overwritten_and_a_dry_run_writes_nothing() {
    let site = site();
    let file = site.path().join("a.ks");
    std::fs::write(&file, "lang C.UTF-8\n%post\ntrue\n%end\n").unwrap();
    let file = file.to_str().unwrap();
    let dry = run(site.path(), &["import", file, "--name", "a", "--dry-run"]);
    assert!(dry.status.success() && !site.path().join("hosts").exists(), "{}", text(&dry));
    assert!(run(site.path(), &["import", file, "--name", "a"]).status.success());
    let before = std::fs::read_to_string(site.path().join("hosts/a.yaml")).unwrap();
    std::fs::remove_file(site.path().join("scripts/a-post-1.sh")).unwrap();
    let again = run(site.path(), &["import", file, "--name", "a"]);
    assert!(
        !again.status.success() && text(&again).contains("hosts/a.yaml is there already"),
        "{}",
        text(&again)
    );
    assert_eq!(std::fs::read_to_string(site.path().join("hosts/a.yaml")).unwrap(), before);
    assert!(!site.path().join("scripts/a-post-1.sh").exists(), "half of an import was written");
}

#[test]
fn what_is_no_answer_file_ends_in_one_sentence() {
    let site = site();
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("long.ks", vec![b'a'; (1 << 20) + 1], "more than 1048576 bytes"),
        ("endless.ks", b"lang C\n".repeat(10_001), "more than 10000 lines that say something"),
        ("binary.ks", b"lang C\0\n".to_vec(), "a binary file"),
        ("latin.ks", b"lang C\n\xe4\n".to_vec(), "not UTF-8 in line 2"),
        ("grub.cfg", b"menuentry a { }\n".to_vec(), "from which no host can be made"),
        ("poem", b"roses are red\nviolets are blue\n".to_vec(), "no kind of file that is known"),
        ("deep.yaml", [b"autoinstall: ".to_vec(), vec![b'['; 100_000]].concat(), "nested more than"),
        ("user-data", b"#cloud-config\npackages: [vim]\n".to_vec(), "from which no host can be made"),
    ];
    for (name, content, wanted) in cases {
        let file = site.path().join(name);
        std::fs::write(&file, content).unwrap();
        let output = run(site.path(), &["import", "--dry-run", file.to_str().unwrap()]);
        let said = text(&output);
        assert!(said.contains(wanted), "{name}: {said}");
        assert!(!output.status.success() && said.lines().count() == 1, "{name}: {said}");
    }
}

#[test]
fn programs_get_the_report_as_json() {
    let site = site();
    let file = site.path().join("a.ks");
    std::fs::write(&file, "lang C.UTF-8\nfrobnicate\n").unwrap();
    let output = run(site.path(), &["import", "--json", "--dry-run", "--os", "el-9", file.to_str().unwrap()]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["entries"][0]["verdict"], "kept");
    assert_eq!(answer["entries"][0]["keys"][0], "locale.lang");
    assert_eq!(answer["lines"]["refused"], 1);
}

#[test]
fn a_layout_that_keeps_what_is_on_a_disk_is_not_taken_over_for_another() {
    let site = site();
    let ubuntu = "#cloud-config\nautoinstall:\n  version: 1\n  storage:\n    config:\n    - {id: d, type: disk, serial: S, ptable: gpt, preserve: KEEP}\n    - {id: p, type: partition, device: d, size: 9G}\n    - {id: f, type: format, volume: p, fstype: ext4}\n    - {id: m, type: mount, device: f, path: /}\n";
    let root = "part / --size=9000 --fstype=ext4 --ondisk=sda\n";
    for (os, keeps, text) in [
        ("el-9", false, format!("clearpart --all --initlabel\n{root}")),
        ("el-9", true, format!("clearpart --none --initlabel\n{root}")),
        ("el-9", true, format!("clearpart --linux\n{root}")),
        ("el-9", true, format!("clearpart --all\n{root}part /home --onpart=sda3\n")),
        ("el-9", true, format!("clearpart --all\n{root}logvol /home --vgname=a --name=b --useexisting\n")),
        ("el-9", true, format!("clearpart --all\n{root}mount /dev/sda3 /home\n")),
        ("ubuntu-24.04", false, ubuntu.replace("KEEP", "false")),
        ("ubuntu-24.04", true, ubuntu.replace("KEEP", "true")),
    ] {
        std::fs::write(site.path().join("web01.txt"), &text).unwrap();
        let input = site.path().join("web01.txt");
        let args = ["import", input.to_str().unwrap(), "--os", os, "--name", "web01"];
        let output = run(site.path(), &args);
        let host = site.path().join("hosts/web01.yaml");
        let profile = std::fs::read_to_string(&host).unwrap_or_else(|_| panic!("{}", self::text(&output)));
        std::fs::remove_file(&host).unwrap();
        assert!(profile.contains(&format!("\nclasses:\n  - {os}\n")), "{text}\n{profile}");
        let has_storage = profile.lines().any(|line| line == "storage:");
        assert_eq!(
            (has_storage, profile.contains("keeps what is on a disk")),
            (!keeps, keeps),
            "{text}\n{profile}"
        );
    }
}

#[test]
fn what_a_later_line_locks_does_not_open() {
    let site = site();
    let input = site.path().join("web01.ks");
    let hash = format!("rootpw --iscrypted $6$saltsaltsalt${}\n", "x".repeat(86));
    let onerror = "%onerror\nwipefs -a /dev/sda\n%end\n";
    for (text, opens) in
        [(format!("{hash}{onerror}"), true), (format!("{hash}rootpw --lock\n{onerror}"), false)]
    {
        std::fs::write(&input, &text).unwrap();
        let output = run(site.path(), &["import", input.to_str().unwrap(), "--os", "el-9"]);
        let profile = std::fs::read_to_string(site.path().join("hosts/web01.yaml")).unwrap();
        assert_eq!(profile.contains("\nroot:\n"), opens, "{}\n{profile}", self::text(&output));
        assert!(self::text(&output).contains("`wipefs` in it may write to disks"), "{}", self::text(&output));
        for dir in ["hosts", "scripts"] {
            std::fs::remove_dir_all(site.path().join(dir)).unwrap();
        }
    }
}
