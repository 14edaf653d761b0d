//! Which format and which release of it an installer reads: the registry of formats.
//!
//! Every match here names every case, so that a release or a format that is added doesn't compile until it is said how it is told,
//! and none is rendered as another. A new format is a variant of [`Format`] and of [`Dialect`], their lines here, and one
//! module that implements [`AnswerFormat`]. Nothing else asks which format something is to do something for it.

use super::format::AnswerFormat;
use crate::grammar::{autoinstall, kickstart, preseed};
use crate::host::{Installer, Os};

/// An answer file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Red Hat's family.
    Kickstart,
    /// Debian.
    Preseed,
    /// Ubuntu.
    Autoinstall,
}

/// A format as one release's installer reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Anaconda's.
    Kickstart(kickstart::Release),
    /// debian-installer's.
    Preseed(preseed::Release),
    /// subiquity's.
    Autoinstall(autoinstall::Release),
}

impl Dialect {
    /// What a release's installer reads.
    pub fn of(os: Os) -> Self {
        match os {
            Os::El8 => Self::Kickstart(kickstart::Release::Rhel8),
            Os::El9 => Self::Kickstart(kickstart::Release::Rhel9),
            Os::El10 => Self::Kickstart(kickstart::Release::Rhel10),
            Os::Fedora43 => Self::Kickstart(kickstart::Release::Fedora43),
            Os::Fedora44 => Self::Kickstart(kickstart::Release::Fedora44),
            Os::Fedora45 => Self::Kickstart(kickstart::Release::Fedora45),
            Os::Debian12 => Self::Preseed(preseed::Release::Debian12),
            Os::Debian13 => Self::Preseed(preseed::Release::Debian13),
            Os::Ubuntu2204 => Self::Autoinstall(autoinstall::Release::Ubuntu2204),
            Os::Ubuntu2404 => Self::Autoinstall(autoinstall::Release::Ubuntu2404),
        }
    }

    /// The format that it is one of.
    pub fn format(self) -> Format {
        match self {
            Self::Kickstart(_) => Format::Kickstart,
            Self::Preseed(_) => Format::Preseed,
            Self::Autoinstall(_) => Format::Autoinstall,
        }
    }

    /// Who writes it.
    pub fn writer(&self) -> &dyn AnswerFormat {
        match self {
            Self::Kickstart(release) => release,
            Self::Preseed(release) => release,
            Self::Autoinstall(release) => release,
        }
    }
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Kickstart, Self::Preseed, Self::Autoinstall];

    /// The release that a file is taken for which doesn't say its own.
    pub fn newest(self) -> Os {
        match self {
            Self::Kickstart => Os::El10,
            Self::Preseed => Os::Debian13,
            Self::Autoinstall => Os::Ubuntu2404,
        }
    }

    /// Its name: on the command line, and of its template.
    pub fn name(self) -> &'static str {
        Dialect::of(self.newest()).writer().name()
    }

    /// The one that an installer reads; our own agent needs none.
    pub fn of(installer: Installer) -> Option<Self> {
        Os::ALL.into_iter().find(|os| os.installer() == installer).map(Self::of_release)
    }

    /// The one in which a release's installer is told.
    pub fn of_release(os: Os) -> Self {
        Dialect::of(os).format()
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|format| format.name() == text);
        found.copied().ok_or_else(|| format!("`{text}` is not a format; known are {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_is_of_a_registered_format_that_its_installer_reads() {
        for os in Os::ALL {
            let format = Format::of_release(os);
            assert!(Format::ALL.contains(&format), "{os}");
            assert_eq!(Format::of(os.installer()), Some(format), "{os}");
        }
        for format in Format::ALL {
            assert_eq!(Format::of_release(format.newest()), *format);
            assert_eq!(format.name().parse(), Ok(*format));
        }
        assert_eq!(Format::of(Installer::Native), None);
    }
}
