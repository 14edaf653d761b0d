//! A tree in memory stands for the image.

use super::super::archive::tests::files_in;
use super::*;
use crate::bundle::agent_file::tests::static_program;
use crate::image::tree::Entry;
use crate::image_rules::modinfo::tests::elf_module;
use crate::order;
use crate::trust::SiteKey;

/// Files by absolute path.
#[derive(Default)]
struct MapTree(BTreeMap<String, Vec<u8>>);

impl MapTree {
    fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.to_owned(), content.into());
        self
    }
}

impl ReadTree for MapTree {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.0.get(path).cloned().with_context(|| format!("reading {path} in the image"))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let names = self.0.keys().filter_map(|file| file.strip_prefix(path)?.strip_prefix('/'));
        let files = names.filter(|name| !name.contains('/'));
        Ok(files.map(|name| Entry { name: name.to_owned(), kind: EntryType::File }).collect())
    }

    fn kind(&self, path: &str) -> Result<Option<EntryType>> {
        let inside = format!("{path}/");
        let is_directory = self.0.keys().any(|file| file.starts_with(&inside));
        let directory = is_directory.then_some(EntryType::Directory);
        Ok(self.0.contains_key(path).then_some(EntryType::File).or(directory))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.kind(path)?.is_some())
    }
}

const RELEASE: &str = "6.1.0-test-amd64";

fn image() -> MapTree {
    let modules = format!("/lib/modules/{RELEASE}");
    let ahci = elf_module(&["license=GPL"]);
    let nic = elf_module(&[
        "firmware=nic/a.fw",
        "firmware=nic/b.fw",
        "firmware=nic/gone.fw",
        "firmware=nic/v*.bin",
    ]);
    MapTree::default()
        .with(
            &format!("{modules}/modules.dep"),
            "kernel/drivers/ata/ahci.ko:\nkernel/drivers/net/ethernet/nic.ko.zst:\nkernel/sound/snd.ko:\n",
        )
        .with(&format!("{modules}/modules.alias"), "alias pci:1 ahci\nalias pci:2 snd\n")
        .with(&format!("{modules}/modules.softdep"), "")
        .with(&format!("{modules}/modules.builtin"), "kernel/fs/vfat.ko\n")
        .with(&format!("{modules}/kernel/drivers/ata/ahci.ko"), ahci)
        .with(
            &format!("{modules}/kernel/drivers/net/ethernet/nic.ko.zst"),
            zstd::encode_all(&nic[..], 1).unwrap(),
        )
        .with("/lib/firmware/nic/a.fw", "same")
        .with("/lib/firmware/nic/b.fw", "same")
        .with("/lib/firmware/nic/v1.bin.xz", "v1")
        .with("/lib/firmware/nic/w1.bin", "w1")
}

/// What a small initramfs holds that is built by a site with these keys.
pub(crate) fn files_for(keys: &TrustedKeys) -> BTreeMap<String, Vec<u8>> {
    let agent = &static_program(b"agent");
    let parts = InitramfsParts { image: &Digest::of(b"image"), release: RELEASE, agent, keys };
    files_in(&zstd::decode_all(&build(&image(), &parts).unwrap()[..]).unwrap())
}

fn unpacked(tree: &MapTree) -> BTreeMap<String, Vec<u8>> {
    let packed = build_with(tree, b"the agent").unwrap();
    files_in(&zstd::decode_all(&packed[..]).unwrap())
}

fn build_with(tree: &MapTree, agent: &[u8]) -> Result<Vec<u8>> {
    let keys = SiteKey::from_random([1; 40]).alone();
    let agent = &static_program(agent);
    build(tree, &InitramfsParts { image: &Digest::of(b"image"), release: RELEASE, agent, keys: &keys })
}

#[test]
fn it_holds_agent_key_modules_and_the_firmware_that_the_image_has() {
    let files = unpacked(&image());
    assert_eq!(files["init"], static_program(b"the agent").bytes());
    assert!(files["etc/ironstrap/site.pub"].starts_with(b"untrusted comment: "));
    let modules = format!("lib/modules/{RELEASE}");
    assert!(
        files.contains_key(&format!("{modules}/kernel/drivers/net/ethernet/nic.ko.zst")),
        "kept as it is"
    );
    assert!(!files.contains_key(&format!("{modules}/kernel/sound/snd.ko")));
    assert_eq!(files[&format!("{modules}/modules.alias")], b"alias pci:1 ahci\n");
    assert_eq!(files[&format!("{modules}/modules.builtin")], b"kernel/fs/vfat.ko\n");
    let firmware: Vec<_> = files.keys().filter(|path| path.starts_with("lib/firmware/nic/")).collect();
    assert_eq!(firmware, ["lib/firmware/nic/a.fw", "lib/firmware/nic/b.fw", "lib/firmware/nic/v1.bin.xz"]);
    assert_eq!(files["lib/firmware/nic/b.fw"], b"/lib/firmware/nic/a.fw", "a link, not a second copy");
}

#[test]
fn former_keys_travel_beside_the_current_one_and_only_where_there_are_some() {
    let [old, new] = [1, 2].map(|seed| SiteKey::from_random([seed; 40]).public());
    let files = files_for(&old.clone().into());
    assert!(!files.contains_key("etc/ironstrap/former.pub"));
    let rotated = TrustedKeys::new(new.clone(), vec![old.clone()]).unwrap();
    let files = files_for(&rotated);
    assert_eq!(files["etc/ironstrap/site.pub"], new.to_text().as_bytes());
    assert_eq!(files["etc/ironstrap/former.pub"], format!("{old}\n").as_bytes());
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    // long enough that two threads share the work
    let agent: Vec<u8> = (0..24_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(build_with(&image(), &agent).unwrap(), build_with(&image(), &agent).unwrap());
}

#[test]
fn its_name_in_the_cache_depends_on_every_part() {
    let [own, next] = [1, 2].map(|seed| SiteKey::from_random([seed; 40]));
    let rotated = TrustedKeys::new(next.public(), vec![own.public()]).unwrap();
    let (image, another) = (Digest::of(b"image"), Digest::of(b"another"));
    let parts =
        InitramfsParts { image: &image, release: RELEASE, agent: &static_program(b"a"), keys: &own.alone() };
    let names = [
        parts.digest(),
        InitramfsParts { image: &another, ..parts }.digest(),
        InitramfsParts { release: "6.2", ..parts }.digest(),
        InitramfsParts { agent: &static_program(b"b"), ..parts }.digest(),
        InitramfsParts { keys: &next.alone(), ..parts }.digest(),
        InitramfsParts { keys: &rotated, ..parts }.digest(),
    ];
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(parts.digest(), names[0]);
}

#[test]
fn one_that_firmware_can_not_load_is_refused_and_names_its_largest_parts() {
    let mut random = vec![0; 66 << 20];
    getrandom::fill(&mut random).unwrap();
    let error = build_with(&image(), &random).unwrap_err().to_string();
    assert!(error.contains("limit is 65536 KiB") && error.contains("  67585 KiB  init\n"), "{error}");
}

#[test]
fn an_image_without_modules_or_with_a_missing_one_says_where_it_looked() {
    let none = format!("{:#}", build_with(&MapTree::default(), b"a").unwrap_err());
    assert!(none.contains(&format!("/lib/modules/{RELEASE}/modules.dep")), "{none}");
    let mut tree = image();
    tree.0.remove(&format!("/lib/modules/{RELEASE}/kernel/drivers/ata/ahci.ko"));
    let gone = format!("{:#}", build_with(&tree, b"a").unwrap_err());
    assert!(gone.contains("kernel/drivers/ata/ahci.ko"), "{gone}");
}

#[test]
fn orders_travel_with_their_signatures_and_the_time() {
    let key = SiteKey::from_random([1; 40]);
    let (permit, parts) = (order::fixtures::permit(), order::fixtures::parts());
    let order = order::build(&permit, parts, &key, order::fixtures::now()).unwrap();
    let signed = order::sign(&order, &key).unwrap();
    let archive = orders(&[(&order.host, &signed)], order.not_before).unwrap();
    let files = files_in(&archive);
    assert_eq!(files["etc/ironstrap/time"], format!("{}\n", order.not_before).into_bytes());
    let signature = std::str::from_utf8(&files["etc/ironstrap/orders/web01.json.minisig"]).unwrap();
    let verified =
        order::verify(&files["etc/ironstrap/orders/web01.json"], signature, &key.public()).unwrap();
    assert_eq!(verified.into_inner(), order);
    assert!(orders(&[(&order.host, &signed), (&order.host, &signed)], order.not_before).is_err());
}
