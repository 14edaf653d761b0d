//! SSH host keys: the image's are gone by now; an Ed25519 one is made here so that its fingerprint can be reported.
//!
//! The other types are made by `ssh-keygen -A` on the first boot, before sshd starts: an RSA key takes long, and only the
//! installed system knows which types its sshd wants.

use anyhow::{Context, Result};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::files;
use crate::spec::image::ImageSystem;
use crate::sys::rooted::{Attributes, RootedDir};
use crate::value::HostName;

const DIRECTORY: &str = "/etc/ssh";
const UNIT: &str = "ironstrap-ssh-keys.service";
/// Others that make missing keys (cloud-init, EL's sshd-keygen) come before or after, never at the same time. The sockets
/// aren't named: they come before any ordinary service, which would be a circle. `ssh-keygen -A` leaves keys that exist
/// alone. It is not run again later: a type that was removed on purpose stays away.
const UNIT_TEXT: &str = "\
[Unit]
Description=Make the SSH host keys that the install left out
Before=ssh.service sshd.service
Before=sshd-keygen.target sshd-keygen@rsa.service sshd-keygen@ecdsa.service sshd-keygen@ed25519.service
After=cloud-init.service
ConditionPathExists=!/var/lib/ironstrap/ssh-keys-made

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
ExecStart=/bin/touch /var/lib/ironstrap/ssh-keys-made

[Install]
WantedBy=multi-user.target
";

/// Makes this host's keys. The fingerprint, as `ssh-keygen -l` prints it; `None` where the image
/// has no sshd.
pub(super) fn apply(
    root: &RootedDir,
    image: &ImageSystem,
    host: &HostName,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Option<String>> {
    let has = |tool: &str| image.tools.iter().any(|found| found == tool);
    if !has("sshd") {
        return Ok(None);
    }
    let mut seed = [0; 32];
    random(&mut seed);
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    let key = PrivateKey::new(pair, format!("root@{}", host.short())).context("making the SSH host key")?;
    let secret = key.to_openssh(LineEnding::LF).context("encoding the SSH host key")?;
    let public = key.public_key().to_openssh().context("encoding the SSH host key")? + "\n";
    root.make_dirs(DIRECTORY, Attributes::root(0o755))?;
    let path = format!("{DIRECTORY}/ssh_host_ed25519_key");
    root.write(&path, Attributes::root(0o600), secret.as_bytes())?;
    root.write(&format!("{path}.pub"), Attributes::root(0o644), public.as_bytes())?;
    if has("ssh-keygen") {
        root.make_dirs("/var/lib/ironstrap", Attributes::root(0o755))?;
        files::write_unit(root, UNIT, UNIT_TEXT)?;
        files::enable(root, UNIT)?;
    }
    Ok(Some(key.fingerprint(HashAlg::Sha256).to_string()))
}
