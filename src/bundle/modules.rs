//! Which kernel modules the installer needs: a selection by folder and name, closed over what they depend on.
//!
//! There is no modprobe on the target and no second chance: whatever the kernel may ask for between its start and the
//! first file on the installed root has to be in here. Pure text work over `modules.dep` and its siblings; reading files
//! is the caller's business.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::spec::depmod::{self, Alias, Dep, module_name, plain_name, plain_pattern};

/// Folders of `kernel/` whose modules are taken, all of them: buses, storage and wired networks.
const FOLDERS: &[&str] = &[
    "drivers/ata/",
    "drivers/cdrom/",
    "drivers/hv/",
    "drivers/message/fusion/",
    "drivers/mmc/",
    "drivers/net/ethernet/",
    "drivers/net/hyperv/",
    "drivers/net/mdio/",
    "drivers/net/pcs/",
    "drivers/net/phy/",
    "drivers/nvme/common/",
    "drivers/nvme/host/",
    "drivers/scsi/",
    "drivers/ufs/",
    "drivers/usb/core/",
    "drivers/usb/host/",
    "drivers/usb/storage/",
    "drivers/virtio/",
    "fs/efivarfs/",
    "fs/ext4/",
    "fs/fat/",
    "fs/jbd2/",
    "fs/xfs/",
];

/// Within them: nothing that an install reads from or reports through.
const LEFT_OUT: &[&str] = &[
    // switches, not adapters
    "drivers/net/ethernet/mellanox/mlxsw/",
    "drivers/net/ethernet/marvell/prestera/",
    "drivers/net/ethernet/mscc/",
    // tests and tape changers
    "drivers/scsi/scsi_debug",
    "drivers/mmc/core/mmc_test",
    "drivers/mmc/host/of_mmc_spi",
    "drivers/scsi/pcmcia/",
    "drivers/scsi/st.ko",
    "drivers/scsi/ch.ko",
];

/// Single modules, by name. One that a kernel has built in or doesn't know is no error.
const NAMES: &[&str] = &[
    // sockets of the DHCP client
    "af_packet",
    // keyboards: the countdown can be stopped by any key
    "atkbd",
    "hid",
    "hid_apple",
    "hid_generic",
    "hid_hyperv",
    "hid_logitech_dj",
    "hid_logitech_hidpp",
    "hid_microsoft",
    "hyperv_keyboard",
    "i8042",
    "usbhid",
    // disks of virtual machines, disk images, disks behind Intel's VMD
    "loop",
    "mtip32xx",
    "pci_hyperv",
    "virtio_blk",
    "vmd",
    "xen_blkfront",
    // adapters outside the ethernet folder
    "asix",
    "ax88179_178a",
    "cdc_ether",
    "cdc_ncm",
    "r8152",
    "smsc95xx",
    "virtio_net",
    "vmxnet3",
    "xen_netfront",
    // what FAT asks for by name
    "nls_ascii",
    "nls_cp437",
    "nls_iso8859_1",
    "nls_utf8",
    // checksums that ext4, NVMe and SCSI ask for through the crypto layer
    "crc32c_generic",
    "crc32c_intel",
    "crct10dif_common",
    "crct10dif_generic",
    "crct10dif_pclmul",
    "crc64_rocksoft_generic",
    // randomness where the processor has none
    "virtio_rng",
];

/// The tables of one kernel release, as depmod made them.
#[derive(Debug)]
pub struct ModuleTables<'a> {
    dep: &'a str,
    alias: &'a str,
    softdep: &'a str,
    modules: BTreeMap<String, Dep<'a>>,
}

/// What goes into the initramfs for one kernel release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Files below `/lib/modules/<release>/`, sorted.
    pub files: Vec<String>,
    /// `modules.dep` of these.
    pub dep: String,
    /// `modules.alias` of these.
    pub alias: String,
    /// `modules.softdep` of these.
    pub softdep: String,
}

impl<'a> ModuleTables<'a> {
    /// Reads `modules.dep`, `modules.alias` and `modules.softdep`.
    ///
    /// # Errors
    /// A line of `modules.dep` that isn't `path: path…`, or a path that leaves the modules' folder.
    pub fn parse(dep: &'a str, alias: &'a str, softdep: &'a str) -> Result<Self> {
        let by_name = |module: Result<Dep<'a>>| module.map(|module| (module_name(module.path), module));
        let modules = depmod::deps(dep).map(by_name).collect::<Result<_>>()?;
        Ok(Self { dep, alias, softdep, modules })
    }

    /// Selects what the installer needs, with everything that those modules need.
    ///
    /// # Errors
    /// When a module depends on a file that `modules.dep` doesn't list.
    pub fn select(&self) -> Result<Selection> {
        let soft = self.soft_dependencies();
        let mut pending: Vec<String> = self
            .modules
            .iter()
            .filter(|(name, module)| is_wanted(name, module.path))
            .map(|(n, _)| n.clone())
            .collect();
        let mut chosen = BTreeSet::new();
        while let Some(name) = pending.pop() {
            if !chosen.insert(name.clone()) {
                continue;
            }
            let module = self
                .modules
                .get(&name)
                .with_context(|| format!("modules.dep: a module needs `{name}`, which has no line"))?;
            pending.extend(module.needs.iter().map(|path| module_name(path)));
            pending.extend(soft.get(&name).into_iter().flatten().cloned());
        }
        Ok(self.restricted_to(&chosen))
    }

    /// Modules by the softdep lines of each, `pre:` and `post:` alike; names that are aliases are looked up. What isn't
    /// there is built in, or not worth having: softdeps are wishes.
    fn soft_dependencies(&self) -> BTreeMap<String, Vec<String>> {
        let aliases = self.plain_aliases();
        let mut soft: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for wishes in self.softdep.lines().filter_map(depmod::softdep) {
            let wanted = soft.entry(module_name(wishes.module)).or_default();
            for name in wishes.before.into_iter().chain(wishes.after).map(plain_name) {
                if self.modules.contains_key(&name) {
                    wanted.push(name);
                } else {
                    wanted.extend(aliases.get(&name).into_iter().flatten().cloned());
                }
            }
        }
        soft
    }

    /// Aliases without a pattern, which is what softdeps name; `-` as `_`.
    fn plain_aliases(&self) -> BTreeMap<String, Vec<String>> {
        let mut aliases: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Alias { pattern, module } in self.alias.lines().filter_map(depmod::alias) {
            let name = module_name(module);
            if depmod::literal_prefix(pattern) == pattern && self.modules.contains_key(&name) {
                aliases.entry(plain_pattern(pattern)).or_default().push(name);
            }
        }
        aliases
    }

    fn restricted_to(&self, chosen: &BTreeSet<String>) -> Selection {
        let lines = |text: &str, module: fn(&str) -> Option<&str>| {
            let kept =
                text.lines().filter(|line| module(line).is_some_and(|m| chosen.contains(&module_name(m))));
            kept.flat_map(|line| [line, "\n"]).collect::<String>()
        };
        let mut files: Vec<_> =
            chosen.iter().filter_map(|name| self.modules.get(name)).map(|m| m.path.to_owned()).collect();
        files.sort_unstable();
        Selection {
            files,
            dep: lines(self.dep, |line| line.split_once(':').map(|(path, _)| path)),
            alias: lines(self.alias, |line| depmod::alias(line).map(|alias| alias.module)),
            softdep: lines(self.softdep, |line| depmod::softdep(line).map(|wishes| wishes.module)),
        }
    }
}

fn is_wanted(name: &str, path: &str) -> bool {
    let place = path.strip_prefix("kernel/").unwrap_or(path);
    let by_folder = FOLDERS.iter().any(|folder| place.starts_with(folder))
        && !LEFT_OUT.iter().any(|prefix| place.starts_with(prefix));
    by_folder || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drivers/ata/ahci.ko.xz: kernel/drivers/ata/libahci.ko.xz kernel/drivers/ata/libata.ko.xz kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/ata/libahci.ko.xz: kernel/drivers/ata/libata.ko.xz
kernel/drivers/ata/libata.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz kernel/drivers/scsi/scsi_common.ko.xz
kernel/drivers/scsi/scsi_mod.ko.xz: kernel/drivers/scsi/scsi_common.ko.xz
kernel/drivers/scsi/scsi_common.ko.xz:
kernel/drivers/scsi/scsi_debug.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/gpu/drm/i915/i915.ko.xz: kernel/drivers/gpu/drm/drm.ko.xz
kernel/drivers/gpu/drm/drm.ko.xz:
kernel/drivers/net/ethernet/realtek/r8169.ko.xz: kernel/drivers/net/mii.ko.xz
kernel/drivers/net/mii.ko.xz:
kernel/drivers/net/phy/realtek.ko.xz:
kernel/fs/ext4/ext4.ko.xz: kernel/fs/mbcache.ko.xz
kernel/fs/mbcache.ko.xz:
kernel/crypto/odd-checksum.ko.xz:
kernel/fs/nls/nls_iso8859-1.ko.xz:
updates/dkms/late_helper.ko.zst:
";
    const ALIAS: &str = "\
# Aliases extracted from modules themselves.
alias pci:v00008086d*sv*sd*bc01sc06i01* ahci
alias pci:v00008086d00000046sv*sd*bc03sc*i* i915
alias fs-ext4 ext4
alias crypto-crc32c odd_checksum
alias dmi*:ven Some Vendor* i915
";
    const SOFTDEP: &str = "\
# Soft dependencies extracted from modules themselves.
softdep ext4 pre: crypto-crc32c
softdep r8169 pre: realtek post: late-helper not-there
softdep i915 pre: drm
";

    fn selection() -> Selection {
        ModuleTables::parse(DEP, ALIAS, SOFTDEP).unwrap().select().unwrap()
    }

    #[test]
    fn folders_and_names_are_closed_over_hard_and_soft_dependencies() {
        let names: Vec<_> = selection().files.iter().map(|path| module_name(path)).collect();
        for needed in [
            "ahci",
            "libata",
            "scsi_common",
            "mii",
            "mbcache",
            "odd_checksum",
            "late_helper",
            "nls_iso8859_1",
        ] {
            assert!(names.contains(&needed.to_owned()), "{needed} is missing from {names:?}");
        }
        for useless in ["i915", "drm", "scsi_debug"] {
            assert!(!names.contains(&useless.to_owned()), "{useless} is not needed");
        }
    }

    #[test]
    fn tables_tell_only_of_what_is_included() {
        let selection = selection();
        assert_eq!(selection.dep.lines().count(), selection.files.len());
        assert_eq!(
            selection.alias,
            "alias pci:v00008086d*sv*sd*bc01sc06i01* ahci\nalias fs-ext4 ext4\nalias crypto-crc32c odd_checksum\n"
        );
        assert!(selection.softdep.contains("softdep r8169") && !selection.softdep.contains("i915"));
        assert!(
            ModuleTables::parse(&selection.dep, &selection.alias, &selection.softdep)
                .unwrap()
                .select()
                .is_ok()
        );
    }

    #[test]
    fn a_table_that_leads_out_of_its_folder_or_to_nowhere_is_refused() {
        assert!(ModuleTables::parse("../../etc/shadow.ko:\n", "", "").is_err());
        assert!(ModuleTables::parse("no colon\n", "", "").is_err());
        let dangling = ModuleTables::parse("kernel/fs/ext4/ext4.ko: kernel/fs/gone.ko\n", "", "").unwrap();
        assert!(dangling.select().unwrap_err().to_string().contains("`gone`"));
    }
}
