//! Releases whose installers read a Kickstart file in their own way.

/// A release that the tables know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// Red Hat Enterprise Linux 8 and its rebuilds.
    Rhel8,
    /// Red Hat Enterprise Linux 9 and its rebuilds.
    Rhel9,
    /// Red Hat Enterprise Linux 10 and its rebuilds.
    Rhel10,
    /// Fedora 43.
    Fedora43,
    /// Fedora 44.
    Fedora44,
    /// Fedora 45.
    Fedora45,
}

impl Release {
    /// All of them, in the order of their places in the tables.
    pub const ALL: [Self; 6] =
        [Self::Rhel8, Self::Rhel9, Self::Rhel10, Self::Fedora43, Self::Fedora44, Self::Fedora45];

    /// Its name: `rhel9`, `fedora43`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rhel8 => "rhel8",
            Self::Rhel9 => "rhel9",
            Self::Rhel10 => "rhel10",
            Self::Fedora43 => "fedora43",
            Self::Fedora44 => "fedora44",
            Self::Fedora45 => "fedora45",
        }
    }

    /// Its name in pykickstart, and in `#version=` at the head of a file.
    pub fn stock_name(self) -> &'static str {
        match self {
            Self::Rhel8 => "RHEL8",
            Self::Rhel9 => "RHEL9",
            Self::Rhel10 => "RHEL10",
            Self::Fedora43 => "F43",
            Self::Fedora44 => "F44",
            Self::Fedora45 => "F45",
        }
    }

    /// The release that a file names in a `#version=` comment before its first command; none if it names none, or one that
    /// the tables don't know (`DEVEL`, older ones).
    pub fn detect(text: &str) -> Option<Self> {
        let head = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with('#'));
        let named = head.filter_map(|line| line.strip_prefix("#version=")).next()?;
        Self::ALL.into_iter().find(|release| release.stock_name().eq_ignore_ascii_case(named.trim()))
    }

    /// Whether it is one of Fedora.
    pub fn is_fedora(self) -> bool {
        !self.is_rhel()
    }

    /// Whether it is one of Red Hat Enterprise Linux.
    pub(super) fn is_rhel(self) -> bool {
        matches!(self, Self::Rhel8 | Self::Rhel9 | Self::Rhel10)
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Release {
    type Err = String;

    /// Takes its own names and pykickstart's, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        let is = |release: &Self| {
            [release.name(), release.stock_name()].iter().any(|name| name.eq_ignore_ascii_case(text))
        };
        Self::ALL.into_iter().find(is).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!(
                "`{}` is no release that the Kickstart tables know; known are {known}",
                text.escape_debug()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for release in Release::ALL {
            assert_eq!(release.to_string().parse(), Ok(release));
            assert_eq!(release.stock_name().parse(), Ok(release));
        }
        let why = "rhel7".parse::<Release>().unwrap_err();
        assert!(why.contains("rhel7") && why.contains("rhel8, rhel9"), "{why}");
    }

    #[test]
    fn the_head_of_a_file_names_its_release() {
        assert_eq!(Release::detect("\n# made by hand\n#version=RHEL9\ntext\n"), Some(Release::Rhel9));
        assert_eq!(Release::detect("#version=F43\n"), Some(Release::Fedora43));
        assert_eq!(Release::detect("#version=DEVEL\n"), None);
        assert_eq!(Release::detect("text\n#version=RHEL9\n"), None);
    }
}
