//! Answer files as operators and installers meet them: rendered by the binary, compared with golden files, judged by the
//! formats' own validators, and their disk selection run by a shell on made-up machines.
//!
//! A case is a folder in `tests/golden/answers`: `site/` (or none, for the example site) and the files that hosts of it
//! must give: `<host>@<release>.<format>`, or the same with `.error` for what is said instead. `IRONSTRAP_BLESS=1` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, and says aloud what it skips"
)]

mod autoinstall;
mod coverage;
mod disks;
mod encryption;
#[path = "../support/expect.rs"]
mod expect;
mod partman;
mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect::Expected;
use ironstrap::host::Os;
use ironstrap::spec::installer::TAKE_OVER;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every golden file with the site that it belongs to, the host and the format; files that say `.error` as well.
fn golden() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for case in std::fs::read_dir(root().join("tests/golden/answers")).unwrap() {
        let case = case.unwrap().path();
        let own = case.join("site");
        let site = if own.is_dir() { own } else { root().join("profiles/example") };
        let files = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.is_file()).map(|path| (site.clone(), path)));
    }
    found.sort();
    assert!(found.len() >= 4, "the golden files are gone");
    found
}

fn render(site: &Path, host: &str, os: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ironstrap"));
    command.arg("-C").arg(site).args(["render", host, "--os", os]).output().unwrap()
}

/// Host, release, format, and whether it fails, of a golden file.
fn parts(path: &Path) -> (&str, &str, &str, bool) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let (whole, fails) = name.strip_suffix(".error").map_or((name, false), |name| (name, true));
    let (rest, format) = whole.rsplit_once('.').unwrap();
    let (host, os) = rest.split_once('@').unwrap();
    (host, os, format, fails)
}

/// Long runs of base64 are files of the hand-off, which has golden files of its own.
fn without_files(text: &str) -> String {
    const LONGEST_KEY: usize = 100;
    let carried = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let word = |word: &str| {
        if word.len() > LONGEST_KEY && word.chars().all(carried) {
            "BASE64".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_host_gives_its_golden_file() {
    let mut expected = Expected::new();
    for (site, path) in golden() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (host, os, _, fails) = parts(&path);
        let output = render(&site, host, os);
        assert_eq!(output.status.code(), Some(i32::from(fails)), "{name}: {output:?}");
        let got =
            without_files(std::str::from_utf8(if fails { &output.stderr } else { &output.stdout }).unwrap());
        expected.file(&path, &got);
    }
    expected.judge();
}

/// A file whose host is gone would be an error that somebody expects, and a host without a file is expected to be anything.
#[test]
fn every_golden_file_has_a_host_of_its_site_and_every_host_a_file() {
    let mut hosts = BTreeMap::new();
    for (site, path) in golden() {
        let case = path.parent().unwrap().to_owned();
        let (host, ..) = parts(&path);
        assert!(site.join(format!("hosts/{host}.yaml")).is_file(), "{} is stale", path.display());
        hosts.entry((case, site)).or_insert_with(BTreeSet::new).insert(host.to_owned());
    }
    for ((case, site), expected) in hosts.into_iter().filter(|((case, site), _)| site.starts_with(case)) {
        for host in std::fs::read_dir(site.join("hosts")).unwrap().map(|entry| entry.unwrap().path()) {
            let name = host.file_stem().unwrap().to_str().unwrap();
            assert!(expected.contains(name), "{}: nothing is expected of {name}", case.display());
        }
    }
}

/// What the hosts with golden files of a format give: name and whole text.
fn rendered(format: &str) -> Vec<(String, String)> {
    let texts = rendered_if(|path| path.extension().is_some_and(|have| have == format));
    assert!(!texts.is_empty());
    texts
}

/// Those of them whose installer installs, and doesn't only hand over to our agent.
fn installing(format: &str) -> Vec<(String, String)> {
    let texts = rendered(format).into_iter();
    texts.filter(|(_, text)| !text.contains(TAKE_OVER)).collect()
}

fn rendered_if(wanted: impl Fn(&Path) -> bool) -> Vec<(String, String)> {
    let cases = golden().into_iter().filter(|(_, path)| wanted(path));
    let texts = cases.map(|(site, path)| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (host, os, ..) = parts(&path);
        let output = render(&site, host, os);
        (name, String::from_utf8(output.stdout).unwrap())
    });
    texts.collect()
}

/// What a validator complains of, empty where it is content; or says aloud that it isn't there.
fn said(program: &Path, args: &[&str], file: &Path, package: &str) -> Option<String> {
    let mut command = Command::new(program);
    // ksvalidator leaves its copy of what it reads behind
    command.args(args).arg(file).env("TMPDIR", file.parent().unwrap());
    match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            expect::missing_program(&program.display().to_string(), package);
            None
        }
        Err(error) => panic!("{}: {error}", program.display()),
        Ok(output) if output.status.success() => Some(String::new()),
        Ok(output) => {
            let said = [output.stdout, output.stderr]
                .map(|said| String::from_utf8_lossy(&said).into_owned())
                .concat();
            assert!(!said.is_empty(), "{} fails without a word", program.display());
            Some(said)
        }
    }
}

/// Runs a validator, or says aloud why not.
fn judge(program: &Path, args: &[&str], file: &Path, package: &str) {
    if let Some(said) = said(program, args, file, package) {
        assert!(said.is_empty(), "{} refuses {}:\n{said}", program.display(), file.display());
    }
}

/// Where ksvalidator is: named by the environment, in the virtual environment beside the build, or on the path.
fn ksvalidator() -> PathBuf {
    if let Some(path) = std::env::var_os("IRONSTRAP_KSVALIDATOR") {
        return PathBuf::from(path);
    }
    let beside = root().join("target/venv/bin/ksvalidator");
    if beside.is_file() { beside } else { PathBuf::from("ksvalidator") }
}

/// The commands that `%pre` would write for the installer to include, with names in the place of what it finds. A shell
/// reads the here-document, so that escaping is judged as well.
fn included(kickstart: &str, file: &str) -> String {
    let (_, rest) = kickstart.split_once(&format!("cat > {file} <<IRONSTRAP\n")).unwrap();
    let (commands, _) = rest.split_once("\nIRONSTRAP\n").unwrap();
    let mut names: Vec<&str> = Vec::new();
    for (place, _) in commands.match_indices('$').filter(|(place, _)| !commands[..*place].ends_with('\\')) {
        let rest = &commands[place + 1..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if !names.contains(&&rest[..end]) {
            names.push(&rest[..end]);
        }
    }
    let variables: String =
        (b'a'..).zip(names).map(|(c, name)| format!("{name}=vd{}\n", c as char)).collect();
    let script = format!("{variables}cat <<IRONSTRAP\n{commands}\nIRONSTRAP\n");
    let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A Kickstart as the installer has it after `%pre`.
fn whole(text: &str) -> String {
    let files = ["/tmp/ironstrap-storage.ks", "/tmp/ironstrap-network.ks"];
    let include = |file: &str| format!("%include {file}\n");
    let used = files.into_iter().filter(|file| text.contains(&include(file)));
    used.fold(text.to_owned(), |whole, file| whole.replace(&include(file), &included(text, file)))
}

/// Whether all that a validator says is that a VLAN's line names the link that it is on, which has a line of its own: it
/// compares `--device` only, and Anaconda's documentation writes VLANs so.
fn is_about_vlans(said: &str, kickstart: &str) -> bool {
    let vlans = kickstart.lines().filter(|line| line.contains(" --vlanid="));
    let on: Vec<_> =
        vlans.filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("--device="))).collect();
    let known = |line: &str| {
        let name = line.strip_prefix("A network device with the name ");
        name.and_then(|rest| rest.strip_suffix(" has already been defined."))
            .is_some_and(|name| on.contains(&name))
    };
    let mut lines =
        said.lines().filter(|line| !line.is_empty() && !line.starts_with("Checking kickstart file"));
    lines.all(known)
}

#[test]
fn pykickstart_accepts_every_kickstart_with_what_pre_writes() {
    let dir = tempfile::tempdir().unwrap();
    let program = ksvalidator();
    let newest_of_ours = Os::ALL.into_iter().rfind(|os| os.is_fedora());
    for (name, text) in rendered("kickstart") {
        let whole = whole(&text);
        assert!(whole != text && !whole.contains("%include"), "{name}");
        let file = dir.path().join(&name);
        std::fs::write(&file, &whole).unwrap();
        let (_, os, ..) = parts(Path::new(&name));
        let dialect = match os {
            "el-8" => "RHEL8",
            "el-9" => "RHEL9",
            "el-10" => "RHEL10",
            "fedora-43" => "F43",
            "fedora-44" => "F44",
            "fedora-45" => "F45",
            _ => panic!("{name}: which dialect is that?"),
        };
        assert_eq!(text.lines().next(), Some(format!("#version={dialect}").as_str()), "{name}");
        // what comes next refuses none of it either, as far as it is known
        let next = newest_of_ours
            .is_some_and(|newest| os == newest.name())
            .then(|| newest_fedora(&program))
            .flatten();
        for dialect in std::iter::once(dialect).chain(next.as_deref()) {
            let Some(said) = said(&program, &["-v", dialect], &file, "pykickstart of the Python registry")
            else {
                continue;
            };
            assert!(
                is_about_vlans(&said, &whole),
                "{} refuses {name} for {dialect}:\n{said}",
                program.display()
            );
        }
    }
}

/// The newest one that the stock validator knows.
fn newest_fedora(ksvalidator: &Path) -> Option<String> {
    let known = Command::new(ksvalidator).arg("-l").output().ok()?.stdout;
    let known = String::from_utf8(known).unwrap();
    let numbers = known.split_whitespace().filter_map(|name| name.strip_prefix('F')?.parse::<u32>().ok());
    let newest = numbers.max();
    assert!(newest >= Some(45), "{known}");
    newest.map(|number| format!("F{number}"))
}

#[test]
fn debconf_accepts_every_preseed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in rendered("preseed") {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        judge(Path::new("debconf-set-selections"), &["-c"], &file, "Debian's package debconf");
    }
}

#[test]
fn the_site_s_own_template_is_used_and_its_mistakes_are_shown_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(root().join("profiles/example/.")).arg(dir.path()).status();
    assert!(copied.unwrap().success());
    let template = dir.path().join("templates/preseed.j2");
    std::fs::create_dir_all(template.parent().unwrap()).unwrap();
    std::fs::write(&template, "d-i netcfg/hostname string {{ host.short }}\n").unwrap();
    let output = render(dir.path(), "deb01", "debian-12");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "d-i netcfg/hostname string deb01\n");
    std::fs::write(&template, "\nd-i netcfg/hostname string {{ host.shrt }}\n").unwrap();
    let said = String::from_utf8(render(dir.path(), "deb01", "debian-12").stderr).unwrap();
    assert!(said.contains("templates/preseed.j2:2: undefined value: `host.shrt`"), "{said}");
    assert!(!said.contains("netcfg/hostname"), "what stands beside a mistake may be a secret: {said}");
}
