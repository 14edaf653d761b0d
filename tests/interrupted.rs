//! Ctrl-C during long work: the command ends, and so do its tools; nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_build_that_is_interrupted_stops_its_tools_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (site, tools, work) = (dir.path().join("site"), dir.path().join("tools"), dir.path().join("work"));
    fs::create_dir_all(&tools).unwrap();
    fs::create_dir_all(&work).unwrap();
    let ironstrap = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
        command.arg("-C").arg(&site).args(args).env("TMPDIR", &work);
        command
    };
    assert!(Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("init").arg(&site).status().unwrap().success());
    let started = dir.path().join("started");
    // as the real one: the first process doesn't heed the signal, the one that works does
    let slow = format!(
        "#!/bin/sh\nsleep 600 &\nworker=$!\ntrap '' TERM INT\necho $$ $worker > {}\nwait $worker\n",
        started.display()
    );
    for (tool, text) in [("mmdebstrap", slow.as_str()), ("mke2fs", ""), ("unshare", ""), ("newuidmap", "")] {
        let path = tools.join(tool);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let recipe = site.join("recipes/debian-12-base.yaml");
    let mut build = ironstrap(&["image", "build", recipe.to_str().unwrap()]);
    build.env("PATH", format!("{}:/usr/bin:/bin", tools.display())).stderr(Stdio::piped());
    let build = build.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut build = Some(build);
    while fs::read_to_string(&started).map_or(true, |pids| !pids.ends_with('\n')) {
        if Instant::now() > deadline || build.as_mut().unwrap().try_wait().unwrap().is_some() {
            let output = build.take().unwrap().wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(text.contains("/etc/subuid"), "the build didn't start: {text}");
            return expect::missing("a range of subordinate user ids", "tests/install-deps.sh");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let build = build.unwrap();
    assert!(Command::new("kill").arg("-TERM").arg(build.id().to_string()).status().unwrap().success());
    let output = build.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("interrupted; nothing unfinished was left behind"),
        "{text}"
    );
    assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
    let tools = fs::read_to_string(&started).unwrap();
    assert_eq!(tools.split_whitespace().count(), 2, "{tools}");
    for tool in tools.split_whitespace() {
        assert!(!std::path::Path::new("/proc").join(tool).exists(), "a tool still runs");
    }
}
