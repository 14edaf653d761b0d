//! The agent's binary, before it becomes `/init` of a target.
//!
//! There is nothing else on a target: no loader, no library. A binary that asks for them is a kernel panic on every machine,
//! and found out here. Whoever has an [`AgentFile`] has one that a target's kernel can start.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};

/// A program for the targets' processor that needs no other file.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentFile(Vec<u8>);

impl AgentFile {
    /// Reads a binary.
    ///
    /// # Errors
    /// When it can't be read, or as [`parse`](Self::parse); by the name of the file that a link means.
    pub fn read(path: &Path) -> Result<Self> {
        let name = fs::read_link(path).unwrap_or_else(|_| path.to_owned());
        let using = || format!("taking {} as the agent", name.display());
        Self::parse(fs::read(path).with_context(using)?).with_context(using)
    }

    /// Accepts a binary.
    ///
    /// # Errors
    /// No 64-bit ELF program, one for another processor, or one that is linked dynamically. The message says how to get a
    /// better one; the caller says which file it is.
    pub fn parse(bytes: Vec<u8>) -> Result<Self> {
        let file = ElfFile64::<Endianness>::parse(bytes.as_slice()).context("it is no 64-bit ELF program")?;
        let (header, endian) = (file.elf_header(), file.endian());
        let machine = header.e_machine(endian);
        ensure!(
            machine == elf::EM_X86_64 && endian == Endianness::Little,
            "it is a program for another processor (ELF machine {}); targets are x86-64 (62)",
            machine.0
        );
        let kind = header.e_type(endian);
        ensure!(
            [elf::ET_EXEC, elf::ET_DYN].contains(&kind),
            "it is no program, but another kind of ELF file (type {})",
            kind.0
        );
        for segment in file.elf_program_headers() {
            let Some(loader) =
                segment.interpreter(endian, bytes.as_slice()).context("reading its segments")?
            else {
                continue;
            };
            bail!(
                "it is linked dynamically and asks for {}, which no target has; build ironstrap in its own directory and \
                 without RUSTFLAGS, which override the static linking that .cargo/config.toml asks for",
                String::from_utf8_lossy(loader).escape_debug()
            );
        }
        Ok(Self(bytes))
    }

    /// The binary.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for AgentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentFile({} bytes)", self.0.len())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A header, one program header of this type that covers the rest, and the rest.
    fn elf_file(machine: u16, kind: u16, segment: u32, rest: &[u8]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend(kind.to_le_bytes());
        file.extend(machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        // entry, program headers right behind the header, no sections, flags, sizes
        for word in [0x40_0000_u64, 64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 1, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        file.extend(segment.to_le_bytes());
        file.extend(5_u32.to_le_bytes());
        for word in [120, 0x40_0000, 0x40_0000, rest.len() as u64, rest.len() as u64, 1] {
            file.extend(word.to_le_bytes());
        }
        file.extend(rest);
        file
    }

    const X86_64: u16 = 62;
    const PROGRAM: u16 = 2;
    const LOAD: u32 = 1;
    const INTERPRETER: u32 = 3;

    /// A static program with this code.
    pub(crate) fn static_program(code: &[u8]) -> AgentFile {
        AgentFile::parse(elf_file(X86_64, PROGRAM, LOAD, code)).unwrap()
    }

    fn refusal(bytes: Vec<u8>) -> String {
        format!("{:#}", AgentFile::parse(bytes).unwrap_err())
    }

    #[test]
    fn a_static_program_is_taken_as_it_is() {
        let agent = static_program(b"code");
        assert_eq!(agent.bytes(), elf_file(X86_64, PROGRAM, LOAD, b"code"));
        // this test is linked like the agent
        let own = std::fs::read("/proc/self/exe").unwrap();
        if cfg!(target_feature = "crt-static") {
            assert_eq!(AgentFile::parse(own.clone()).unwrap().bytes(), own);
        } else {
            assert!(refusal(own).contains("linked dynamically"));
        }
    }

    #[test]
    fn what_a_target_can_not_start_is_refused() {
        let dynamic = refusal(elf_file(X86_64, PROGRAM, INTERPRETER, b"/lib64/ld-linux-x86-64.so.2\0"));
        assert!(
            dynamic.contains("linked dynamically and asks for /lib64/ld-linux-x86-64.so.2,"),
            "{dynamic}"
        );
        assert!(dynamic.contains("RUSTFLAGS"), "{dynamic}");
        let arm = refusal(elf_file(183, PROGRAM, LOAD, b"code"));
        assert!(arm.contains("another processor (ELF machine 183)"), "{arm}");
        assert!(refusal(elf_file(X86_64, 1, LOAD, b"code")).contains("no program"));
        for text in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF", b"\x7fELF\x01\x01\x01"] {
            assert!(refusal(text.to_vec()).contains("no 64-bit ELF program"));
        }
    }

    #[test]
    fn an_agent_that_no_target_can_start_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("agent");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let error = format!("{:#}", AgentFile::read(&script).unwrap_err());
        assert!(error.contains(&format!("taking {} as the agent: ", script.display())), "{error}");
    }
}
