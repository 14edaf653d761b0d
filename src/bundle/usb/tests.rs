//! Sticks, judged by the stock tools and by reading them back.

use super::super::testing::{Blobs, judge, key, usb as contents};
use super::*;
use crate::spec::manifest::BundleManifest;
use crate::spec::payload::PayloadDirectory;
use crate::trust::Purpose;

fn quiet(_: u64) -> Result<()> {
    Ok(())
}

fn build(blobs: &Blobs, path: &Path) -> Result<()> {
    write(path, &contents(blobs), &|digest| blobs.path(digest), &mut quiet)
}

#[test]
fn a_stick_passes_the_judges_and_is_the_same_when_built_again() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let (first, second) = (dir.path().join("usb.img"), dir.path().join("other/usb.img"));
    build(&blobs, &first).unwrap();
    build(&blobs, &second).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&first).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it carries password hashes");
    let image = std::fs::read(&first).unwrap();
    assert!(image == std::fs::read(&second).unwrap(), "two builds differ");
    judge("sgdisk", "gdisk", &["-v", first.to_str().unwrap()]);
    let layout = Layout::new(&contents(&blobs)).unwrap();
    let esp = dir.path().join("esp.img");
    std::fs::write(&esp, &image[layout.esp.0 as usize..(layout.esp.0 + layout.esp.1) as usize]).unwrap();
    judge("fsck.vfat", "dosfstools", &["-n", esp.to_str().unwrap()]);
}

#[test]
fn the_payload_holds_every_blob_where_its_directory_says() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("usb.img");
    build(&blobs, &path).unwrap();
    let image = std::fs::read(&path).unwrap();
    let payload = &image[Layout::new(&contents(&blobs)).unwrap().payload.0 as usize..];
    assert_eq!(&payload[..16], payload::MAGIC);
    let length = u64::from_le_bytes(payload[16..24].try_into().unwrap()) as usize;
    let directory: PayloadDirectory = serde_json::from_slice(&payload[4096..4096 + length]).unwrap();
    assert_eq!(directory.blobs.iter().map(|blob| blob.blob).collect::<Vec<_>>(), blobs.blobs);
    for blob in directory.blobs {
        assert_eq!(blob.offset % payload::ALIGN, 0);
        let content = &payload[blob.offset as usize..(blob.offset + blob.blob.size) as usize];
        assert_eq!(Digest::of(content), blob.blob.digest);
    }
}

#[test]
fn the_manifest_lists_every_file_and_minisign_accepts_it() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let contents = contents(&blobs);
    let content = |path: &str| &contents.files.iter().find(|file| file.path == path).unwrap().content;
    let (json, signature) = (content("manifest.json"), content("manifest.json.minisig"));
    let signature = std::str::from_utf8(signature).unwrap();
    let verified = key().public().verify(Purpose::Bundle, json, signature).unwrap();
    let manifest = verified.parse_json::<BundleManifest>().unwrap().into_inner();
    let mut expected: Vec<_> = contents
        .files
        .iter()
        .map(|file| (file.path.clone(), Digest::of(&file.content)))
        .filter(|(path, _)| !path.starts_with("manifest.json"))
        .chain(blobs.blobs.iter().map(|blob| (format!("blobs/{}", blob.digest), blob.digest)))
        .collect();
    expected.sort();
    assert_eq!(manifest.files.into_iter().map(|file| (file.path, file.digest)).collect::<Vec<_>>(), expected);
    let put = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (message, public) =
        (put("manifest.json", json), put("ironstrap.pub", key().public().to_text().as_bytes()));
    put("manifest.json.minisig", signature.as_bytes());
    judge("minisign", "minisign", &["-V", "-p", &public, "-m", &message]);
}

#[test]
fn a_damaged_pack_or_an_interruption_leaves_what_was_there() {
    let (blobs, dir) = (Blobs::new(), tempfile::tempdir().unwrap());
    let path = dir.path().join("usb.img");
    std::fs::write(&path, "old").unwrap();
    let stop = |_: u64| -> Result<()> { anyhow::bail!("interrupted") };
    let stopped = write(&path, &contents(&blobs), &|digest| blobs.path(digest), &mut { stop });
    assert!(format!("{:#}", stopped.unwrap_err()).contains("interrupted"));
    let damaged = blobs.damage();
    let error = format!("{:#}", build(&blobs, &path).unwrap_err());
    assert!(error.contains(&damaged) && error.contains("is damaged"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn directories_of_any_length_leave_room_for_themselves() {
    for count in [0, 1, 40, 5_000] {
        let blobs: Vec<_> =
            (0..count).map(|i: u32| Blob { digest: Digest::of(&i.to_le_bytes()), size: 64 << 20 }).collect();
        let (head, placed, length) = payload_of(&blobs).unwrap();
        let first = placed.first().map_or(length, |blob| blob.offset);
        assert!(head.len() as u64 <= first, "{count} blobs");
        assert!(placed.windows(2).all(|pair| pair[0].offset + pair[0].blob.size <= pair[1].offset));
    }
}
