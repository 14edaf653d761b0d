//! Members of a tar: ustar headers, and PAX records for what those can't say.
//!
//! Promises: the bytes depend on the member alone (no clock, no names of users, no own numbering); a content that is longer
//! or shorter than its header says is an error; memory for one buffer. GNU tar, bsdtar and Python's tarfile judge it in tests.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use tar::{Builder, EntryType, Header};

use super::attributes::Record;
use crate::image::ext4::inode::{Inode, InodeKind, Time};

/// Bytes that are copied at once.
const BUFFER: usize = 1 << 20;
/// What tar counts in.
const RECORD: u64 = 512;
/// Room for a name or a link's target in a header; longer ones are PAX records.
const NAME: usize = 100;
/// No number beyond fits seven octal digits, no length beyond eleven.
const SHORT_NUMBER: u32 = 0o777_7777;
const SHORT_SIZE: u64 = 0o777_7777_7777;

/// Everything about a member but its content.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name as it stands in the tar: `./etc/hostname`, a directory's with a `/` at its end.
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// Permissions with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When it changed.
    pub modified: Time,
    /// Its attributes as PAX records.
    pub attributes: Vec<Record>,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file with so many bytes of content.
    File(u64),
    /// Another name of a member that stands before it.
    HardLink(Vec<u8>),
    /// A symbolic link to this.
    Symlink(Vec<u8>),
    /// A directory.
    Directory,
    /// A character device.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

impl Member {
    /// The member that an inode becomes; `None` for a socket, which no tar can hold.
    pub fn of(
        inode: &Inode,
        path: Vec<u8>,
        target: Option<Vec<u8>>,
        attributes: Vec<Record>,
    ) -> Option<Self> {
        let what = match inode.kind {
            InodeKind::File => What::File(inode.size),
            InodeKind::Directory => What::Directory,
            InodeKind::Symlink => What::Symlink(target.unwrap_or_default()),
            InodeKind::Character(major, minor) => What::Character(major, minor),
            InodeKind::Block(major, minor) => What::Block(major, minor),
            InodeKind::Fifo => What::Fifo,
            InodeKind::Socket => return None,
        };
        let Inode { mode, uid, gid, modified, .. } = *inode;
        Some(Self { path, what, mode, uid, gid, modified, attributes })
    }

    fn size(&self) -> u64 {
        match self.what {
            What::File(size) => size,
            _ => 0,
        }
    }

    /// A hard link's or a symbolic link's target.
    fn target(&self) -> Option<&[u8]> {
        match &self.what {
            What::HardLink(target) | What::Symlink(target) => Some(target),
            _ => None,
        }
    }

    fn header(&self) -> Result<Header> {
        let mut header = Header::new_ustar();
        let (kind, device) = match self.what {
            What::File(_) => (EntryType::Regular, None),
            What::HardLink(_) => (EntryType::Link, None),
            What::Symlink(_) => (EntryType::Symlink, None),
            What::Directory => (EntryType::Directory, None),
            What::Character(major, minor) => (EntryType::Char, Some((major, minor))),
            What::Block(major, minor) => (EntryType::Block, Some((major, minor))),
            What::Fifo => (EntryType::Fifo, None),
        };
        header.set_entry_type(kind);
        header.set_mode(self.mode);
        header.set_uid(self.uid.into());
        header.set_gid(self.gid.into());
        header.set_size(self.size());
        header.set_mtime(self.modified.seconds.max(0).cast_unsigned());
        if let Some((major, minor)) = device {
            header.set_device_major(major).context("naming a device")?;
            header.set_device_minor(minor).context("naming a device")?;
        }
        let old = header.as_old_mut();
        put(&mut old.name, &self.path);
        put(&mut old.linkname, self.target().unwrap_or_default());
        header.set_cksum();
        Ok(header)
    }

    /// What the header can't say, in the order of POSIX's list, the attributes last.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut say = |keyword: &str, value: Vec<u8>| records.push((keyword.to_owned(), value));
        if self.path.len() > NAME {
            say("path", self.path.clone());
        }
        if let Some(target) = self.target().filter(|target| target.len() > NAME) {
            say("linkpath", target.to_vec());
        }
        if self.size() > SHORT_SIZE {
            say("size", self.size().to_string().into_bytes());
        }
        for (keyword, number) in [("uid", self.uid), ("gid", self.gid)] {
            if number > SHORT_NUMBER {
                say(keyword, number.to_string().into_bytes());
            }
        }
        if self.modified.nanoseconds > 0 || self.modified.seconds < 0 {
            say("mtime", decimal(self.modified).into_bytes());
        }
        // a hard link's are those of the member that it names
        if !matches!(self.what, What::HardLink(_)) {
            records.extend(self.attributes.iter().cloned());
        }
        records
    }
}

fn put(field: &mut [u8], text: &[u8]) {
    let count = text.len().min(field.len());
    field[..count].copy_from_slice(&text[..count]);
}

/// Seconds with a fraction, also before 1970: the fraction counts towards zero there.
fn decimal(time: Time) -> String {
    let Time { seconds, nanoseconds } = time;
    match (seconds < 0, nanoseconds) {
        (_, 0) => seconds.to_string(),
        (false, fraction) => format!("{seconds}.{fraction:09}"),
        (true, fraction) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - fraction),
    }
}

/// A tar on its way out.
pub struct Tar<W: Write> {
    builder: Builder<W>,
    /// What is told of bytes that were written, and may end the work.
    progress: Box<dyn FnMut(u64) -> Result<()>>,
}

impl<W: Write> std::fmt::Debug for Tar<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tar").finish_non_exhaustive()
    }
}

impl<W: Write> Tar<W> {
    /// An empty one. `progress` hears of each step's bytes.
    pub fn new(out: W, progress: impl FnMut(u64) -> Result<()> + 'static) -> Self {
        Self { builder: Builder::new(out), progress: Box::new(progress) }
    }

    /// Adds a member; `content` is asked only for a file's.
    ///
    /// # Errors
    /// When the place is full, the content can't be read, or isn't as long as the member says.
    pub fn add(&mut self, member: &Member, content: impl Read) -> Result<()> {
        let records = member.records();
        let records = records.iter().map(|(keyword, value)| (keyword.as_str(), value.as_slice()));
        self.builder.append_pax_extensions(records).context("writing a member's attributes")?;
        self.builder.get_mut().write_all(member.header()?.as_bytes()).context("writing a member's header")?;
        (self.progress)(RECORD)?;
        match member.what {
            What::File(size) => self.copy(content, size),
            _ => Ok(()),
        }
    }

    fn copy(&mut self, mut content: impl Read, size: u64) -> Result<()> {
        let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER)).max(1)];
        let mut left = size;
        loop {
            let count = match content.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("reading its content"),
            };
            if count == 0 {
                break;
            }
            let Some(rest) = left.checked_sub(count as u64) else {
                bail!("its content is longer than the {size} bytes that it has");
            };
            left = rest;
            self.builder.get_mut().write_all(&buffer[..count]).context("writing its content")?;
            (self.progress)(count as u64)?;
        }
        ensure!(left == 0, "its content ends {left} bytes early, of {size}");
        let padding = usize::try_from(size.next_multiple_of(RECORD) - size).unwrap_or(0);
        self.builder.get_mut().write_all(&vec![0; padding]).context("writing its content")
    }

    /// Writes the end, two empty records, and gives back what was written to.
    ///
    /// # Errors
    /// When the place is full.
    pub fn finish(self) -> Result<W> {
        self.builder.into_inner().context("ending the tar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(path: &str, what: What) -> Member {
        let modified = Time { seconds: 1, nanoseconds: 0 };
        Member { path: path.into(), what, mode: 0o644, uid: 0, gid: 0, modified, attributes: Vec::new() }
    }

    #[test]
    fn a_content_of_another_length_is_an_error() {
        for (size, wanted) in [(3, "longer"), (9, "ends 4 bytes early")] {
            let mut tar = Tar::new(Vec::new(), |_| Ok(()));
            let error = tar.add(&member("./a", What::File(size)), &b"12345"[..]).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error:#}");
        }
    }

    /// The content is a hole of a file, so that nothing of it is written or read.
    #[test]
    fn gnu_tar_finds_what_stands_behind_nine_gibibytes() {
        use std::io::{Seek as _, SeekFrom};
        const BIG: u64 = 9 << 30;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let big = member("./big", What::File(BIG));
        let mut records = Builder::new(Vec::new());
        let pairs = big.records();
        records
            .append_pax_extensions(pairs.iter().map(|(keyword, value)| (keyword.as_str(), value.as_slice())))
            .unwrap();
        file.write_all(records.get_ref()).unwrap();
        file.write_all(big.header().unwrap().as_bytes()).unwrap();
        file.seek(SeekFrom::Current(BIG.cast_signed())).unwrap();
        let mut tar = Tar::new(file.as_file_mut(), |_| Ok(()));
        tar.add(&member("./behind", What::File(5)), &b"12345"[..]).unwrap();
        tar.finish().unwrap();
        let output = std::process::Command::new("tar")
            .args(["--numeric-owner", "-tvf"])
            .arg(file.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let sizes: Vec<_> = said.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
        assert_eq!(sizes, ["9663676416", "5"], "{said}{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn what_a_header_has_no_room_for_is_a_record() {
        let mut big = member(&format!("./{}", "a".repeat(200)), What::File(9 << 30));
        (big.uid, big.modified) = (3_000_000, Time { seconds: -2, nanoseconds: 250_000_000 });
        let records = big.records();
        let say = |keyword: &str| {
            let found = records.iter().find(|(known, _)| known == keyword);
            found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        };
        assert_eq!(say("path").unwrap().len(), 202);
        assert_eq!(say("size").unwrap(), (9u64 << 30).to_string());
        assert_eq!(say("uid").unwrap(), "3000000");
        assert_eq!(say("gid"), None);
        assert_eq!(say("mtime").unwrap(), "-1.750000000");
        assert!(member("./a", What::File(1)).records().is_empty());
    }
}
