//! The scripts, run by a real `sh` in a directory that stands for the installed system.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::*;
use crate::spec::event::{Event, What};
use crate::spec::system::{Outcome, TOKEN};
use crate::value::Token;

/// The hand-off's files below a directory, with paths turned to it, and a `curl` that a test controls.
pub(super) struct Machine {
    dir: tempfile::TempDir,
}

/// What the agent made for an outcome.
fn token(outcome: Outcome) -> Token {
    Token::from_bytes([if outcome == Outcome::Converged { 1 } else { 2 }; 32])
}

impl Machine {
    pub(super) fn new(system: &SystemSpec) -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        let read = ["/usr/lib/ironstrap/", "/var/lib/cloud/seed/"];
        for file in system.files.iter().filter(|file| read.iter().any(|dir| file.path.starts_with(dir))) {
            let root = machine.dir.path().display();
            let content = file
                .content
                .replace("/usr/lib/ironstrap", &format!("{root}/usr/lib/ironstrap"))
                .replace("/var/lib/ironstrap", &format!("{root}/state"))
                .replace("/var/lib/cloud", &format!("{root}/var/lib/cloud"))
                .replace("PATH=/", &format!("PATH={root}/bin:/"))
                .replace("/dev/console", "/dev/null")
                .replace("/dev/ttyS0", "/dev/null")
                .replace("sleep 10", "sleep 0")
                .replace("sleep 30", "sleep 0")
                .replace("sleep 2\n", "sleep 0\n");
            // as the agent does
            let content = match file.token {
                Some(outcome) => content.replace(TOKEN, &token(outcome).reveal_text()),
                None => content,
            };
            machine.put(&file.path[1..], &content, file.mode);
        }
        machine.program("curl", "cat >/dev/null; echo posted >>\"$0.log\"; cp \"${9#@}\" \"$0.body\"");
        // whatever keeps the time of the machine that runs the tests
        machine.program("timedatectl", "exit 1");
        machine
    }

    pub(super) fn put(&self, path: &str, content: &str, mode: u32) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A program that the scripts find before the machine's own.
    pub(super) fn program(&self, name: &str, body: &str) {
        self.put(&format!("bin/{name}"), &format!("#!/bin/sh\n{body}\n"), 0o755);
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(super) fn boot(&self) -> (Output, String) {
        let output = Command::new("sh").arg(self.path("usr/lib/ironstrap/handoff")).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        (output, printed)
    }

    fn event(&self) -> Event {
        serde_json::from_slice(&std::fs::read(self.path("state/handoff-event.json")).unwrap()).unwrap()
    }

    fn lines(&self, path: &str) -> usize {
        std::fs::read_to_string(self.path(path)).unwrap_or_default().lines().count()
    }
}

fn counting_script(status: u8) -> SystemSpec {
    made(script(&format!("#!/bin/sh\necho ran >>/var/lib/ironstrap/runs\nexit {status}\n")))
}

#[test]
fn success_is_converged_and_told_once() {
    let machine = Machine::new(&counting_script(0));
    let (output, printed) = machine.boot();
    assert!(output.status.success());
    assert!(printed.lines().any(|line| line == "ironstrap: converged by=script"), "{printed}");
    let event = machine.event();
    assert_eq!(event.what, What::Converged { by: "script".to_owned() });
    assert_eq!(event.token, Some(token(Outcome::Converged)));
    // what proves it is for root alone
    for path in ["state/handoff-event.json", "usr/lib/ironstrap/converged.json"] {
        let mode = std::fs::metadata(machine.path(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
    assert_eq!((event.host.unwrap().as_str(), event.order), ("web01.example.com", Some(order())));
    assert_eq!(event.run.len(), 36);
    assert!(event.time.as_unix() > 1_600_000_000);
    assert_eq!(
        std::fs::read(machine.path("bin/curl.body")).unwrap(),
        std::fs::read(machine.path("state/handoff-event.json")).unwrap()
    );
    assert!(machine.path("state/handoff-done").exists());
    machine.boot();
    assert_eq!(machine.lines("state/runs"), 1);
}

#[test]
fn failure_is_reported_with_its_exit_status() {
    let machine = Machine::new(&counting_script(7));
    let (output, printed) = machine.boot();
    assert!(!output.status.success());
    assert!(printed.contains("ironstrap: handoff failed: script ended with exit status 7"), "{printed}");
    assert_eq!(machine.event().token, Some(token(Outcome::Failed)));
    let What::HandoffFailed { by, message } = machine.event().what else { panic!("{printed}") };
    assert_eq!(by, "script");
    assert!(message.starts_with("exit status 7 ("), "{message}");
    assert!(machine.path("state/handoff-done").exists());
}

#[test]
fn a_server_that_comes_late_is_told_the_same_event() {
    let machine = Machine::new(&counting_script(0));
    machine.program(
        "curl",
        "echo try >>\"$0.log\"; [ $(wc -l <\"$0.log\") -ge 3 ] && cp \"${9#@}\" \"$0.body\"",
    );
    machine.boot();
    assert_eq!(machine.lines("bin/curl.log"), 3);
    assert!(machine.path("state/handoff-done").exists() && machine.path("bin/curl.body").exists());
}

#[test]
fn a_server_that_stays_away_is_told_at_the_next_boot_without_a_second_run() {
    let machine = Machine::new(&counting_script(0));
    machine.program("curl", "exit 7");
    let (output, printed) = machine.boot();
    assert!(output.status.success() && printed.contains("was not told"), "{printed}");
    assert!(!machine.path("state/handoff-done").exists());
    let run = machine.event().run;
    machine.program("curl", "cp \"${9#@}\" \"$0.body\"");
    machine.boot();
    assert!(machine.path("state/handoff-done").exists());
    assert_eq!((machine.lines("state/runs"), machine.event().run), (1, run));
}

#[test]
fn without_a_hand_off_the_boot_itself_is_reported() {
    let machine = Machine::new(&made(Handoff::none()));
    let (_, printed) = machine.boot();
    assert!(printed.contains("ironstrap: converged by=boot"), "{printed}");
}

#[test]
fn cloud_init_s_words_count_as_well_as_its_exit_status() {
    let cases = [
        ("echo; echo 'status: done'", true),
        ("echo 'status: done'; exit 2", false),
        ("case $1 in schema) exit 1 ;; esac; echo 'status: done'", false),
        (
            "case $1 in schema) exit 0 ;; esac; echo 'status: done'; echo 'recoverable_errors:'; echo DEPRECATED:; exit 2",
            true,
        ),
        (
            "case $1 in schema) exit 0 ;; esac; echo 'status: done'; echo DEPRECATED:; echo WARNING:; exit 2",
            false,
        ),
        ("echo 'status: error'; exit 1", false),
        ("echo 'status: disabled'", false),
        ("echo 'status: not run'", false),
        ("exit 127", false),
    ];
    for (program, converges) in cases {
        let machine = Machine::new(&made(cloud_init("#cloud-config\nruncmd: [a]\n")));
        machine.program("cloud-init", program);
        let (output, _) = machine.boot();
        assert_eq!(output.status.success(), converges, "{program}");
    }
}

#[test]
fn only_plain_cloud_config_that_says_something_is_held_against_the_schema() {
    for data in
        ["#cloud-config\n# nothing\n", "#!/bin/sh\n", "## template: jinja\n#cloud-config\nruncmd: [a]\n"]
    {
        let machine = Machine::new(&made(cloud_init(data)));
        machine.program("cloud-init", "[ $1 != schema ] || exit 1; echo 'status: done'");
        assert!(machine.boot().0.status.success(), "{data}");
    }
}

#[test]
fn ansible_pull_is_tried_five_times_at_most() {
    let machine = Machine::new(&made(ansible("web.yml", Some("main"))));
    machine.program("ansible-pull", "echo \"$@\" >>\"$0.log\"; exit 4");
    assert!(!machine.boot().0.status.success());
    assert_eq!(machine.lines("bin/ansible-pull.log"), 5);
    assert!(
        matches!(machine.event().what, What::HandoffFailed { message, .. } if message.starts_with("exit status 4"))
    );
    let machine = Machine::new(&made(ansible("web.yml", Some("main"))));
    machine.program("ansible-pull", "echo \"$@\" >>\"$0.log\"; [ $(wc -l <\"$0.log\") -ge 2 ] && echo 'PLAY RECAP' && echo 'web01 : ok=2 failed=0'");
    assert!(machine.boot().0.status.success());
    let arguments = std::fs::read_to_string(machine.path("bin/ansible-pull.log")).unwrap();
    assert!(
        arguments.contains(
            " --limit web01.example.com,web01,localhost --connection local --checkout main web.yml\n"
        ),
        "{arguments}"
    );
}

#[test]
fn every_client_posts_json_to_the_server() {
    for client in reporter::CLIENTS {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let system =
            system(&host(Handoff::none()), &site(Some(&url)), &image(ALL), &MapTree::usual(), &order())
                .unwrap();
        let machine = Machine::new(&system);
        std::fs::remove_file(machine.path("bin/curl")).unwrap();
        // the distribution's own first: wrappers of version managers need more than this PATH
        let find = |name: &str| {
            ["/usr/bin", "/bin"]
                .map(|dir| PathBuf::from(dir).join(name))
                .into_iter()
                .find(|path| path.exists())
        };
        let Some(found) = find(client) else {
            println!("{client} was not tried: it isn't installed");
            continue;
        };
        // a PATH with this client only
        std::fs::create_dir_all(machine.path("bin")).unwrap();
        std::os::unix::fs::symlink(found, machine.path("bin").join(client)).unwrap();
        for tool in ["cat", "date", "mkdir", "mv", "sed", "sh", "sleep", "sync", "timeout", "true"] {
            std::os::unix::fs::symlink(find(tool).unwrap(), machine.path("bin").join(tool)).unwrap();
        }
        let script = machine.path("usr/lib/ironstrap/handoff");
        let text = std::fs::read_to_string(&script).unwrap();
        let (before, after) = text.split_once("PATH=").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        std::fs::write(&script, format!("{before}PATH={}\n{after}", machine.path("bin").display())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"}\n") {
                let count = stream.read(&mut buffer).unwrap();
                assert_ne!(count, 0, "the request ended early");
                request.extend_from_slice(&buffer[..count]);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8(request).unwrap()
        });
        assert!(machine.boot().0.status.success(), "{client}");
        assert!(machine.path("state/handoff-done").exists(), "{client}");
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /base/v1/events HTTP/1.1\r\n"), "{client}: {request}");
        assert!(
            request.to_ascii_lowercase().contains("content-type: application/json\r\n"),
            "{client}: {request}"
        );
        let body = request.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(serde_json::from_str::<Event>(body).unwrap(), machine.event(), "{client}");
    }
}

#[test]
fn a_quoted_value_comes_out_of_the_shell_as_it_went_in() {
    let hostile = [
        "",
        " ",
        "a'b",
        "'",
        "''",
        "$(id)",
        "`id`",
        "\\",
        "\\'",
        "\"",
        "a\nb\n",
        "$HOME",
        "!x",
        "* ?",
        "-n",
        "~",
        "ä\u{1b}[0m",
        "%s%n",
        "';reboot;'",
    ];
    for text in hostile {
        let script = format!("printf '%s|' {}", crate::host::handoff::shell::quote(text));
        let output = Command::new("sh").arg("-c").arg(&script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{text}|"), "{text:?}");
    }
}

#[test]
fn every_script_is_one_that_sh_accepts() {
    for handoff in
        [Handoff::none(), cloud_init("#cloud-config"), ansible("web.yml", Some("v1")), script("#!/bin/sh\n")]
    {
        for file in made(handoff).files.iter().filter(|file| file.content.starts_with("#!/bin/sh")) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("script"), &file.content).unwrap();
            let output = Command::new("sh").arg("-n").arg(dir.path().join("script")).output().unwrap();
            assert!(output.status.success(), "{}: {output:?}", file.path);
        }
    }
}

#[test]
fn systemd_accepts_the_unit() {
    let system = made(Handoff::none());
    let unit = content(&system, "/etc/systemd/system/ironstrap-handoff.service")
        .replace("ExecStart=/usr/lib/ironstrap/handoff", "ExecStart=/bin/true");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(reporter::UNIT);
    std::fs::write(&path, unit).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() {
        Ok(output) => {
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !printed.contains("ironstrap"), "{printed}");
        }
        Err(error) => println!("systemd-analyze was not tried: {error}"),
    }
}

#[test]
fn the_manager_waits_for_a_time_daemon_but_not_for_ever() {
    let asked = |machine: &Machine| machine.lines("bin/timedatectl.log");
    let late = "echo asked >>\"$0.log\"; echo NTP=yes; \
                if [ $(wc -l <\"$0.log\") -ge 4 ]; then echo NTPSynchronized=yes; else echo NTPSynchronized=no; fi";
    let machine = Machine::new(&made(script(
        "#!/bin/sh\ncp /var/lib/ironstrap/../bin/timedatectl.log /var/lib/ironstrap/seen\n",
    )));
    machine.program("timedatectl", late);
    let (output, printed) = machine.boot();
    assert!(output.status.success() && !printed.contains("synchronised"), "{printed}");
    assert_eq!(
        (asked(&machine), machine.lines("state/seen")),
        (4, 4),
        "the manager ran before the clock was set"
    );

    let machine = Machine::new(&counting_script(0));
    machine.program("timedatectl", "echo asked >>\"$0.log\"; echo NTP=yes; echo NTPSynchronized=no");
    let (output, printed) = machine.boot();
    assert!(output.status.success() && printed.contains("not synchronised within 30 seconds"), "{printed}");
    assert_eq!((asked(&machine), machine.lines("state/runs")), (16, 1));

    // nobody to wait for: the kernel says that nothing set the clock, and nothing is going to
    let machine = Machine::new(&counting_script(0));
    machine.program("timedatectl", "echo asked >>\"$0.log\"; echo NTP=no; echo NTPSynchronized=no");
    machine.boot();
    assert_eq!(asked(&machine), 1);
}

#[test]
fn a_clock_that_can_t_be_right_is_set_and_told_to_nobody() {
    // a clock that goes by what it is set to, if it can be
    let dead = |clock: i64, settable: &str| {
        format!(
            "case \"$*\" in\n\
             '-u -s '*) {settable}; echo \"${{3#@}}\" >\"$0.set\" ;;\n\
             +%s) if [ -e \"$0.set\" ]; then cat \"$0.set\"; else echo {clock}; fi ;;\n\
             *) exec /bin/date \"$@\" ;;\nesac"
        )
    };
    let clocks = [(77, "true", "1795000000\n"), (77, "exit 1", ""), (3_155_760_000, "true", "1795000000\n")];
    for (clock, settable, told) in clocks {
        let machine = Machine::new(&counting_script(0));
        let conf = std::fs::File::options().append(true).open(machine.path("usr/lib/ironstrap/handoff.conf"));
        let installed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_795_000_000);
        conf.unwrap().set_modified(installed).unwrap();
        machine.program("date", &dead(clock, settable));
        assert!(machine.boot().0.status.success());
        assert_eq!(std::fs::read_to_string(machine.path("bin/date.set")).unwrap_or_default(), told);
        assert_eq!(machine.event().time.as_unix(), 1_795_000_000);
    }
}
