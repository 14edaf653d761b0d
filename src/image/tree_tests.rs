//! Damaged volumes: their readers end and say what is wrong.

use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::sys::block::MemoryDevice;
use crate::sys::fat::{FatFile, format_fat32};

/// A FAT32 volume with some files, and what is done to its bytes.
fn volume(files: Vec<FatFile<'_>>, damage: impl FnOnce(&mut [u8])) -> FatTree {
    const SIZE: u64 = 80 << 20;
    let device = MemoryDevice::new(vec![0; SIZE as usize]);
    format_fat32(&mut Window::new(&device, 0, SIZE), "ESP", 1, files).unwrap();
    let mut bytes = vec![0; SIZE as usize];
    device.read_at(0, &mut bytes).unwrap();
    damage(&mut bytes);
    FatTree::open(Arc::new(MemoryDevice::new(bytes)), 0, SIZE).unwrap()
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[test]
fn a_directory_that_leads_back_to_itself_is_an_error() {
    let tree = volume(vec![FatFile::new("ONE", &b"1"[..])], |bytes| {
        // places from Microsoft's FAT specification, section 3
        let (sector, cluster) = (number(bytes, 11, 2), number(bytes, 11, 2) * number(bytes, 13, 1));
        let (reserved, tables, length) = (number(bytes, 14, 2), number(bytes, 16, 1), number(bytes, 36, 4));
        let root = number(bytes, 44, 4);
        for table in 0..tables {
            let at = (reserved + table * length) * sector + root * 4;
            bytes[at..at + 4].copy_from_slice(&(root as u32).to_le_bytes());
        }
        let start = (reserved + tables * length) * sector + (root - 2) * cluster;
        for entry in bytes[start..start + cluster].chunks_mut(32).filter(|entry| entry[0] == 0) {
            // removed, so that the directory doesn't end here
            entry[0] = 0xe5;
        }
    });
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || told.send(tree.list("").map_err(|error| format!("{error:#}"))));
    let listed = heard.recv_timeout(Duration::from_secs(30)).expect("listing doesn't end");
    let error = listed.unwrap_err();
    assert!(error.contains("in the ESP") && error.contains("has no end"), "{error}");
}

#[test]
fn a_loader_of_any_length_is_not_read_into_memory() {
    let longest = vec![7; LONGEST_LOADER as usize];
    let read =
        |content: Vec<u8>| volume(vec![FatFile::new("A", std::io::Cursor::new(content))], |_| {}).read("A");
    assert_eq!(read(longest.clone()).unwrap().len(), longest.len());
    let error = read([longest, vec![7]].concat()).unwrap_err().to_string();
    assert!(error.contains("A in the ESP is longer"), "{error}");
}
