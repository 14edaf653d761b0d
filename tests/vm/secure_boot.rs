//! What is said before the claim is what the firmware then does: the golden image's own shim and GRUB under OVMF with variables that
//! `virt-firmware` wrote.
//!
//! What a machine starts ends in GRUB, which says so and halts. Variables are read for the verdict as a kernel would show them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ironstrap::image::loaders;
use ironstrap::image::tree::ReadTree;
use serde_json::{Value, json};

use crate::support::qemu::{Bus, Machine};
use crate::support::running::PATIENCE;
use crate::support::{binary, mini, say, target_dir, text, with_machines};

/// Variables of OVMF in which nobody is trusted yet.
const EMPTY: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// Whoever owns what tests add.
const OWNER: &str = "3a1f7c52-0b7e-4bb4-9d83-5a3c2c7d9e10";
/// `dbx`, and of its lists the kind that has hashes of certificates, as bytes.
const SECURITY: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
const BODY_SHA256: &str = "92a4d23bc0967940b420fcf98ef103ed";
/// Of shim's variables.
const SHIM: &str = "605dab50-e046-4300-abb6-3dd810dd8b23";
/// The level of a machine of which nobody has asked anything.
const NO_LEVEL: &str = "sbat,1,2021030218\n";
const REACHED: &str = "grub is reached";
/// What firmware and shim say when they don't start something.
const STOPPED: [&str; 3] = ["No bootable option", "SBAT self-check failed", "Verification failed"];
const HASH: &str = "import pefile, sys
from virt.peutils.pesign import pe_authenticode_hash
print(pe_authenticode_hash(pefile.PE(sys.argv[1])).hex())";

/// Which of its signatures a shim keeps, by number.
type Kept = &'static [usize];
/// As they stand in Debian's shim: by Microsoft's authority of 2011, and by that of 2023.
const BOTH: Kept = &[0, 1];
const OLD: Kept = &[0];
const NEW: Kept = &[1];

/// A machine and an image, and what becomes of them.
struct Case {
    name: &'static str,
    kept: Kept,
    /// What `virt-firmware` is to write, in its own words; `@2011` and `@2023` are files of certificates, `#shim` and `#grub` hashes.
    variables: &'static str,
    level: &'static str,
    beside: Beside,
    outcome: Outcome,
}

/// What a machine has beside it that `virt-firmware` has no words for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Shim was told to verify nothing.
    Lax,
    /// `dbx` has the hash of a certificate: of the first signature's, who made it, then who vouches for that.
    Revoked(usize),
}

/// What OVMF and shim do, and what is said before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Starts,
    Refuses,
    /// It starts here, and other firmwares may see it otherwise.
    StartsUnknown,
}

const DB_2011: &str = "--no-microsoft --add-db OWNER @2011";
const DB_2023: &str = "--no-microsoft --add-db OWNER @2023";
const DB_BOTH: &str = "--no-microsoft --add-db OWNER @2011 --add-db OWNER @2023";

fn case(name: &'static str, kept: Kept, variables: &'static str, starts: bool) -> Case {
    let outcome = if starts { Outcome::Starts } else { Outcome::Refuses };
    Case { name, kept, variables, level: NO_LEVEL, beside: Beside::Nothing, outcome }
}

#[test]
fn a_shim_starts_where_the_firmware_trusts_its_authority() -> Result<()> {
    judge_all(
        "secure-boot-authorities",
        [
            case("only-2023-trusts-both", BOTH, DB_2023, true),
            case("only-2011-trusts-no-2023", NEW, DB_2011, false),
            case("only-2023-trusts-no-2011", OLD, DB_2023, false),
        ],
        [
            case("only-2011-trusts-both", BOTH, DB_2011, true),
            case("nobody-signed-it", &[], DB_BOTH, false),
            case(
                "nobody-signed-it-but-its-hash-is-known",
                &[],
                "--no-microsoft --add-db-hash OWNER #shim",
                true,
            ),
            case("one-of-two-is-forbidden", BOTH, "--add-dbx-cert OWNER @2011 --microsoft-db uefi11", false),
        ],
    )
}

#[test]
fn a_raised_level_and_a_forbidden_hash_stop_shim_or_grub() -> Result<()> {
    let raised = |name, level, starts| Case { level, ..case(name, BOTH, DB_2011, starts) };
    judge_all(
        "secure-boot-levels",
        [
            raised("shim-is-too-old", "sbat,1,2099010100\nshim,99\n", false),
            raised("grub-is-too-old", "sbat,1,2099010100\nshim,4\ngrub,99\n", false),
            raised("an-old-level-is-raised-to-shims-own", "sbat,1,2021030218\nshim,99\ngrub,99\n", true),
        ],
        [
            raised("none-is-too-old", "sbat,1,2099010100\nshim,2\ngrub,3\n", true),
            case("shim-is-forbidden", BOTH, "--microsoft-db uefi11 --add-dbx-hash OWNER #shim", false),
            case("grub-is-forbidden", BOTH, "--microsoft-db uefi11 --add-dbx-hash OWNER #grub", false),
        ],
    )
}

#[test]
fn a_lax_shim_judges_itself_alone() -> Result<()> {
    let lax = |name, level, variables, starts| Case {
        level,
        beside: Beside::Lax,
        ..case(name, BOTH, variables, starts)
    };
    judge_all(
        "secure-boot-lax",
        [],
        [
            lax("lax-shim-is-too-old", "sbat,1,2099010100\nshim,99\n", DB_2011, false),
            lax(
                "lax-grub-is-too-old-and-forbidden",
                "sbat,1,2099010100\nshim,4\ngrub,99\n",
                "--microsoft-db uefi11 --add-dbx-hash OWNER #grub",
                true,
            ),
        ],
    )
}

#[test]
fn the_hash_of_a_certificate_in_dbx_stops_what_it_made_and_strikes_out_what_it_vouches_for() -> Result<()> {
    let revoked = |name, kept, variables, number, starts| Case {
        beside: Beside::Revoked(number),
        ..case(name, kept, variables, starts)
    };
    judge_all(
        "secure-boot-revoked",
        [],
        [
            Case {
                outcome: Outcome::StartsUnknown,
                ..revoked("revoked-authority-of-two", BOTH, DB_BOTH, 1, true)
            },
            revoked("revoked-authority-alone", OLD, DB_BOTH, 1, false),
            revoked("revoked-publisher-of-two", BOTH, DB_BOTH, 0, false),
        ],
    )
}

/// The first ones always, the others in `make soak`.
fn judge_all<const N: usize, const M: usize>(test: &str, always: [Case; N], soak: [Case; M]) -> Result<()> {
    with_machines(test, |dir| {
        let golden = mini::open_golden()?.esp()?;
        let (shim, grub) = (golden.read("EFI/BOOT/BOOTX64.EFI")?, golden.read("EFI/BOOT/grubx64.efi")?);
        let soaks = std::env::var_os("IRONSTRAP_SOAK").is_some();
        if !soaks {
            say(&format!("skipped: {M} more firmwares; `make soak` (IRONSTRAP_SOAK=1) runs them"));
        }
        for case in always.into_iter().chain(soak.into_iter().filter(|_| soaks)) {
            judge(dir, &case, &with_signatures(&shim, case.kept)?, &grub)
                .with_context(|| format!("firmware {}", case.name))?;
        }
        Ok(())
    })
}

fn judge(dir: &Path, case: &Case, shim: &[u8], grub: &[u8]) -> Result<()> {
    let Case { name, outcome, .. } = case;
    let disk = dir.join(format!("{name}.raw"));
    let machine = Machine::new(dir, name)?.memory(512).disk(Bus::Virtio, &disk, "S1", Some(0));
    let dir = machine.dir();
    let (shim_file, grub_file) = (dir.join("shim.efi"), dir.join("grub.efi"));
    std::fs::write(&shim_file, shim).context("writing shim")?;
    std::fs::write(&grub_file, grub).context("writing GRUB")?;
    fill(&disk, dir, &shim_file, &grub_file)?;
    let files = [("#shim", &shim_file), ("#grub", &grub_file)];
    let revoked = match case.beside {
        Beside::Nothing | Beside::Lax => None,
        Beside::Revoked(number) => {
            let loaders = loaders::read(shim, grub).context("reading shim")?;
            let chain = loaders.shim.signatures.into_iter().next().context("shim isn't signed")?;
            Some(chain.get(number).and_then(|it| it.certificate.body).context("a short chain")?.to_string())
        }
    };
    let root = write_variables(dir, case, revoked.as_deref(), &files)?;
    let mut dev = Command::new(binary()?);
    dev.args(["dev", "starts", "--shim"]).arg(&shim_file).arg("--grub").arg(&grub_file);
    let verdict = text(dev.arg("--root").arg(root))?;
    let (word, starts) = match outcome {
        Outcome::Starts => ("starts\n", true),
        Outcome::Refuses => ("refuses: ", false),
        Outcome::StartsUnknown => ("unknown: ", true),
    };
    ensure!(verdict.starts_with(word), "expected `{word}`: {verdict}");
    let reached = reaches_grub(&machine)?;
    say(&format!(
        "firmware {name}: {}, and said before: {}",
        if reached { "starts" } else { "refuses" },
        verdict.trim()
    ));
    ensure!(reached == starts, "the verdict was `{}`, and GRUB was reached: {reached}", verdict.trim());
    Ok(())
}

/// A disk with nothing but an ESP.
fn fill(disk: &Path, dir: &Path, shim: &Path, grub: &Path) -> Result<()> {
    std::fs::File::create(disk).and_then(|file| file.set_len(40 << 20)).context("creating the disk")?;
    text(Command::new("mkfs.vfat").args(["-F", "32", "-s", "1"]).arg(disk))?;
    let config = dir.join("grub.cfg");
    std::fs::write(&config, format!("echo '{REACHED}'\nhalt\n")).context("writing grub.cfg")?;
    text(Command::new("mmd").arg("-i").arg(disk).args(["::EFI", "::EFI/BOOT", "::EFI/debian"]))?;
    for (from, to) in
        [(shim, "EFI/BOOT/BOOTX64.EFI"), (grub, "EFI/BOOT/grubx64.efi"), (&*config, "EFI/debian/grub.cfg")]
    {
        text(Command::new("mcopy").arg("-i").arg(disk).arg(from).arg(format!("::{to}")))?;
    }
    Ok(())
}

/// Writes the machine's variables, and shows them below a directory as a kernel would.
fn write_variables(
    dir: &Path,
    case: &Case,
    revoked: Option<&str>,
    files: &[(&str, &PathBuf)],
) -> Result<PathBuf> {
    let certificates = certificates()?;
    let json = dir.join("vars.json");
    let mut vars = python();
    vars.args(["-m", "virt.firmware.vars", "-i", EMPTY, "--enroll-generate", "a test", "--sb"]);
    vars.arg("-o").arg(dir.join("vars.fd")).arg("--output-json").arg(&json);
    for word in case.variables.split(' ') {
        match (word.strip_prefix('@'), files.iter().find(|(name, _)| *name == word)) {
            (Some(year), _) => vars.arg(certificates.join(format!("ms-uefi-{year}.pem"))),
            (None, Some((_, file))) => vars.arg(text(python().args(["-c", HASH]).arg(file))?.trim()),
            (None, None) => vars.arg(if word == "OWNER" { OWNER } else { word }),
        };
    }
    let file = dir.join("level");
    std::fs::write(&file, case.level).context("writing the level")?;
    vars.arg("--set-sbat-level").arg(file);
    text(&mut vars)?;
    if let Some(more) = beside(case.beside, revoked) {
        let (file, stores) = (dir.join("more.json"), ["vars.fd", "more.fd"].map(|name| dir.join(name)));
        std::fs::write(&file, more.to_string()).context("writing variables")?;
        let mut vars = python();
        vars.args(["-m", "virt.firmware.vars", "-i"]).arg(&stores[0]).arg("--set-json").arg(file);
        text(vars.arg("-o").arg(&stores[1]).arg("--output-json").arg(&json))?;
        std::fs::rename(&stores[1], &stores[0]).context("renaming the variables")?;
    }
    show(dir, &std::fs::read_to_string(&json).context("reading the variables")?)
}

/// Variables as `virt-firmware` reads them; shim takes its own only if no system could have written them.
fn beside(beside: Beside, revoked: Option<&str>) -> Option<Value> {
    let variable = match beside {
        Beside::Nothing => return None,
        Beside::Lax => json!({ "name": "MokSBState", "guid": SHIM, "attr": 3, "data": "01" }),
        Beside::Revoked(_) => {
            // of one list: its length, no header, length of the entry: an owner, the hash, and no time
            let (owner, never) = ("09".repeat(16), "00".repeat(16));
            let list = format!("{BODY_SHA256}5c0000000000000040000000{owner}{}{never}", revoked?);
            let time = "ea070b1e172801000000000000000000";
            json!({ "name": "dbx", "guid": SECURITY, "attr": 39, "data": list, "time": time })
        }
    };
    Some(json!({ "version": 2, "variables": [variable] }))
}

/// The variables in files; shim shows its own under other names, and firmware says whether it enforces anything.
fn show(dir: &Path, json: &str) -> Result<PathBuf> {
    let root = dir.join("root");
    let efivars = root.join("sys/firmware/efi/efivars");
    std::fs::create_dir_all(&efivars).context("making a directory")?;
    let put = |name: &str, guid: &str, data: &[u8]| {
        std::fs::write(efivars.join(format!("{name}-{guid}")), [&[6, 0, 0, 0], data].concat())
            .with_context(|| format!("writing {name}"))
    };
    let json: Value = serde_json::from_str(json).context("reading the variables")?;
    let variables = json["variables"].as_array().context("listing variables")?;
    for variable in variables {
        let field =
            |name: &str| variable[name].as_str().with_context(|| format!("a variable without {name}"));
        let name = match field("name")? {
            "SbatLevel" => "SbatLevelRT",
            "MokSBState" => "MokSBStateRT",
            name => name,
        };
        let digits = field("data")?;
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
        let data = (0..digits.len()).step_by(2).map(byte).collect::<Result<Vec<_>, _>>()?;
        put(name, field("guid")?, &data)?;
    }
    ensure!(variables.iter().any(|it| it["name"] == "PK"), "nobody owns this firmware: it enforces nothing");
    put("SecureBoot", "8be4df61-93ca-11d2-aa0d-00e098032b8c", &[1])?;
    put("SetupMode", "8be4df61-93ca-11d2-aa0d-00e098032b8c", &[0])?;
    Ok(root)
}

fn reaches_grub(machine: &Machine) -> Result<bool> {
    let running = machine.start()?;
    let log = machine.dir().join("serial.log");
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
        if said.contains(REACHED) {
            return Ok(true);
        }
        if STOPPED.iter().any(|words| said.contains(words)) {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(running);
    bail!("neither GRUB nor a refusal within {} s", PATIENCE.as_secs())
}

/// The program with these of its signatures alone: they are last in it, and no signature covers them.
fn with_signatures(program: &[u8], kept: Kept) -> Result<Vec<u8>> {
    let number = |at: usize| -> Result<usize> {
        let bytes = program.get(at..at + 4).context("reading a header")?;
        Ok(usize::try_from(u32::from_le_bytes(bytes.try_into()?))?)
    };
    // PE32+: behind signature, file header and 112 bytes of the optional one, the fifth directory
    let directory = number(0x3c)? + 4 + 20 + 112 + 4 * 8;
    let (begin, length) = (number(directory)?, number(directory + 4)?);
    let (mut signatures, mut at) = (Vec::new(), begin);
    while at < begin + length {
        let end = at + number(at)?.next_multiple_of(8);
        signatures.push(program.get(at..end).context("reading a signature")?);
        at = end;
    }
    ensure!(signatures.len() == 2, "the golden image's shim has {} signatures, not two", signatures.len());
    let table: Vec<u8> = kept.iter().flat_map(|number| signatures[*number]).copied().collect();
    let mut changed = program[..begin].to_vec();
    let place = if table.is_empty() { 0 } else { u32::try_from(begin)? };
    changed[directory..directory + 4].copy_from_slice(&place.to_le_bytes());
    changed[directory + 4..directory + 8].copy_from_slice(&u32::try_from(table.len())?.to_le_bytes());
    changed.extend(table);
    Ok(changed)
}

fn python() -> Command {
    let mut python = Command::new(target_dir().join("venv/bin/python3"));
    python.args(["-W", "ignore"]);
    python
}

/// Where `virt-firmware` keeps the certificates of those who sign.
fn certificates() -> Result<PathBuf> {
    let words =
        "import os, virt.firmware; print(os.path.join(virt.firmware.__path__[0], 'certs', 'microsoft.com'))";
    Ok(text(python().args(["-c", words]))?.trim().into())
}
