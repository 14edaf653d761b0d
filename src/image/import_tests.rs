//! Imports of small images: what comes back, what is refused, what a damaged store says.

use super::*;
use crate::image::testing::{self, KERNEL, esp_files, image, image_with, key, root_device, root_files};
use crate::image::tree::EntryType;
use crate::spec::image::{Extent, NetworkStack};
use crate::sys::block::MemoryDevice;
use crate::sys::fat::FatFile;

fn quiet() -> impl FnMut(Step, u64, u64) -> Result<()> {
    |_, _, _| Ok(())
}

struct Home {
    _dir: tempfile::TempDir,
    store: Store,
}

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    Home { store: Store::open(&dir.path().join("store")).unwrap(), _dir: dir }
}

fn put(home: &Home, device: &Arc<dyn BlockDevice>, name: &str) -> Result<Imported> {
    import(&home.store, device, &name.parse().unwrap(), &key(), false, &mut quiet())
}

fn files_in(home: &Home) -> usize {
    let blobs = home.store.blob_path(&Digest::of(b"")).parent().unwrap().to_owned();
    std::fs::read_dir(blobs).map_or(0, |dir| dir.count())
}

fn content(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A copy of an image with some bytes changed.
fn changed(device: &Arc<dyn BlockDevice>, change: impl FnOnce(&mut Vec<u8>)) -> Arc<dyn BlockDevice> {
    let mut bytes = content(&**device);
    change(&mut bytes);
    Arc::new(MemoryDevice::new(bytes))
}

#[test]
fn an_imported_image_reads_back_and_knows_what_is_in_it() {
    let Some(device) = image() else { return };
    let home = home();
    let imported = put(&home, &device, "test@1").unwrap();
    let manifest = home.store.manifest(&imported.manifest.image, &imported.digest, &key().alone()).unwrap();
    let stored = StoredImage::open(&home.store, &manifest).unwrap();
    assert!(content(&stored) == content(&*device));
    assert_eq!(manifest.raw, Some(Digest::of(&content(&*device))));
    let system = &manifest.system;
    assert_eq!((system.os.as_str(), system.os_version.as_str()), ("debian", "12"));
    assert_eq!((system.kernel.as_str(), system.network), (KERNEL, NetworkStack::Networkd));
    assert_eq!(system.tools, ["curl", "sshd"]);
    assert!(!system.selinux_enforcing);
    assert_eq!((manifest.esp, manifest.root.partition, manifest.root.uuid), (2, 3, testing::identity().root));
    let (root, esp) = (stored.root().unwrap(), stored.esp().unwrap());
    assert_eq!(root.read("vmlinuz").unwrap(), testing::program(1, 300_000), "links are followed");
    assert_eq!(root.kind("/vmlinuz").unwrap(), Some(EntryType::Symlink));
    assert_eq!(root.kind("/nothing").unwrap(), None);
    assert!(!root.exists("etc/systemd/system/multi-user.target.wants/systemd-networkd.service").unwrap());
    assert!(esp.is_fat32().unwrap() && esp.exists("/efi/boot/bootx64.efi").unwrap());
    let names: Vec<_> = esp.list("EFI").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["BOOT", "debian"]);
    assert!(esp.read("EFI/none").unwrap_err().to_string().contains("EFI/none"));
}

#[test]
fn an_import_tells_what_belongs_to_one_machine() {
    let files = |root: &Path| {
        root_files(root);
        let put = |path: &str, content: &[u8]| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        put("etc/nvme/hostnqn", b"nqn.2014-08.org.nvmexpress:uuid:x\n");
        put("etc/ssh/ssh_host_rsa_key", b"key");
        put("etc/ssh/ssh_host_rsa_key.pub", b"key");
        put("etc/machine-id", b"");
        put("etc/resolv.conf", b"nameserver 192.0.2.1 # \xff\n");
        put("var/lib/cloud/instances/i-1/sem/x", b"");
        std::fs::create_dir_all(root.join("var/lib/dhcp")).unwrap();
        // leads to where nothing is to be looked for
        std::os::unix::fs::symlink("../../etc", root.join("var/lib/dhclient")).unwrap();
        put("etc/dhcpcd.duid", b"00:01");
        std::os::unix::fs::symlink("../lib/cloud", root.join("var/db")).unwrap();
    };
    let Some(root) = root_device(files, &[]) else { return };
    let mut esp = esp_files();
    esp.push(FatFile::new("loader/random-seed", &b"seed"[..]));
    let device: Arc<dyn BlockDevice> = Arc::new(image_with(&root, esp));
    let imported = put(&home(), &device, "test@1").unwrap();
    let told: Vec<_> =
        imported.identity.iter().map(|found| (found.path.as_str(), found.trace.what, found.more)).collect();
    assert_eq!(
        told,
        [
            ("/loader/random-seed in the ESP", "random seed of systemd-boot", 0),
            ("/etc/ssh/ssh_host_rsa_key", "SSH host keys", 1),
            ("/etc/nvme/hostnqn", "NVMe host name", 0),
            ("/etc/dhcpcd.duid", "DHCP leases and DUIDs of dhclient, dhcpcd, dhcp6c and wicked", 0),
            ("/etc/resolv.conf", "name servers", 0),
            ("/var/lib/cloud/instances", "instance cache of cloud-init", 0),
        ]
    );
    let Some(plain) = image() else { return };
    assert_eq!(put(&home(), &plain, "test@1").unwrap().identity, []);
}

#[test]
fn importing_again_changes_nothing_and_another_content_needs_another_version() {
    let Some(device) = image() else { return };
    let home = home();
    let first = put(&home, &device, "test@1").unwrap();
    let files = files_in(&home);
    let again = put(&home, &device, "test@1").unwrap();
    assert_eq!((again.digest, again.added, files_in(&home)), (first.digest, 0, files));
    let other = changed(&device, |bytes| bytes[1_500_000] = 1);
    let error = put(&home, &other, "test@1").unwrap_err().to_string();
    assert!(error.contains("another version"), "{error}");
    assert_eq!(files_in(&home), files, "a refused import leaves nothing");
    assert_eq!(home.store.list().unwrap(), [("test@1".parse().unwrap(), first.digest)]);
}

#[test]
fn a_new_version_shares_the_packs_of_the_old_one() {
    let Some(device) = image() else { return };
    let home = home();
    let old = put(&home, &device, "test@1").unwrap();
    let new = put(&home, &changed(&device, |bytes| bytes[1_500_000] = 1), "test@2").unwrap();
    assert!(new.added < 5000, "{} bytes were added for one changed byte", new.added);
    assert!(old.manifest.packs.iter().all(|pack| new.manifest.packs.contains(pack)));
    let elsewhere = put(&home, &device, "unrelated@1").unwrap();
    assert_eq!(elsewhere.manifest.packs, old.manifest.packs, "equal packs are one file");
    let manifest = home.store.manifest(&new.manifest.image, &new.digest, &key().alone()).unwrap();
    verify(&StoredImage::open(&home.store, &manifest).unwrap(), &mut |_, _| Ok(())).unwrap();
}

#[test]
fn a_damaged_pack_is_named_and_not_shared() {
    let Some(device) = image() else { return };
    let home = home();
    let first = put(&home, &device, "test@1").unwrap();
    let pack = first.manifest.packs[0];
    let path = home.store.blob_path(&pack.digest);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(home.store.check_blob(&pack).unwrap_err().to_string().contains(&pack.digest.to_string()));
    let manifest = home.store.manifest(&first.manifest.image, &first.digest, &key().alone()).unwrap();
    let stored = StoredImage::open(&home.store, &manifest).unwrap();
    let error = format!("{:#}", verify(&stored, &mut |_, _| Ok(())).unwrap_err());
    assert!(error.contains(&pack.digest.to_string()) && error.contains("damaged"), "{error}");
    // importing again heals it
    put(&home, &device, "test@1").unwrap();
    home.store.check_blob(&pack).unwrap();
}

#[test]
fn manifests_of_another_key_or_with_changed_bytes_are_not_read() {
    let Some(device) = image() else { return };
    let home = home();
    let imported = put(&home, &device, "test@1").unwrap();
    let other = SiteKey::from_random([6; 40]).alone();
    assert!(home.store.manifest(&imported.manifest.image, &imported.digest, &other).is_err());
    let path = home.store.blob_path(&imported.digest);
    let text = std::fs::read_to_string(&path).unwrap().replace("debian", "fedora");
    std::fs::write(&path, text).unwrap();
    let error = format!(
        "{:#}",
        home.store.manifest(&imported.manifest.image, &imported.digest, &key().alone()).unwrap_err()
    );
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn packing_is_the_same_every_time_and_cut_where_installs_need_it() {
    let Some(device) = image() else { return };
    let (one, two) = (home(), home());
    let first = put(&one, &device, "test@1").unwrap();
    assert_eq!(first.digest, put(&two, &device, "test@1").unwrap().digest);
    let manifest = one.store.manifest(&first.manifest.image, &first.digest, &key().alone()).unwrap();
    let index = one.store.index(&manifest).unwrap();
    let claim = index.containing((1 << 20) - 4096).unwrap();
    assert_eq!((claim.offset, claim.length, claim.content), ((1 << 20) - 4096, 4096, Extent::Zero));
    let backup = index.entries().last().unwrap();
    assert_eq!(backup.length, 33 * 512);
}

/// The error of an import; nothing may be left in the store.
fn refusal(device: &Arc<dyn BlockDevice>) -> String {
    let home = home();
    let error = format!("{:#}", put(&home, device, "test@1").unwrap_err());
    assert_eq!(files_in(&home), 0, "{error}");
    assert_eq!(home.store.list().unwrap(), []);
    error
}

#[test]
fn damaged_cut_and_foreign_files_are_refused() {
    let Some(device) = image() else { return };
    let cut = changed(&device, |bytes| bytes.truncate(bytes.len() / 2));
    assert!(refusal(&cut).contains("cut off"));
    let odd = changed(&device, |bytes| bytes.truncate(100));
    assert!(refusal(&odd).contains("100 bytes"));
    let empty: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::new(vec![0; 8 << 20]));
    assert!(refusal(&empty).contains("no GPT"));
    let native = changed(&empty, |bytes| bytes[4096..4104].copy_from_slice(b"EFI PART"));
    assert!(refusal(&native).contains("4096-byte blocks"));
    let claim = changed(&device, |bytes| bytes[(1 << 20) - 1] = 1);
    assert!(refusal(&claim).contains("1048575"));
    let gap = changed(&device, |bytes| bytes[17408] = 1);
    assert!(refusal(&gap).contains("17408"));
    let backup = changed(&device, |bytes| {
        let guid = bytes.len() - 512 + 60;
        bytes[guid] ^= 1;
    });
    assert!(refusal(&backup).contains("backup"));
}

#[test]
fn an_image_without_kernel_modules_or_shim_says_which_file_was_looked_for() {
    let missing = |path: &str| {
        let files = |root: &Path| {
            root_files(root);
            std::fs::remove_file(root.join(path)).unwrap();
        };
        let root = root_device(files, &[])?;
        let device: Arc<dyn BlockDevice> = Arc::new(image_with(&root, esp_files()));
        Some(refusal(&device))
    };
    let Some(modules) = missing(&format!("lib/modules/{KERNEL}/modules.dep")) else { return };
    assert!(modules.contains(&format!("/lib/modules/{KERNEL}/modules.dep")), "{modules}");
    let root = root_device(root_files, &[]).unwrap();
    let bare = |esp: Vec<FatFile<'_>>| -> Arc<dyn BlockDevice> { Arc::new(image_with(&root, esp)) };
    assert!(refusal(&bare(vec![])).contains("/EFI/BOOT/BOOTX64.EFI"));
    let shim = || FatFile::new("EFI/BOOT/BOOTX64.EFI", &b"MZ"[..]);
    assert!(refusal(&bare(vec![shim()])).contains("/EFI/BOOT/grubx64.efi"));
    let text = FatFile::new("EFI/BOOT/grubx64.efi", &b"text"[..]);
    assert!(refusal(&bare(vec![shim(), text])).contains("not an EFI program"));
    let no_kernel = root_device(
        |root| {
            root_files(root);
            std::fs::remove_dir_all(root.join("boot")).unwrap();
        },
        &[],
    )
    .unwrap();
    let device: Arc<dyn BlockDevice> = Arc::new(image_with(&no_kernel, esp_files()));
    assert!(refusal(&device).contains("/boot/vmlinuz-*"));
}

#[test]
fn a_root_that_can_not_grow_or_that_is_not_there_is_refused() {
    let Some(fixed) = root_device(root_files, &["-O", "^resize_inode"]) else { return };
    let device: Arc<dyn BlockDevice> = Arc::new(image_with(&fixed, esp_files()));
    assert!(refusal(&device).contains("resize_inode"));
    let no_system = root_device(|root| std::fs::create_dir(root).unwrap(), &[]).unwrap();
    let device: Arc<dyn BlockDevice> = Arc::new(image_with(&no_system, esp_files()));
    assert!(refusal(&device).contains("os-release"));
}

#[test]
fn an_index_that_targets_would_refuse_is_not_imported() {
    let most = (MAX_INDEX as usize - INDEX_MAGIC.len()) / INDEX_RECORD;
    let bytes = INDEX_MAGIC.len() + most * INDEX_RECORD;
    assert!(bytes as u64 <= MAX_INDEX && (bytes + INDEX_RECORD) as u64 > MAX_INDEX);
    require_index(most).unwrap();
    let error = require_index(most + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("memory for {most}")), "{error}");
}

#[test]
fn an_import_that_is_interrupted_leaves_nothing() {
    let Some(device) = image() else { return };
    for during in [Step::Recall, Step::Pack, Step::Verify] {
        let home = home();
        put(&home, &device, "test@1").unwrap();
        let device = changed(&device, |bytes| bytes[1_500_000] = 1);
        let (files, images) = (files_in(&home), home.store.list().unwrap());
        let mut stop = |step, _, _| match step == during {
            true => anyhow::bail!("interrupted"),
            false => Ok(()),
        };
        let error = import(&home.store, &device, &"test@2".parse().unwrap(), &key(), false, &mut stop);
        assert_eq!(error.unwrap_err().to_string(), "interrupted");
        assert_eq!((files_in(&home), home.store.list().unwrap()), (files, images), "{during:?}");
    }
}

#[test]
fn a_name_that_leads_to_another_image_is_refused() {
    let Some(device) = image() else { return };
    let home = home();
    let good = put(&home, &device, "good@1").unwrap();
    let other: ImageRef = "other@1".parse().unwrap();
    let names = home.store.blob_path(&good.digest).parent().unwrap().with_file_name("images");
    std::fs::create_dir_all(names.join("other")).unwrap();
    std::fs::copy(names.join("good/1"), names.join("other/1")).unwrap();
    let digest = home.store.find(&other).unwrap().unwrap();
    assert_eq!(digest, good.digest);
    let error = home.store.manifest(&other, &digest, &key().alone()).unwrap_err().to_string();
    assert!(error.contains("the name other@1 leads to") && error.contains("of image good@1"), "{error}");
}

#[test]
fn an_image_that_gets_no_name_leaves_nothing() {
    let Some(device) = image() else { return };
    let home = home();
    let first = put(&home, &device, "test@1").unwrap();
    let before = files_in(&home);
    // a link that leads nowhere: the name can't be written, and is the last thing that is
    let names = home.store.blob_path(&first.digest).parent().unwrap().with_file_name("images");
    std::os::unix::fs::symlink(names.join("nowhere/at/all"), names.join("broken")).unwrap();
    let changed = changed(&device, |bytes| bytes[1_500_000] ^= 1);
    assert!(put(&home, &changed, "broken@1").is_err());
    assert_eq!(files_in(&home), before);
}

#[test]
fn what_a_name_leads_to_stays_when_publishing_it_again_fails() {
    let Some(device) = image() else { return };
    let home = home();
    let Imported { digest, manifest, .. } = put(&home, &device, "test@1").unwrap();
    let signature = home.store.signature_path(&digest);
    std::fs::remove_file(&signature).unwrap();
    std::fs::create_dir(&signature).unwrap();
    assert!(home.store.publish(&manifest, &key(), false, &manifest.packs).is_err());
    assert!(home.store.blob_path(&digest).exists());
    assert!(manifest.packs.iter().all(|pack| home.store.check_blob(pack).is_ok()));
}
