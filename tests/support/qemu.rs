//! Virtual machines: what they are made of, and the command that starts them.
//!
//! Every machine is a q35 with UEFI, Secure Boot enforced with Microsoft's keys, under software emulation: that is what
//! runs everywhere. The flags are those that were tried; SMM is what makes Secure Boot's variables safe from the guest.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::running::{self, Running};
use super::wire::{TAP, Wire};

const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd";
const VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
/// Variables of a firmware without keys, which starts anything.
const KEYLESS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// virtio-blk.
    Virtio,
    /// NVMe.
    Nvme,
    /// SATA.
    Ahci,
    /// USB stick.
    Usb,
}

/// A disk of a machine.
#[derive(Debug, Clone)]
struct Drive {
    id: String,
    bus: Bus,
    file: String,
    serial: String,
    boot: Option<u32>,
}

/// A network card and what QEMU's user network offers on it. The host's loopback is 10.0.2.2 for the guest.
#[derive(Debug, Clone)]
struct Card {
    mac: String,
    boot: Option<u32>,
    /// Directory and file that the network's TFTP server and DHCP answer name.
    tftp: Option<(PathBuf, String)>,
    /// Port of the host's loopback that reaches the guest's SSH.
    ssh: Option<u16>,
    /// It is on a wire's tap instead, where others serve DHCP and TFTP.
    on_wire: bool,
}

/// A machine that can be started, more than once: its disks and its firmware's variables stay.
#[derive(Debug, Clone)]
pub struct Machine {
    name: String,
    dir: PathBuf,
    memory: u32,
    uuid: Option<String>,
    serial: Option<String>,
    drives: Vec<Drive>,
    card: Option<Card>,
    extra: Vec<String>,
    /// What starts QEMU where it doesn't start by itself.
    prefix: Vec<String>,
    /// What its memory is, where it was frozen before.
    frozen: Option<PathBuf>,
}

impl Machine {
    /// A machine without disks; its files go to `dir/name`.
    ///
    /// # Errors
    /// When the firmware isn't installed or the directory can't be made.
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        std::fs::copy(VARS, dir.join("vars.fd")).with_context(|| format!("copying {VARS} (package ovmf)"))?;
        Ok(Self {
            name: name.to_owned(),
            dir,
            memory: 2048,
            uuid: None,
            serial: None,
            drives: Vec::new(),
            card: None,
            extra: Vec::new(),
            prefix: Vec::new(),
            frozen: None,
        })
    }

    /// Secure Boot is off, as somebody else's loader wants it.
    ///
    /// # Errors
    /// When the firmware isn't installed.
    pub fn without_secure_boot(self) -> Result<Self> {
        let vars = self.dir.join("vars.fd");
        std::fs::copy(KEYLESS, vars).with_context(|| format!("copying {KEYLESS} (package ovmf)"))?;
        Ok(self)
    }

    /// Memory in MiB.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory = mib;
        self
    }

    /// SMBIOS system UUID.
    pub fn uuid(mut self, uuid: &str) -> Self {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// SMBIOS system serial number.
    pub fn serial(mut self, serial: &str) -> Self {
        self.serial = Some(serial.to_owned());
        self
    }

    /// A disk. `boot` is its place in the firmware's order, lowest first.
    pub fn disk(mut self, bus: Bus, file: &Path, serial: &str, boot: Option<u32>) -> Self {
        self.drives.push(Drive {
            id: format!("disk{}", self.drives.len()),
            bus,
            file: format!("file={},format=raw", file.display()),
            serial: serial.to_owned(),
            boot,
        });
        self
    }

    /// A disk whose file is given in QEMU's own words, such as a recorder of writes.
    pub fn disk_of_blockdev(mut self, node: &str, serial: &str, blockdevs: &[String]) -> Self {
        for blockdev in blockdevs {
            self.extra.extend(["-blockdev".to_owned(), blockdev.clone()]);
        }
        self.extra.extend([
            "-device".to_owned(),
            format!("virtio-blk-pci,drive={node},serial={serial},bootindex=2"),
        ]);
        self
    }

    /// A USB stick. Its writes (the recorder) go to the file.
    pub fn stick(mut self, file: &Path, boot: u32) -> Self {
        self.drives.push(Drive {
            id: "stick".to_owned(),
            bus: Bus::Usb,
            file: format!("file={},format=raw", file.display()),
            serial: "STICK1".to_owned(),
            boot: Some(boot),
        });
        self
    }

    /// A network card; nothing to boot from.
    pub fn network(mut self, mac: &str) -> Self {
        self.card = Some(Card { mac: mac.to_owned(), boot: None, tftp: None, ssh: None, on_wire: false });
        self
    }

    /// The firmware may boot from the network card: TFTP serves `tree`, DHCP names `file`.
    pub fn boots_from_network(mut self, tree: &Path, file: &str, boot: u32) -> Self {
        if let Some(card) = &mut self.card {
            card.tftp = Some((tree.to_owned(), file.to_owned()));
            card.boot = Some(boot);
        }
        self
    }

    /// The firmware may boot from the network card, which is on this wire.
    pub fn boots_from_wire(mut self, wire: &Wire, boot: u32) -> Self {
        self.prefix = wire.prefix();
        if let Some(card) = &mut self.card {
            card.on_wire = true;
            card.boot = Some(boot);
        }
        self
    }

    /// What its card sends and gets is kept in this file, in the format of libpcap.
    pub fn captured(mut self, file: &Path) -> Self {
        let filter = format!("filter-dump,id=capture,netdev=net0,file={}", file.display());
        self.extra.extend(["-object".to_owned(), filter]);
        self
    }

    /// The guest's SSH is reached on this port of the host's loopback.
    pub fn ssh(mut self, port: u16) -> Self {
        if let Some(card) = &mut self.card {
            card.ssh = Some(port);
        }
        self
    }

    /// The guest's reboot ends the machine, so that nothing is written after it.
    pub fn ends_at_reboot(mut self) -> Self {
        self.extra.push("-no-reboot".to_owned());
        self
    }

    /// Its battery is dead: the clock begins in 1970 whenever it is switched on.
    pub fn dead_clock(mut self) -> Self {
        self.extra.extend(["-rtc", "base=1970-01-01"].map(str::to_owned));
        self
    }

    /// It goes on where a machine of the same parts was frozen: see [`Running::freeze`].
    pub fn thaws(mut self, memory: &Path) -> Self {
        self.frozen = Some(memory.to_owned());
        self
    }

    /// Takes the stick out.
    pub fn without_stick(mut self) -> Self {
        self.drives.retain(|drive| drive.bus != Bus::Usb);
        self
    }

    /// Its name in tests and logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Switches it on.
    ///
    /// # Errors
    /// When QEMU doesn't start.
    pub fn start(&self) -> Result<Running> {
        let errors = std::fs::File::create(self.dir.join("qemu.log")).context("creating QEMU's log")?;
        let words: Vec<_> = self.prefix.iter().map(String::as_str).chain(["qemu-system-x86_64"]).collect();
        let (program, before) = words.split_first().context("naming a program")?;
        let mut command = Command::new(program);
        // A socket's path may have 108 bytes; a checkout's may have more.
        let sockets = tempfile::tempdir().context("making a directory for sockets")?;
        command
            .args(before)
            .args(self.arguments(sockets.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let mut running = Running::start(&mut command, &self.name, &self.dir, sockets)?;
        if self.frozen.is_some() {
            running.go_on()?;
        }
        Ok(running)
    }

    fn arguments(&self, sockets: &Path) -> Vec<OsString> {
        let mut args: Vec<String> = Vec::new();
        let mut push = |words: &[&str]| args.extend(words.iter().map(|word| (*word).to_owned()));
        push(&["-name", &self.name, "-nodefaults", "-no-user-config", "-display", "none"]);
        push(&["-machine", "q35,smm=on", "-accel", "tcg", "-smp", "1"]);
        // Time is what the machine has executed, 8 ns an instruction, and not the host's clock: on a busy host, Debian 12's OVMF
        // would start the next tick within the last one's handler until the end of days (mended upstream in 2023).
        push(&["-icount", "shift=3"]);
        push(&["-m", &self.memory.to_string()]);
        push(&["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        push(&["-global", "ICH9-LPC.disable_s3=1"]);
        push(&["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={CODE}")]);
        let vars = self.dir.join("vars.fd");
        push(&["-drive", &format!("if=pflash,unit=1,format=raw,file={}", vars.display())]);
        let (log, socket) = (self.dir.join("serial.log"), sockets.join("serial.sock"));
        push(&[
            "-chardev",
            &format!(
                "socket,id=serial,path={},server=on,wait=off,logfile={}",
                socket.display(),
                log.display()
            ),
            "-serial",
            "chardev:serial",
        ]);
        for socket in [running::MONITOR, running::WATCH] {
            push(&["-qmp", &format!("unix:{},server=on,wait=off", sockets.join(socket).display())]);
        }
        push(&["-device", "virtio-rng-pci", "-device", "qemu-xhci"]);
        push(&["-smbios", &self.smbios()]);
        self.drives.iter().for_each(|drive| args.extend(drive.arguments()));
        match &self.card {
            Some(card) => args.extend(card.arguments()),
            None => args.extend(["-nic", "none"].map(str::to_owned)),
        }
        args.extend(self.extra.iter().cloned());
        if let Some(memory) = &self.frozen {
            args.extend(["-incoming".to_owned(), format!("exec:cat '{}'", memory.display())]);
        }
        args.into_iter().map(OsString::from).collect()
    }

    fn smbios(&self) -> String {
        let mut text = "type=1,manufacturer=QEMU,product=Test Machine".to_owned();
        for (key, value) in [("uuid", &self.uuid), ("serial", &self.serial)] {
            if let Some(value) = value {
                text.push_str(&format!(",{key}={value}"));
            }
        }
        text
    }
}

impl Drive {
    fn arguments(&self) -> Vec<String> {
        let Self { id, bus, file, serial, boot } = self;
        let boot = boot.map_or_else(String::new, |boot| format!(",bootindex={boot}"));
        let device = match bus {
            Bus::Virtio => format!("virtio-blk-pci,drive={id},serial={serial}{boot}"),
            Bus::Nvme => format!("nvme,drive={id},serial={serial}{boot}"),
            Bus::Ahci => format!("ide-hd,drive={id},serial={serial}{boot}"),
            Bus::Usb => format!("usb-storage,drive={id},serial={serial},removable=on{boot}"),
        };
        // The host's page cache outlives a killed QEMU, so that flushes needn't reach the host's disk.
        [
            "-drive".to_owned(),
            format!("if=none,id={id},cache=unsafe,discard=unmap,detect-zeroes=unmap,{file}"),
            "-device".to_owned(),
            device,
        ]
        .into()
    }
}

impl Card {
    fn arguments(&self) -> Vec<String> {
        let mut net = match self.on_wire {
            true => format!("tap,id=net0,ifname={TAP},script=no,downscript=no,vnet_hdr=off"),
            false => "user,id=net0".to_owned(),
        };
        if let Some((tree, file)) = &self.tftp {
            net.push_str(&format!(",tftp={},bootfile={file}", tree.display()));
        }
        if let Some(port) = self.ssh {
            net.push_str(&format!(",hostfwd=tcp:127.0.0.1:{port}-:22"));
        }
        let boot = self.boot.map_or_else(String::new, |boot| format!(",bootindex={boot}"));
        // Without its option ROM (an old iPXE) OVMF's own PXE runs; the shim refuses to load GRUB through that iPXE.
        let card = format!("virtio-net-pci,netdev=net0,mac={},romfile={boot}", self.mac);
        ["-netdev".to_owned(), net, "-device".to_owned(), card].into()
    }
}

/// A port of the loopback that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("finding a free port")?;
    Ok(listener.local_addr().context("asking for the port")?.port())
}
