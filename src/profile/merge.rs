//! Stacking of raw layers, field by field. Every structure is taken apart whole, so no new field can be forgotten.

use super::raw::{
    RawAnsible, RawCloudInit, RawHandoff, RawLocale, RawMatch, RawNetwork, RawProfile, RawPull, RawRoot,
    RawStorage, RawTarget,
};
use super::spanned::{Merge, Spanned};

macro_rules! merge_fields {
    ($($type:ident { $($field:ident),* })*) => {$(
        impl Merge for $type {
            fn merge(self, later: Self) -> Self {
                let Self { $($field),* } = self;
                Self { $($field: Merge::merge($field, later.$field)),* }
            }
        }
    )*};
}

merge_fields! {
    RawMatch { mac, uuid, serial, vendor, model }
    RawNetwork { interfaces, dns, search }
    RawStorage { target, wipe, confirm }
    RawTarget { serial, wwn, model, min_size, max_size }
    RawLocale { lang, keyboard, timezone }
    RawRoot { password, ssh_keys }
    RawCloudInit { user_data }
    RawAnsible { pull }
    RawPull { url, playbook, revision }
}

impl Merge for RawProfile {
    fn merge(self, later: Self) -> Self {
        let Self {
            name,
            classes,
            vars,
            matching,
            installer,
            image,
            network,
            storage,
            locale,
            root,
            users,
            packages,
            mirror,
            kernel_args,
            handoff,
        } = self;
        Self {
            name: name.merge(later.name),
            classes: classes.merge(later.classes),
            vars: vars.merge(later.vars),
            matching: matching.merge(later.matching),
            installer: installer.merge(later.installer),
            image: image.merge(later.image),
            network: network.merge(later.network),
            storage: storage.merge(later.storage),
            locale: locale.merge(later.locale),
            root: root.merge(later.root),
            users: users.merge(later.users),
            packages: packages.merge(later.packages),
            mirror: mirror.merge(later.mirror),
            kernel_args: kernel_args.merge(later.kernel_args),
            handoff: merge_handoff(handoff, later.handoff),
        }
    }
}

/// The same way twice is a map like any other; another way replaces the first.
fn merge_handoff(
    earlier: Option<Spanned<RawHandoff>>,
    later: Option<Spanned<RawHandoff>>,
) -> Option<Spanned<RawHandoff>> {
    use RawHandoff::{Ansible, CloudInit};
    match (earlier, later) {
        (Some(earlier), Some(Spanned { value, span })) => {
            let value = match (earlier.value, value) {
                (CloudInit(earlier), CloudInit(later)) => CloudInit(earlier.merge(later)),
                (Ansible(earlier), Ansible(later)) => Ansible(earlier.merge(later)),
                (_, later) => later,
            };
            Some(Spanned { value, span })
        }
        (earlier, later) => later.or(earlier),
    }
}
