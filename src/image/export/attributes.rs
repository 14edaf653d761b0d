//! Extended attributes of an inode, and access lists as the text that tar carries.
//!
//! The form on the disk is the kernel's (Documentation/filesystems/ext4/attributes.rst; `fs/ext4/acl.h` for access lists). GNU
//! tar restores `SCHILY.xattr.*` byte for byte by `--xattrs`, but an access list in ext4's own form would be garbage to the
//! kernel's calls, and its `--selinux` reads the label from `RHT.security.selinux`: both are said in those words.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use crate::image::ext4::inode::{Inode, Inodes, extra_size, u16_at, u32_at};
use crate::spec::ondisk::ext4::{self, XATTR_ENTRY_LENGTH as ENTRY, XATTR_MAGIC as MAGIC};

/// One record of a PAX header: keyword and value.
pub type Record = (String, Vec<u8>);

/// All attributes of an inode as PAX records, sorted by keyword.
///
/// # Errors
/// Damaged, or of a form that isn't understood.
pub fn records(inodes: &Inodes, inode: &Inode) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    let extra = extra_size(&inode.record)?;
    let start = ext4::GOOD_OLD_INODE_SIZE + extra;
    let behind = start + ext4::XATTR_IBODY_HEADER_LENGTH;
    if extra > 0 && inode.record.len() >= behind && u32_at(&inode.record, start)? == MAGIC {
        let table = &inode.record[behind..];
        entries(table, table, &mut found)?;
    }
    if inode.attributes != 0 {
        let block = inodes.block(inode.attributes)?;
        ensure!(
            u32_at(&block, ext4::H_MAGIC)? == MAGIC && u32_at(&block, ext4::H_BLOCKS)? == 1,
            "the block of attributes of inode {} is damaged",
            inode.number
        );
        let table = block.get(ext4::XATTR_HEADER_LENGTH..).context("a block of attributes ends early")?;
        entries(table, &block, &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// The entries of a table; their values lie in `values`.
fn entries(table: &[u8], values: &[u8], found: &mut Vec<Record>) -> Result<()> {
    let mut at = 0;
    // four zero bytes end the table; a full one ends without
    while at + 4 <= table.len() && u32_at(table, at)? != 0 {
        let length = usize::from(table[at + ext4::E_NAME_LEN]);
        let index = table[at + ext4::E_NAME_INDEX];
        let offset = usize::from(u16_at(table, at + ext4::E_VALUE_OFFS)?);
        ensure!(
            u32_at(table, at + ext4::E_VALUE_INUM)? == 0,
            "an attribute's value lies in an inode of its own"
        );
        let size = u32_at(table, at + ext4::E_VALUE_SIZE)? as usize;
        let name = table.get(at + ENTRY..at + ENTRY + length).context("an attribute's name ends early")?;
        let end = offset.checked_add(size).context("an attribute's place is impossible")?;
        let value = values.get(offset..end).context("an attribute's value lies outside its place")?;
        let name = std::str::from_utf8(name).context("an attribute's name isn't UTF-8")?;
        found.push(record(index, name, value)?);
        at += (ENTRY + length).next_multiple_of(4);
    }
    Ok(())
}

fn record(index: u8, name: &str, value: &[u8]) -> Result<Record> {
    let prefix = match index {
        1 => "user.",
        2 => return Ok(("SCHILY.acl.access".to_owned(), access_list(value)?.into_bytes())),
        3 => return Ok(("SCHILY.acl.default".to_owned(), access_list(value)?.into_bytes())),
        4 => "trusted.",
        6 if name == "selinux" => {
            let label = value.strip_suffix(&[0]).unwrap_or(value);
            return Ok(("RHT.security.selinux".to_owned(), label.to_vec()));
        }
        6 => "security.",
        7 => "system.",
        _ => bail!("the attribute `{}` is of an unknown kind {index}", name.escape_debug()),
    };
    ensure!(
        !name.is_empty() && !name.contains('='),
        "the attribute `{}` can't be in a tar",
        name.escape_debug()
    );
    Ok((format!("SCHILY.xattr.{prefix}{name}"), value.to_vec()))
}

/// An access list in the short text form of acl(5), with numbers for people.
fn access_list(value: &[u8]) -> Result<String> {
    ensure!(u32_at(value, 0)? == 1, "an access list has an unknown version");
    let mut text = String::new();
    let mut at = 4;
    while at < value.len() {
        let (tag, allowed) = (u16_at(value, at)?, u16_at(value, at + 2)?);
        // only named users and groups have a number
        let (who, number) = match tag {
            0x01 => ("user", None),
            0x02 => ("user", Some(u32_at(value, at + 4)?)),
            0x04 => ("group", None),
            0x08 => ("group", Some(u32_at(value, at + 4)?)),
            0x10 => ("mask", None),
            0x20 => ("other", None),
            _ => bail!("an access list has the unknown tag {tag:#x}"),
        };
        at += if number.is_some() { 8 } else { 4 };
        let bit = |bit: u16, letter: char| if allowed & bit == 0 { '-' } else { letter };
        let comma = if text.is_empty() { "" } else { "," };
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        // writing to a String doesn't fail
        let _ = write!(text, "{comma}{who}:{number}:{}{}{}", bit(4, 'r'), bit(2, 'w'), bit(1, 'x'));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_list_is_the_text_that_tar_reads() {
        let mut value = vec![1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 5, 0];
        value.extend(1000u32.to_le_bytes());
        value.extend([4, 0, 4, 0, 16, 0, 7, 0, 32, 0, 0, 0]);
        assert_eq!(access_list(&value).unwrap(), "user::rw-,user:1000:r-x,group::r--,mask::rwx,other::---");
        assert!(access_list(&value[..value.len() - 1]).is_err());
        assert!(access_list(&[2, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_table_that_lies_is_an_error() {
        // a name of 1 letter, kind `user.`, its value of 9 bytes at 24
        let mut table = vec![1, 1, 24, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, b'a', 0, 0, 0, 0, 0, 0, 0];
        table.extend(*b"value");
        let mut found = Vec::new();
        let error = entries(&table, &table, &mut found).unwrap_err().to_string();
        assert!(error.contains("outside its place"), "{error}");
        table[8] = 5;
        entries(&table, &table, &mut found).unwrap();
        assert_eq!(found, [("SCHILY.xattr.user.a".to_owned(), b"value".to_vec())]);
        table[1] = 9;
        assert!(entries(&table, &table, &mut found).is_err());
    }
}
