//! `ironstrap dev`: tools for ironstrap's own tests and benches; hidden from the help.

mod try_filesystem;
mod write_image;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use self::try_filesystem::Args as TryFilesystem;
use self::write_image::Args as WriteImage;
use super::output;
use crate::image::loaders;
use crate::plan::{self, Verdict};
use crate::probe::facts;
use crate::site::paths::SitePaths;
use crate::spec::lock::LockFile;
use crate::value::Digest;

/// Tools for ironstrap's own tests and benches.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a large site: a bench for `check`.
    GenerateSite {
        /// Number of hosts; each has an address of its own, so there are bounds.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        hosts: u32,
        /// Three hosts of four are installed by the installers of Enterprise Linux, Debian and Ubuntu.
        #[arg(long)]
        answers: bool,
        /// The directory to make.
        directory: PathBuf,
    },
    WriteImage(WriteImage),
    TryFilesystem(TryFilesystem),
    /// Say whether a machine starts these loaders: `starts`, `refuses` or `unknown`, and why.
    Starts {
        /// A file.
        #[arg(long)]
        shim: PathBuf,
        /// A file.
        #[arg(long)]
        grub: PathBuf,
        /// A directory in the place of the machine's `/`: its `sys/firmware/efi/efivars` is read.
        #[arg(long)]
        root: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// The directory exists, or can't be written; those of the write path.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    match &args.command {
        Command::GenerateSite { hosts, answers, directory } => {
            generate(*hosts, *answers, directory)?;
            Ok(output::print(&format!("{} has {hosts} hosts\n", directory.display()))?)
        }
        Command::WriteImage(args) => write_image::run(args, paths),
        Command::TryFilesystem(args) => try_filesystem::run(args),
        Command::Starts { shim, grub, root } => {
            let loaders = loaders::read(&read(shim)?, &read(grub)?);
            let verdict = plan::judge(loaders.as_ref(), &facts::judged_machine(root));
            Ok(output::print(&match verdict {
                Verdict::Starts => "starts\n".to_owned(),
                Verdict::Refuses(why) => format!("refuses: {why}\n"),
                Verdict::Unknown(why) => format!("unknown: {why}\n"),
            })?)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

const SITE: &str = "name: bench\nserver: http://10.0.0.1:8080\nvars: { greeting: hello }\n";

const BASE: &str = "classes: [debian-12]
image: debian-12-base@1.0.0
users:
  - name: ops
    groups: [adm]
    sudo: nopasswd
    ssh_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ops@example
kernel_args: [console=tty0, \"console=ttyS0,115200n8\"]
";

const WEB: &str = "vars: { role: web }\nhandoff: { cloud_init: { user_data: files/web.yaml.j2 } }\n";

const USER_DATA: &str = "#cloud-config
write_files:
  - path: /etc/motd
    content: |
      {{ host.name }} ({{ role }}), {{ greeting }}, rack {{ rack }}
";

/// Classes of hosts that a distribution's installer installs, above those of the others.
const ANSWERED: [(&str, &str); 3] = [
    ("el", "classes: [el-9]\n"),
    ("debian", "classes: [debian-12]\ninstaller: debian-installer\n"),
    ("ubuntu", "classes: [ubuntu-24.04]\ninstaller: subiquity\n"),
];

/// The image of the others: a site in order names none that isn't pinned.
const IMAGE: &str = "debian-12-base@1.0.0";

/// Plain writes: a bench needs no site that survives a power cut.
fn generate(hosts: u32, answers: bool, directory: &Path) -> Result<()> {
    ensure!(!directory.exists(), "{} exists already", directory.display());
    let write = |path: String, text: &str| {
        let path = directory.join(path);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    for folder in ["hosts", "profiles", "files"] {
        let path = directory.join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
    }
    write("site.yaml".to_owned(), SITE)?;
    write("profiles/base.yaml".to_owned(), BASE)?;
    write("profiles/web.yaml".to_owned(), WEB)?;
    write("files/web.yaml.j2".to_owned(), USER_DATA)?;
    let images = [(IMAGE.parse()?, Digest::of(IMAGE.as_bytes()))].into();
    let lock =
        serde_yaml::to_string(&LockFile { images, ..LockFile::default() }).context("encoding the lock")?;
    write("ironstrap.lock".to_owned(), &lock)?;
    for (name, text) in ANSWERED {
        write(format!("profiles/{name}.yaml"), &format!("{text}{WEB}"))?;
    }
    for number in 1..=hosts {
        let class = match number % 4 {
            1 if answers => "el",
            2 if answers => "debian",
            3 if answers => "ubuntu",
            _ => "web",
        };
        write(format!("hosts/node{number:05}.yaml"), &host(number, class))?;
    }
    Ok(())
}

/// One host with a fixed address, a MAC and a serial number of its own.
fn host(number: u32, class: &str) -> String {
    let [_, top, high, low] = number.to_be_bytes();
    let mac = format!("52:54:{top:02x}:ee:{high:02x}:{low:02x}");
    let rack = number / 40;
    format!(
        "name: node{number:05}
classes: [{}{class}]
vars: {{ rack: {rack} }}
match:
  mac: [\"{mac}\"]
  serial: SN{number:05}X
network:
  interfaces:
    - match: {{ mac: \"{mac}\" }}
      ipv4: {{ address: 10.{}.{high}.{low}/8, gateway: 10.0.0.1 }}
  dns: [10.0.0.1]
storage:
  target: {{ serial: DISK{number:05}, min_size: 8G }}
packages: [openssh-server, \"rack-{rack}\"]
",
        if class == "web" { "base, " } else { "" },
        1 + top
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::context::SiteContext;

    #[test]
    fn a_generated_site_has_no_mistakes() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        generate(300, true, &site).unwrap();
        let paths = SitePaths::new(&site);
        let (context, report) = SiteContext::examine(&paths).unwrap();
        assert_eq!((context.hosts.len(), report.render(false)), (300, String::new()));
        assert_eq!(crate::check::check(&paths).unwrap().answers, Vec::<String>::new());
        assert!(context.hosts.iter().all(|host| host.image.is_none() || context.locked(host).is_ok()));
        assert!(generate(1, false, &site).is_err(), "what is there is left alone");
    }
}
