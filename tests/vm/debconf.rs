//! debian-installer itself, in an emulated machine, loads every preseed that the golden cases hold; what its debconf database
//! holds afterwards is posted back and compared with what our files mean.
//!
//! The installer's own loader is asked (`preseed_location` of its `preseed-common`), before it has asked anything: one
//! machine, and a clean database for each file. Nothing is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cpio::newc::{Builder, ModeFileType, trailer};
use ironstrap::grammar::preseed::parse;

use crate::support::{expect, say, with_machines};

/// Of the package `debian-installer-12-netboot-amd64`.
pub const INSTALLER: &str = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
/// Runs between the installer's own scripts for a preseed in its initrd (S30) and for its command line (S32).
const STARTUP: &str = "lib/debian-installer-startup.d/S31ironstrap";
const STORY: &str = r#"#!/bin/sh
export DEBIAN_FRONTEND=none
db=/var/lib/cdebconf
mkdir /ironstrap/clean
cp $db/*.dat /ironstrap/clean/
stty -F /dev/ttyS1 raw 2>/dev/null || true
{
  for file in /ironstrap/*.cfg; do
    rm -f $db/*
    cp /ironstrap/clean/* $db/
    echo "== file ${file##*/}"
    if /ironstrap/load "file://$file" </dev/null >/dev/ttyS0 2>&1; then echo "== loaded"; fi
    grep -h -E '^(Name|Value):' $db/*.dat
  done
  echo "== end"
} > /dev/ttyS1
poweroff -f
"#;
/// The fetcher for local files would wait for a floppy disk first.
const LOAD: &str = "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\n. /lib/preseed/preseed.sh\npreseed_fetch() { cp \"${1#file://}\" \"$2\"; }\npreseed_location \"$1\"\n";
/// A preseed without answers: what the database holds anyway.
const NOTHING: &str = "00-nothing.cfg";

/// The installer's loader starts a dozen programs for each answer.
const PATIENCE: Duration = Duration::from_secs(1500);

/// Questions by name, with their values.
type Database = BTreeMap<String, String>;

#[test]
fn debian_installer_holds_what_each_preseed_means() -> Result<()> {
    with_machines("debconf", |dir| {
        if !Path::new(INSTALLER).is_dir() {
            expect::missing_program(INSTALLER, "debian-installer-12-netboot-amd64");
            return Ok(());
        }
        let preseeds = golden()?;
        ensure!(preseeds.len() >= 9, "only {} golden preseeds", preseeds.len());
        let posted = load_all(dir, &preseeds)?;
        let nothing = posted.get(NOTHING).context("the installer has not posted its own database")?;
        let mut compared = 0;
        for (name, text) in &preseeds {
            let database = posted.get(name).with_context(|| format!("{name}: not loaded"))?;
            compared += compare(text, database, nothing).with_context(|| name.clone())?;
        }
        say(&format!(
            "debian-installer holds {compared} answers of {} preseeds as they are meant",
            preseeds.len()
        ));
        ensure!(compared > 300, "only {compared} answers were compared");
        Ok(())
    })
}

/// The golden preseeds, by a name for each.
fn golden() -> Result<BTreeMap<String, String>> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        for entry in std::fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                walk(&path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "preseed") {
                found.push(path);
            }
        }
        Ok(())
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/answers");
    let mut paths = Vec::new();
    walk(&root, &mut paths)?;
    let mut preseeds = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string().replace('/', "+");
        preseeds.insert(format!("{name}.cfg"), std::fs::read_to_string(&path)?);
    }
    Ok(preseeds)
}

/// Starts the installer with the files in a further initrd, and reads what it posts.
fn load_all(dir: &Path, preseeds: &BTreeMap<String, String>) -> Result<BTreeMap<String, Database>> {
    let mut files = vec![(STARTUP.to_owned(), STORY), ("ironstrap/load".to_owned(), LOAD)];
    files.push((format!("ironstrap/{NOTHING}"), "# nothing\n"));
    files.extend(preseeds.iter().map(|(name, text)| (format!("ironstrap/{name}"), text.as_str())));
    let initrd = dir.join("initrd");
    let mut bytes =
        std::fs::read(format!("{INSTALLER}/initrd.gz")).context("reading the installer's initrd")?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&files)?);
    std::fs::write(&initrd, bytes).context("writing the initrd")?;
    let (serial, post) = (dir.join("serial.log"), dir.join("posted"));
    let mut machine = Command::new("qemu-system-x86_64")
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-m",
            "1024",
        ])
        .args(["-no-reboot", "-nic", "none", "-kernel"])
        .arg(format!("{INSTALLER}/linux"))
        .arg("-initrd")
        .arg(&initrd)
        .args(["-append", "console=ttyS0 auto=true priority=critical DEBIAN_FRONTEND=none"])
        .arg("-serial")
        .arg(format!("file:{}", serial.display()))
        .arg("-serial")
        .arg(format!("file:{}", post.display()))
        .stdin(Stdio::null())
        .spawn()
        .context("starting qemu-system-x86_64")?;
    let started = Instant::now();
    while machine.try_wait()?.is_none() {
        if started.elapsed() > PATIENCE {
            machine.kill()?;
            let said = std::fs::read_to_string(&serial).unwrap_or_default();
            let tail: Vec<_> = said.lines().rev().take(20).collect();
            bail!("the installer has not ended in time; its console ends with {tail:#?}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let posted = std::fs::read_to_string(&post).context("reading what was posted")?.replace('\r', "");
    ensure!(posted.contains("== end"), "the installer has not posted all: {}", posted.len());
    databases(&posted)
}

/// A newc archive of files, with their directories.
fn archive(files: &[(String, &str)]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let directory = Builder::new("ironstrap").mode(0o755).set_mode_file_type(ModeFileType::Directory);
    out = directory.write(out, 0).finish()?;
    for (path, text) in files {
        let builder = Builder::new(path).mode(0o755).set_mode_file_type(ModeFileType::Regular);
        let mut writer = builder.write(out, u32::try_from(text.len())?);
        std::io::Write::write_all(&mut writer, text.as_bytes())?;
        out = writer.finish()?;
    }
    Ok(trailer(out)?)
}

/// The posted databases, in cdebconf's form: of each question its name and, where it has one, its value.
fn databases(posted: &str) -> Result<BTreeMap<String, Database>> {
    let mut found = BTreeMap::new();
    for part in posted.split("== file ").skip(1) {
        let (name, rest) = part.split_once('\n').context("reading a file's name")?;
        let Some(rest) = rest.strip_prefix("== loaded\n") else {
            bail!("{name}: the installer refuses it");
        };
        let (mut database, mut question) = (Database::new(), "");
        for line in rest.lines() {
            if let Some(name) = line.strip_prefix("Name: ") {
                question = name;
            } else if let Some(value) = line.strip_prefix("Value:") {
                database.insert(question.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned());
            }
        }
        found.insert(name.trim().to_owned(), database);
    }
    Ok(found)
}

/// Holds a database against the answers of a file: each of them, and nothing beside what is there anyway.
fn compare(text: &str, database: &Database, nothing: &Database) -> Result<usize> {
    let document = parse(text);
    let mut meant = BTreeMap::new();
    for answer in document.answers().filter(|answer| !answer.is_flag()) {
        meant.insert(answer.key.as_str(), answer.value.as_str());
    }
    for (key, value) in &meant {
        let held = database.get(*key).map_or("", String::as_str);
        // it may be a hash: not shown
        ensure!(
            held == *value,
            "{key}: the installer holds {} bytes, not the {} that are meant",
            held.len(),
            value.len()
        );
    }
    for (key, value) in database {
        let before = nothing.get(key);
        ensure!(
            meant.contains_key(key.as_str()) || before == Some(value),
            "{key}: the installer holds something that no line says"
        );
    }
    Ok(meant.len())
}
