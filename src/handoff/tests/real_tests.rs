//! The scripts with the real managers: Debian's ansible, and cloud-init of Debian 12 and 13.

use std::path::Path;
use std::process::Command;

use super::run_tests::Machine;
use super::*;

/// A repository with this playbook, and how the hand-off of it ends: whether it converged, and what it printed.
fn pulled(playbook: &str) -> Option<(bool, String)> {
    if !Path::new("/usr/bin/ansible-pull").exists() {
        println!("ansible-pull was not tried: it isn't installed");
        return None;
    }
    let repository = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(repository.path()).args([
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
        ]);
        assert!(command.args(arguments).output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    std::fs::write(repository.path().join("site.yml"), playbook).unwrap();
    // a repository may choose how it is told
    std::fs::write(repository.path().join("ansible.cfg"), "[defaults]\nstdout_callback = minimal\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
    let mut system = made(ansible("site.yml", None));
    for file in &mut system.files {
        file.content = file
            .content
            .replace("'http://git.example/site.git'", &format!("'file://{}'", repository.path().display()));
        // one attempt is enough to see how it ends
        file.content = file.content.replace("-lt 5", "-lt 1");
    }
    let machine = Machine::new(&system);
    let (output, printed) = machine.boot();
    let runs = std::fs::read_to_string(machine.path("state/runs")).unwrap_or_default();
    Some((output.status.success(), format!("{printed}\nruns={}\n", runs.lines().count())))
}

fn play(hosts: &str, rest: &str) -> String {
    format!("- hosts: {hosts}\n  gather_facts: false\n{rest}")
}

const TASK: &str = "  tasks:\n    - shell: echo ran >>../runs\n";

#[test]
fn a_play_for_any_name_of_the_host_runs_once() {
    for hosts in ["web01", "web01.example.com", "localhost", "all", "\"web*\"", "\"web01,localhost\""] {
        let Some((converged, printed)) = pulled(&play(hosts, TASK)) else { return };
        assert!(converged && printed.contains("runs=1\n"), "{hosts}: {printed}");
    }
}

#[test]
fn where_nothing_ran_or_something_failed_nothing_converged() {
    let facts = "- hosts: all\n".to_owned();
    for (playbook, why) in [
        (play("db01", TASK), "failed: no task ran on this host"),
        (play("all", "  tasks: []\n"), "failed: no task ran on this host"),
        (facts, "failed: no task ran on this host"),
        (play("all", "  tasks: [{command: 'false'}]\n"), "again: ansible-pull failed"),
        (play("all", "  tasks: [{nosuchmodule: {}}]\n"), "again: ansible-pull failed"),
        ("- hosts: [\n".to_owned(), "again: ansible-pull failed"),
    ] {
        let Some((converged, printed)) = pulled(&playbook) else { return };
        assert!(!converged && printed.contains(why), "{why}: {printed}");
    }
    let Some((converged, printed)) =
        pulled(&play("all", "  tasks: [{command: 'false', ignore_errors: true}]\n"))
    else {
        return;
    };
    assert!(converged, "{printed}");
}

/// The first boot of a cloud-init with this user-data, in a namespace of its own where its directories are empty; whether
/// the hand-off converged, and what it printed.
fn booted(unpacked: &str, user_data: &str) -> Option<(bool, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let modules = root.join(unpacked).join("usr/lib/python3/dist-packages");
    if !modules.join("cloudinit").exists() {
        println!("cloud-init was not tried: it isn't in target/{unpacked}");
        return None;
    }
    let host = host(cloud_init(user_data));
    // past `check` and `bundle`, which refuse it
    let (files, units) = parts(&host.host, &site(None), Some((&image(ALL), &order()))).unwrap();
    let system = SystemSpec { files, units, ..made(Handoff::none()) };
    let machine = Machine::new(&system);
    let python = root.join("venv/bin/python3");
    machine.program(
        "cloud-init",
        &format!(
            "PYTHONPATH={} PYTHONDONTWRITEBYTECODE=1 exec {} -m cloudinit.cmd.main \"$@\"",
            modules.display(),
            python.display()
        ),
    );
    for file in system
        .files
        .iter()
        .filter(|file| file.path.starts_with("/var/lib/cloud/") || file.path.starts_with("/etc/cloud/"))
    {
        machine.put(&file.path[1..], &file.content, 0o600);
    }
    let modules = "cloud_init_modules: [write_files]\ncloud_config_modules: [runcmd]\ncloud_final_modules: [scripts_user]\n";
    machine.put("etc/cloud/cloud.cfg", &format!("{modules}system_info: {{distro: debian}}\n"), 0o644);
    let dir = machine.path("").display().to_string();
    let script = format!(
        "set -e
        mkdir -p /etc/cloud /var/lib/cloud {dir}/run {dir}/log
        mount -t tmpfs none /run && mkdir -p /run/cloud-init && : >/run/cloud-init/enabled
        mount --bind {dir}/log /var/log
        mkdir -p /etc/cloud /var/lib/cloud
        mount --bind {dir}/etc/cloud /etc/cloud
        mount --bind {dir}/var/lib/cloud /var/lib/cloud
        export PATH={dir}/bin:$PATH
        set +e
        cloud-init init --local; cloud-init init; cloud-init modules --mode config; cloud-init modules --mode final
        exec sh {dir}/usr/lib/ironstrap/handoff"
    );
    let output = Command::new("unshare")
        .args(["--mount", "--uts", "--map-root-user", "sh", "-c", &script])
        .output()
        .ok()?;
    let printed =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{printed}");
    if printed.contains("unshare: ") || printed.contains("mount: ") {
        println!("cloud-init was not tried: no namespaces here");
        return None;
    }
    Some((output.status.success(), printed))
}

#[test]
fn cloud_init_converges_on_good_user_data_and_on_none_that_it_went_on_without() {
    let cases = [
        ("#cloud-config\nruncmd: [['true']]\n", true),
        ("#!/bin/sh\ntrue\n", true),
        ("#cloud-config\nruncmd: [a\n", false),
        ("#cloud-config\nruncmd: echo\n", false),
        ("#cloud-config\nwrite_files: [{content: x}]\n", false),
        ("#!/bin/sh\nexit 3\n", false),
    ];
    for unpacked in ["unpacked", "unpacked-13"] {
        for (user_data, good) in cases {
            let Some((converged, printed)) = booted(unpacked, user_data) else { break };
            assert_eq!(converged, good, "{unpacked}: {user_data}\n{printed}");
        }
    }
}
