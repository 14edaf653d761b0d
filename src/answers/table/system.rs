//! Rows of what is installed: locale, accounts, software, boot, scripts, image, hand-off.

use super::short::*;
use crate::host::{Finish, Host, Installer, Script, Scripted};
use crate::value::ImageSource;

const PACKAGES_ARE_IN_THE_IMAGE: &str =
    "the golden image has its packages; classes may name them for other hosts";
const AGENT_SCRIPTS: &str = "isn't run by the agent: use `handoff: { script: … }`";
const NO_IMAGE: Cell = X(
    "installs packages, not golden images: use `installer: native`, or name the image in the classes of other hosts only",
);

pub(super) const ROWS: &[Row] = &[
    Row { key: "installer", used: |_| once("installer", true), cell: |_| N },
    Row { key: "os", used: |_| once("os", true), cell: |_| N },
    Row {
        key: "image",
        used: |host| once("image", matches!(host.image, Some(ImageSource::Store(_)))),
        cell: |target| match target {
            Agent => N,
            On(El8 | El9 | El10 | Fedora43 | Fedora44 | Fedora45 | Debian12 | Debian13) => N,
            On(Ubuntu2204 | Ubuntu2404) => X(
                "installs what its medium holds: use `installer: native`; or make a medium that holds the image, leave `image` out, \
                 and name the medium's `source` in the site's own autoinstall.j2",
            ),
        },
    },
    Row {
        key: "image with another installer than debian-installer",
        used: |host| {
            let own = host.installer == Installer::DebianInstaller;
            once("image", !own && matches!(host.image, Some(ImageSource::Store(_))))
        },
        cell: |target| match target {
            On(Debian12 | Debian13) => {
                X("hands golden images over for hosts with `installer: debian-installer` only")
            }
            _ => U("the row of `image` holds"),
        },
    },
    Row {
        key: "image: oci:…",
        used: |host| once("image", is_container(host)),
        cell: |target| match target {
            Agent => X(
                "writes images of the store: name one as NAME@VERSION, or use `installer: anaconda` for this one",
            ),
            On(El8) => X("knows no container images: use el-9 or newer, or an image of the store"),
            On(El9 | El10 | Fedora43 | Fedora44 | Fedora45) => N,
            On(_) => NO_IMAGE,
        },
    },
    Row {
        key: "packages, remove_packages, repositories, proxy with image",
        used: |host| once("packages", host.image.is_some() && !host.packages.is_empty()),
        cell: |_| U(PACKAGES_ARE_IN_THE_IMAGE),
    },
    Row {
        key: "locale",
        used: |_| once("locale", true),
        cell: |target| match target {
            Agent => U("the image's language and keyboard stay; the time zone is set"),
            On(_) => N,
        },
    },
    Row {
        key: "locale.ntp",
        used: |host| once("locale.ntp", !host.locale.ntp.is_empty()),
        cell: |target| match target {
            Agent => X("isn't set by the agent: leave it to the hand-off"),
            On(Debian12 | Debian13) => S(
                "the set-up script writes systemd-timesyncd's configuration; d-i sets its clock by the first server",
            ),
            On(_) => N,
        },
    },
    Row { key: "root", used: |_| once("root", true), cell: |_| N },
    Row { key: "users", used: |host| once("users", !host.users.is_empty()), cell: |_| N },
    Row {
        key: "packages",
        used: |host| once("packages", !host.packages.is_empty()),
        cell: |target| match target {
            Agent => U(PACKAGES_ARE_IN_THE_IMAGE),
            On(_) => N,
        },
    },
    Row {
        key: "remove_packages",
        used: |host| once("remove_packages", !host.remove_packages.is_empty()),
        cell: |target| match target {
            Agent => U(PACKAGES_ARE_IN_THE_IMAGE),
            On(Debian12 | Debian13) => S("the set-up script purges them"),
            On(Ubuntu2204 | Ubuntu2404) => X("removes no packages: do it by a script in `scripts.post`"),
            On(_) => N,
        },
    },
    Row {
        key: "mirror",
        used: |host| once("mirror", host.mirror.is_some()),
        cell: |target| match target {
            Agent => U(PACKAGES_ARE_IN_THE_IMAGE),
            On(_) => N,
        },
    },
    Row {
        key: "repositories",
        used: |host| {
            host.repositories.iter().map(|repository| format!("repositories[{}]", repository.id)).collect()
        },
        cell: |target| match target {
            Agent => U(PACKAGES_ARE_IN_THE_IMAGE),
            On(_) => N,
        },
    },
    Row {
        key: "proxy",
        used: |host| once("proxy", host.proxy.is_some()),
        cell: |target| match target {
            Agent => U(PACKAGES_ARE_IN_THE_IMAGE),
            On(_) => N,
        },
    },
    Row {
        key: "kernel_args",
        used: |host| once("kernel_args", !host.kernel_args.is_empty()),
        cell: |target| match target {
            Agent => U("they reach the agent's kernel; the installed one has the image's"),
            On(Ubuntu2204 | Ubuntu2404) => S("a file in grub.d, and update-grub"),
            On(_) => N,
        },
    },
    Row {
        key: "boot.consoles",
        used: |host| once("boot.consoles", !host.boot.consoles.is_empty()),
        cell: |target| match target {
            Agent => X("isn't set by the agent: name them in `kernel_args` and in the image"),
            On(Ubuntu2204 | Ubuntu2404) => S("a file in grub.d, and update-grub"),
            On(_) => N,
        },
    },
    Row {
        key: "boot.password",
        used: |host| once("boot.password", host.boot.password.is_some()),
        cell: |target| match target {
            Agent => X("isn't set by the agent: leave it to the hand-off"),
            On(Debian12 | Debian13) => S(
                "the set-up script writes it to /etc/grub.d; by d-i's own answer every boot would ask for it",
            ),
            On(Ubuntu2204 | Ubuntu2404) => {
                X("sets no boot loader password: do it by a script in `scripts.post`")
            }
            On(_) => N,
        },
    },
    Row {
        key: "boot.password with image: oci:…",
        used: |host| once("boot.password", is_container(host) && host.boot.password.is_some()),
        cell: |target| match target {
            On(El9 | El10 | Fedora43 | Fedora44 | Fedora45) => X(
                "leaves the boot loader to the image's own bootupd, which sets no password: leave it to the hand-off",
            ),
            Agent | On(_) => U("the image itself is refused"),
        },
    },
    Row {
        key: "scripts.pre",
        used: |host| scripts("pre", &host.scripts.pre),
        cell: |target| match target {
            Agent => X(AGENT_SCRIPTS),
            On(_) => N,
        },
    },
    Row {
        key: "scripts.post",
        used: |host| scripts("post", &host.scripts.post),
        cell: |target| match target {
            Agent => X(AGENT_SCRIPTS),
            On(_) => N,
        },
    },
    Row {
        key: "scripts.post_outside",
        used: |host| scripts("post_outside", &host.scripts.post_outside),
        cell: |target| match target {
            Agent => X(AGENT_SCRIPTS),
            On(_) => N,
        },
    },
    Row {
        key: "scripts.first_boot",
        used: |host| scripts("first_boot", &host.scripts.first_boot),
        cell: |target| match target {
            Agent => X(AGENT_SCRIPTS),
            On(_) => N,
        },
    },
    Row {
        key: "scripts.on_error",
        used: |host| scripts("on_error", &host.scripts.on_error),
        cell: |target| match target {
            Agent => X(AGENT_SCRIPTS),
            On(Debian12 | Debian13) => {
                X("runs nothing when it fails, it stops with a question: use another `installer`")
            }
            On(_) => N,
        },
    },
    Row { key: "handoff", used: |host| once("handoff", host.handoff.is_some()), cell: |_| N },
    Row {
        key: "finish",
        used: |host| once("finish", host.finish != Finish::Reboot),
        cell: |target| match target {
            Agent => X("restarts always: leave it out"),
            On(_) => N,
        },
    },
    Row {
        key: "policy.allow_scripted",
        used: |host| once("policy.allow_scripted", host.scripted == Scripted::Allowed),
        cell: |_| N,
    },
    Row {
        key: "policy.allow_dead_clock",
        used: |host| once("policy.allow_dead_clock", host.allow_dead_clock),
        cell: |target| match target {
            Agent => N,
            On(_) => U("its orders don't expire: it has none"),
        },
    },
    Row {
        key: "policy.refusal_pause",
        used: |_| once("policy.refusal_pause", true),
        cell: |target| match target {
            Agent => N,
            On(_) => U("the distribution's installer ends as it likes"),
        },
    },
];

fn is_container(host: &Host) -> bool {
    matches!(host.image, Some(ImageSource::Oci(_)))
}

fn scripts(kind: &str, scripts: &[Script]) -> Vec<String> {
    scripts.iter().map(|script| format!("scripts.{kind}[{}]", script.name)).collect()
}
