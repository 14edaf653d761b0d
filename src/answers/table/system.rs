//! Rows of what is installed: locale, accounts, software, boot, scripts, image, hand-off.

use super::{Cells, NATIVE, Row, by, ignored, native, no, script};
use crate::grammar::kickstart::Release::{Fedora43, Fedora44, Fedora45, Rhel8, Rhel9, Rhel10};
use crate::host::{Finish, Host, Installer, Script, Scripted};
use crate::value::ImageSource;

const ROW_OF_IMAGE: &str = "the row of `image` holds";
const PACKAGES_ARE_IN_THE_IMAGE: &str =
    "the golden image has its packages; classes may name them for other hosts";
const NO_CONTAINERS: &str = "installs packages, not golden images: use `installer: native`, or name the image in the classes of other hosts only";
const AGENT_NO_CONTAINERS: &str =
    "writes images of the store: name one as NAME@VERSION, or use `installer: anaconda` for this one";
const EL8_NO_CONTAINERS: &str = "knows no container images: use el-9 or newer, or an image of the store";
const BOOTUPD: &str =
    "leaves the boot loader to the image's own bootupd, which sets no password: leave it to the hand-off";
const NO_IMAGE_AT_ALL: &str = "the image itself is refused";
const DEBIAN_HANDS_OVER: &str = "hands golden images over for hosts with `installer: debian-installer` only";
const UBUNTU_IMAGES: &str = "installs what its medium holds: use `installer: native`; or make a medium that holds the image, leave `image` out, \
                             and name the medium's `source` in the site's own autoinstall.j2";
const AGENT_LOCALE: &str = "the image's language and keyboard stay; the time zone is set";
const AGENT_NOT: &str = "isn't set by the agent: leave it to the hand-off";
const AGENT_KERNEL_ARGS: &str = "they reach the agent's kernel; the installed one has the image's";
const AGENT_CONSOLES: &str = "isn't set by the agent: name them in `kernel_args` and in the image";
const AGENT_SCRIPTS: &str = "isn't run by the agent: use `handoff: { script: … }`";
const AGENT_RESTARTS: &str = "restarts always: leave it out";
const DEBIAN_NTP: &str =
    "the set-up script writes systemd-timesyncd's configuration; d-i sets its clock by the first server";
const DEBIAN_PURGES: &str = "the set-up script purges them";
const DEBIAN_BOOT_PASSWORD: &str =
    "the set-up script writes it to /etc/grub.d; by d-i's own answer every boot would ask for it";
const DEBIAN_STOPS: &str = "runs nothing when it fails, it stops with a question: use another `installer`";
const UBUNTU_REMOVES_NOTHING: &str = "removes no packages: do it by a script in `scripts.post`";
const UBUNTU_GRUB_D: &str = "a file in grub.d, and update-grub";
const UBUNTU_BOOT_PASSWORD: &str = "sets no boot loader password: do it by a script in `scripts.post`";
const NO_ORDERS: &str = "its orders don't expire: it has none";
const OF_CHECK: &str = "`ironstrap check` holds the image against it; no installer is told";
const NO_REFUSALS: &str = "the distribution's installer ends as it likes";

/// Packages, of which the agent installs none.
const PACKAGES: Cells = Cells {
    agent: ignored(PACKAGES_ARE_IN_THE_IMAGE),
    kickstart: native(),
    preseed: native(),
    autoinstall: native(),
};

/// What the agent doesn't run.
const SCRIPTS: Cells =
    Cells { agent: no(AGENT_SCRIPTS), kickstart: native(), preseed: native(), autoinstall: native() };

pub(super) const ROWS: &[Row] = &[
    Row::always("installer", NATIVE),
    Row::always("os", NATIVE),
    Row::when(
        "image",
        is_stored,
        Cells { agent: native(), kickstart: native(), preseed: native(), autoinstall: no(UBUNTU_IMAGES) },
    ),
    Row::when(
        "image",
        |host| is_stored(host) && host.installer != Installer::DebianInstaller,
        Cells {
            agent: ignored(ROW_OF_IMAGE),
            kickstart: ignored(ROW_OF_IMAGE),
            preseed: no(DEBIAN_HANDS_OVER),
            autoinstall: ignored(ROW_OF_IMAGE),
        },
    )
    .case(" with another installer than debian-installer"),
    Row::when(
        "image",
        is_container,
        Cells {
            agent: no(AGENT_NO_CONTAINERS),
            kickstart: by(|release| match release {
                Rhel8 => no(EL8_NO_CONTAINERS),
                Rhel9 | Rhel10 | Fedora43 | Fedora44 | Fedora45 => native(),
            }),
            preseed: no(NO_CONTAINERS),
            autoinstall: no(NO_CONTAINERS),
        },
    )
    .case(": oci:…"),
    Row::when(
        "packages",
        |host| host.image.is_some() && !host.packages.is_empty(),
        Cells {
            agent: ignored(PACKAGES_ARE_IN_THE_IMAGE),
            kickstart: ignored(PACKAGES_ARE_IN_THE_IMAGE),
            preseed: ignored(PACKAGES_ARE_IN_THE_IMAGE),
            autoinstall: ignored(PACKAGES_ARE_IN_THE_IMAGE),
        },
    )
    .case(", remove_packages, repositories, proxy with image"),
    Row::always(
        "locale",
        Cells { agent: ignored(AGENT_LOCALE), kickstart: native(), preseed: native(), autoinstall: native() },
    ),
    Row::when(
        "locale.ntp",
        |host| !host.locale.ntp.is_empty(),
        Cells {
            agent: no(AGENT_NOT),
            kickstart: native(),
            preseed: script(DEBIAN_NTP),
            autoinstall: native(),
        },
    ),
    Row::always("root", NATIVE),
    Row::when("users", |host| !host.users.is_empty(), NATIVE),
    Row::when("packages", |host| !host.packages.is_empty(), PACKAGES),
    Row::when(
        "remove_packages",
        |host| !host.remove_packages.is_empty(),
        Cells {
            agent: ignored(PACKAGES_ARE_IN_THE_IMAGE),
            kickstart: native(),
            preseed: script(DEBIAN_PURGES),
            autoinstall: no(UBUNTU_REMOVES_NOTHING),
        },
    ),
    Row::when("mirror", |host| host.mirror.is_some(), PACKAGES),
    Row::each(
        "repositories",
        |host| host.repositories.iter().map(|repository| repository.id.to_string()).collect(),
        PACKAGES,
    ),
    Row::when("proxy", |host| host.proxy.is_some(), PACKAGES),
    Row::when(
        "kernel_args",
        |host| !host.kernel_args.is_empty(),
        Cells {
            agent: ignored(AGENT_KERNEL_ARGS),
            kickstart: native(),
            preseed: native(),
            autoinstall: script(UBUNTU_GRUB_D),
        },
    ),
    Row::when(
        "boot.consoles",
        |host| !host.boot.consoles.is_empty(),
        Cells {
            agent: no(AGENT_CONSOLES),
            kickstart: native(),
            preseed: native(),
            autoinstall: script(UBUNTU_GRUB_D),
        },
    ),
    Row::when(
        "boot.password",
        |host| host.boot.password.is_some(),
        Cells {
            agent: no(AGENT_NOT),
            kickstart: native(),
            preseed: script(DEBIAN_BOOT_PASSWORD),
            autoinstall: no(UBUNTU_BOOT_PASSWORD),
        },
    ),
    Row::when(
        "boot.password",
        |host| is_container(host) && host.boot.password.is_some(),
        Cells {
            agent: ignored(NO_IMAGE_AT_ALL),
            kickstart: by(|release| match release {
                Rhel8 => ignored(NO_IMAGE_AT_ALL),
                Rhel9 | Rhel10 | Fedora43 | Fedora44 | Fedora45 => no(BOOTUPD),
            }),
            preseed: ignored(NO_IMAGE_AT_ALL),
            autoinstall: ignored(NO_IMAGE_AT_ALL),
        },
    )
    .case(" with image: oci:…"),
    Row::each("scripts.pre", |host| names(&host.scripts.pre), SCRIPTS),
    Row::each("scripts.post", |host| names(&host.scripts.post), SCRIPTS),
    Row::each("scripts.post_outside", |host| names(&host.scripts.post_outside), SCRIPTS),
    Row::each("scripts.first_boot", |host| names(&host.scripts.first_boot), SCRIPTS),
    Row::each(
        "scripts.on_error",
        |host| names(&host.scripts.on_error),
        Cells {
            agent: no(AGENT_SCRIPTS),
            kickstart: native(),
            preseed: no(DEBIAN_STOPS),
            autoinstall: native(),
        },
    ),
    Row::when("handoff", |host| host.handoff.is_some(), NATIVE),
    Row::when(
        "finish",
        |host| host.finish != Finish::Reboot,
        Cells { agent: no(AGENT_RESTARTS), kickstart: native(), preseed: native(), autoinstall: native() },
    ),
    Row::when("policy.allow_scripted", |host| host.scripted == Scripted::Allowed, NATIVE),
    Row::when(
        "policy.allow_dead_clock",
        |host| host.allow_dead_clock,
        Cells {
            agent: native(),
            kickstart: ignored(NO_ORDERS),
            preseed: ignored(NO_ORDERS),
            autoinstall: ignored(NO_ORDERS),
        },
    ),
    Row::when(
        "policy.max_age",
        |host| host.max_image_age.is_some(),
        Cells {
            agent: native(),
            kickstart: ignored(OF_CHECK),
            preseed: ignored(OF_CHECK),
            autoinstall: ignored(OF_CHECK),
        },
    ),
    Row::always(
        "policy.refusal_pause",
        Cells {
            agent: native(),
            kickstart: ignored(NO_REFUSALS),
            preseed: ignored(NO_REFUSALS),
            autoinstall: ignored(NO_REFUSALS),
        },
    ),
];

fn is_stored(host: &Host) -> bool {
    matches!(host.image, Some(ImageSource::Store(_)))
}

fn is_container(host: &Host) -> bool {
    matches!(host.image, Some(ImageSource::Oci(_)))
}

fn names(scripts: &[Script]) -> Vec<String> {
    scripts.iter().map(|script| script.name.to_string()).collect()
}
