//! `ironstrap import`: an answer file that somebody wrote → a host of the site.
//!
//! [`crate::import`] does the work; here are the file, the question of its release, and what is written. Nothing that is there is
//! ever overwritten, and the host's profile is written last.

mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::text_file;
use crate::answers::Format;
use crate::grammar::detect::Grammar;
use crate::host::Os;
use crate::import::{self, Imported, NamedMachine, Request};
use crate::site::additions;
use crate::site::paths::SitePaths;
use crate::value::{HostName, Mac};

/// Most lines that say something; people's files have a hundredth of them.
const MAX_LINES: usize = 10_000;

/// Read a Kickstart, preseed or autoinstall file into a host of the site, and say what became of each line.
///
/// Writes `hosts/NAME.yaml` and what the file holds as scripts into `scripts/`; never over anything.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// What it is: kickstart, preseed or autoinstall; told from name and content where absent.
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Format>,
    /// The release that it is for, such as el-9; told from the file where absent.
    #[arg(long, value_name = "RELEASE")]
    os: Option<Os>,
    /// The host's name; what the file says, or the file's name, where absent.
    #[arg(long)]
    name: Option<HostName>,
    /// A MAC address by which the machine is recognised.
    #[arg(long, value_name = "MAC")]
    mac: Vec<Mac>,
    /// The serial number of the disk that is installed on; `sdb=SERIAL` for a further one that the file names.
    #[arg(long, value_name = "SERIAL")]
    disk: Vec<String>,
    /// Which card the file means by a kernel name: `eth0=MAC`.
    #[arg(long, value_name = "NAME=MAC")]
    card: Vec<String>,
    /// Only say what would become of each line; write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Imports the file.
///
/// # Errors
/// A file that can't be read as text, one whose kind can't be told, and a host or script that is there already.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let file = args.file.display().to_string();
    let text = text_file::read(&args.file)?;
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    ensure!(
        text.lines().filter(says).count() <= MAX_LINES,
        "reading {file}: more than {MAX_LINES} lines that say something; no answer file has so many"
    );
    let format = args.kind.map_or_else(|| kind(&file, &text), Ok)?;
    import::readable(format, &text).map_err(|why| anyhow!("reading {file}: {why}"))?;
    let (os, guessed) = release(args.os, format, &text)?;
    let machine = machine(args)?;
    let request = Request { file: &file, text: &text, os, name: args.name.clone(), machine };
    let mut imported = import::import(&request);
    if guessed {
        let note = format!("nothing says which release it is for: read as {os}; say another with --os");
        imported.report.open.insert(0, note);
    }
    let written = if args.dry_run { Vec::new() } else { write(&imported, paths)? };
    match json {
        true => report::print_json(&file, &imported, &written),
        false => report::print(&file, &imported, &written),
    }
}

fn kind(file: &str, text: &str) -> Result<Format> {
    match Grammar::of(file, text) {
        // the formats that hosts are made from have the names of their grammars
        Some(kind) => kind.name().parse().map_err(|_| {
            anyhow!("reading {file}: this looks like {}, from which no host can be made", kind.name())
        }),
        None => bail!(
            "reading {file}: this is no kind of file that is known here; name it with --as {}",
            Format::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join("|")
        ),
    }
}

/// The release, and whether it was guessed.
fn release(asked: Option<Os>, format: Format, text: &str) -> Result<(Os, bool)> {
    if let Some(os) = asked {
        ensure!(Format::of_release(os) == format, "--os {os}: its installer doesn't read {}", format.name());
        return Ok((os, false));
    }
    let said = import::release(format, text);
    Ok((said.unwrap_or(format.newest()), said.is_none()))
}

fn machine(args: &Args) -> Result<NamedMachine> {
    let mut machine = NamedMachine { macs: args.mac.clone(), ..NamedMachine::default() };
    for disk in &args.disk {
        let before = match disk.split_once('=') {
            Some((name, serial)) => {
                let mut others = machine.disks.iter().filter(|(other, _)| *other != name);
                let other = others.find(|(_, said)| *said == serial);
                ensure!(other.is_none(), "--disk {disk}: another --disk says that serial number as well");
                machine.disks.insert(name.to_owned(), serial.to_owned())
            }
            None => machine.target.replace(disk.clone()),
        };
        ensure!(before.is_none(), "--disk {disk}: another --disk says something else of that disk");
    }
    let interfaces: Result<BTreeMap<_, _>> = args
        .card
        .iter()
        .map(|card| {
            let (name, mac) = card.split_once('=').with_context(|| {
                format!("--card {card}: it must be NAME=MAC, like eth0=52:54:00:12:34:56")
            })?;
            let mac = mac.parse().map_err(|error| anyhow!("--card {card}: {error}"))?;
            Ok((name.to_owned(), mac))
        })
        .collect();
    machine.interfaces = interfaces?;
    Ok(machine)
}

/// Writes scripts, then the profile that names them.
fn write(imported: &Imported, paths: &SitePaths) -> Result<Vec<String>> {
    let scripts = imported.scripts.iter().map(|script| (script.path.clone(), script.text.as_str()));
    let profile = (format!("hosts/{}.yaml", imported.name), imported.profile.as_str());
    additions::write(paths, scripts.chain([profile]).collect())
}
