//! The makers of the list: what the agent makes anew where the image has one.
//!
//! Files keep their owner and permissions. Each maker needs nothing but the old file and random bytes, so that the same bytes
//! give the same tree.

use std::fmt::Write as _;

use anyhow::Result;
use uuid::Uuid;

use super::super::files;
use super::forget;
use crate::image_rules::UNITS;
use crate::image_rules::identity::{Maker, Trace};
use crate::sys::rooted::{Attributes, EntryKind, RootedDir};

const SEED_SIZE: usize = 512;
/// Where iscsi-iname(8) of Debian makes names; for one that has no naming authority of its own.
const ISCSI_AUTHORITY: &str = "iqn.1993-08.org.debian:01:";

const SNAKEOIL_TOOL: &str = "/usr/sbin/make-ssl-cert";
const SNAKEOIL_UNIT: &str = "ironstrap-snakeoil.service";
/// Before all ordinary services: which of them use the pair, nobody knows. The name in the certificate is in `/etc/hosts`.
/// Not run again later: a pair that was removed on purpose stays away.
const SNAKEOIL_TEXT: &str = "\
[Unit]
Description=Make the self-signed certificate that the install left out
DefaultDependencies=no
Conflicts=shutdown.target
After=local-fs.target systemd-tmpfiles-setup.service systemd-random-seed.service
Before=sysinit.target shutdown.target
ConditionPathExists=!/var/lib/ironstrap/snakeoil-made

[Service]
Type=oneshot
TimeoutStartSec=2min
Environment=DEBIAN_FRONTEND=noninteractive
ExecStart=/usr/sbin/make-ssl-cert generate-default-snakeoil
ExecStart=/bin/touch /var/lib/ironstrap/snakeoil-made

[Install]
WantedBy=multi-user.target
";

pub(super) fn uuid(random: &mut dyn FnMut(&mut [u8])) -> Uuid {
    let mut bytes = [0; 16];
    random(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Makes what stands at the trace's places anew; `nvme` is this host's UUID there.
pub(super) fn make(
    root: &RootedDir,
    esp: &RootedDir,
    trace: &Trace,
    maker: Maker,
    nvme: Uuid,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<()> {
    match maker {
        Maker::MachineId => root.write("/etc/machine-id", Attributes::root(0o444), b""),
        Maker::MachineIdLink if root.exists("/var/lib/dbus") => {
            root.symlink("/etc/machine-id", "/var/lib/dbus/machine-id", 0, 0)
        }
        Maker::RandomSeed => {
            let mut seed = [0; SEED_SIZE];
            random(&mut seed);
            root.make_dirs("/var/lib/systemd", Attributes::root(0o755))?;
            root.write("/var/lib/systemd/random-seed", Attributes::root(0o600), &seed)
        }
        Maker::IscsiName => {
            let name = hex(random, 6);
            rewrite(root, trace, |text| iscsi_name(text, &name))
        }
        Maker::NvmeName => {
            rewrite(root, trace, |_| format!("nqn.2014-08.org.nvmexpress:uuid:{nvme}\n").into_bytes())
        }
        Maker::NvmeId => rewrite(root, trace, |_| format!("{nvme}\n").into_bytes()),
        Maker::HostId => {
            let mut id = [0; 4];
            random(&mut id);
            // ZFS takes zero for none
            id[0] |= 1;
            rewrite(root, trace, |_| id.to_vec())
        }
        Maker::PopconId => {
            let id = hex(random, 16);
            rewrite(root, trace, |text| {
                replace_lines(text, |line| {
                    line.starts_with("MY_HOSTID=").then(|| format!("MY_HOSTID=\"{id}\""))
                })
            })
        }
        Maker::Snakeoil => snakeoil(root, esp, trace),
        // made by the step that reports its fingerprint
        Maker::SshKeys => forget(root, esp, trace),
        // written with the network
        Maker::Resolver | Maker::MachineIdLink => Ok(()),
    }
}

/// Gives the files of a trace other content, where they are.
fn rewrite(root: &RootedDir, trace: &Trace, content: impl Fn(&str) -> Vec<u8>) -> Result<()> {
    for place in trace.places {
        for path in place.find(root)? {
            let before = root.read(&path)?.unwrap_or_default();
            let after = content(&String::from_utf8_lossy(&before));
            root.rewrite(&path, Attributes::root(0o600), &after)?;
        }
    }
    Ok(())
}

fn hex(random: &mut dyn FnMut(&mut [u8]), bytes: usize) -> String {
    let mut drawn = vec![0; bytes];
    random(&mut drawn);
    drawn.iter().fold(String::new(), |mut text, byte| {
        // writing to a String doesn't fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn replace_lines(text: &str, replace: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    text.lines()
        .map(|line| replace(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect::<String>()
        .into()
}

/// The file with another name in it: what stands before the last colon is the naming authority and stays. `GenerateName=yes`
/// makes the system draw a name at its first boot, and overrides one that stands beside it.
fn iscsi_name(text: &str, name: &str) -> Vec<u8> {
    let generates = text.lines().any(|line| line.starts_with("GenerateName=yes"));
    replace_lines(text, |line| {
        let old = line.trim_start().strip_prefix("InitiatorName=")?.trim();
        if generates {
            return Some("# The name is made at the first boot.".to_owned());
        }
        let authority = match old.rsplit_once(':') {
            Some((authority, _)) if old.starts_with("iqn.") => format!("{authority}:"),
            None if old.starts_with("iqn.") => format!("{old}:"),
            // EUI-64 and NAA numbers are handed out to makers of hardware
            _ => ISCSI_AUTHORITY.to_owned(),
        };
        Some(format!("InitiatorName={authority}{name}"))
    })
}

fn snakeoil(root: &RootedDir, esp: &RootedDir, trace: &Trace) -> Result<()> {
    let mut had = root.exists(&format!("{UNITS}/{SNAKEOIL_UNIT}"));
    for place in trace.places {
        had |= !place.find(root)?.is_empty();
    }
    if !had {
        return Ok(());
    }
    forget(root, esp, trace)?;
    // the name of such a link is a digest of the old subject
    const CERTIFICATES: &str = "/etc/ssl/certs";
    for (name, kind) in root.list(CERTIFICATES)? {
        let path = format!("{CERTIFICATES}/{name}");
        if kind == EntryKind::Link
            && root.read_link(&path)?.is_some_and(|target| target.ends_with("ssl-cert-snakeoil.pem"))
        {
            root.remove(&path)?;
        }
    }
    if root.exists(SNAKEOIL_TOOL) {
        root.make_dirs("/var/lib/ironstrap", Attributes::root(0o755))?;
        files::write_unit(root, SNAKEOIL_UNIT, SNAKEOIL_TEXT)?;
        files::enable(root, SNAKEOIL_UNIT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iscsi_name_keeps_its_authority_and_nothing_else() {
        let cases = [
            ("InitiatorName=iqn.1993-08.org.debian:01:abc", "InitiatorName=iqn.1993-08.org.debian:01:0a0b\n"),
            ("InitiatorName=iqn.1994-05.com.redhat:abc\n", "InitiatorName=iqn.1994-05.com.redhat:0a0b\n"),
            ("InitiatorName=iqn.2001-04.com.example", "InitiatorName=iqn.2001-04.com.example:0a0b\n"),
            ("InitiatorName=eui.02004567a425678d", "InitiatorName=iqn.1993-08.org.debian:01:0a0b\n"),
            ("# InitiatorName=x\nInitiatorAlias=a\n", "# InitiatorName=x\nInitiatorAlias=a\n"),
            ("GenerateName=yes\n", "GenerateName=yes\n"),
            (
                "GenerateName=yes\nInitiatorName=iqn.x:1\n",
                "GenerateName=yes\n# The name is made at the first boot.\n",
            ),
        ];
        for (before, after) in cases {
            assert_eq!(String::from_utf8(iscsi_name(before, "0a0b")).unwrap(), after);
        }
    }
}
