//! `handoff:`: what a profile says of whoever takes over, for each manager. A new one is a variant and its structure, how two
//! layers of it are stacked, and the file that it names: all of that here, and nowhere else in `profile`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::merge::merge_fields;
use crate::profile::spanned::{Merge, Section, Spanned};
use crate::value::HttpUrl;

/// `handoff:`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawHandoff {
    /// Nobody.
    None,
    /// cloud-init.
    CloudInit(RawCloudInit),
    /// Ansible.
    Ansible(RawAnsible),
    /// A script: a file of the site.
    Script(Spanned<String>),
}

/// `handoff.cloud_init:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawCloudInit {
    /// A file of the site, or the text itself where it has more than one line.
    pub user_data: Option<Spanned<String>>,
}

/// `handoff.ansible:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAnsible {
    /// How `ansible-pull` gets its playbook.
    pub pull: Section<RawPull>,
}

/// `handoff.ansible.pull:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawPull {
    /// Git repository.
    pub url: Option<Spanned<HttpUrl>>,
    /// Path in it.
    pub playbook: Option<Spanned<String>>,
    /// Branch, tag or commit.
    pub revision: Option<Spanned<String>>,
}

merge_fields! {
    RawCloudInit { user_data }
    RawAnsible { pull }
    RawPull { url, playbook, revision }
}

impl RawHandoff {
    /// Two layers as one where both say a manager that has keys of its own; else the later one, and that it replaces the earlier.
    fn stacked(self, later: Self) -> (Self, bool) {
        match (self, later) {
            (Self::CloudInit(a), Self::CloudInit(b)) => (Self::CloudInit(a.merge(b)), false),
            (Self::Ansible(a), Self::Ansible(b)) => (Self::Ansible(a.merge(b)), false),
            (Self::None | Self::Script(_) | Self::CloudInit(_) | Self::Ansible(_), later) => (later, true),
        }
    }

    /// The file that it names; `None` where it holds the text itself or needs no file.
    pub fn named_file(&self) -> Option<&Spanned<String>> {
        match self {
            Self::CloudInit(cloud_init) => cloud_init.named_file(),
            Self::Script(path) => Some(path),
            Self::None | Self::Ansible(_) => None,
        }
    }
}

impl RawCloudInit {
    /// The file with the user-data; `None` where that stands in the profile itself.
    pub fn named_file(&self) -> Option<&Spanned<String>> {
        self.user_data.as_ref().filter(|text| !text.value.trim_end().contains('\n'))
    }
}

/// The same way twice is a map like any other; another way replaces the first, and goes on doing so when it is itself
/// stacked onto something.
impl Merge for Section<Option<RawHandoff>> {
    fn merge(self, later: Self) -> Self {
        if later.replace {
            return later;
        }
        let span = later.span.or(self.span);
        let (value, replace) = match (self.value, later.value) {
            (earlier, None) => (earlier, self.replace),
            (None, later) => (later, self.replace),
            (Some(earlier), Some(later)) => {
                let (value, replaces) = earlier.stacked(later);
                (Some(value), self.replace || replaces)
            }
        };
        Self { value, replace, span }
    }
}
