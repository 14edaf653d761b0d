//! Rules of cloud-init's user-data: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    NO_HEADER = "cloud-config-no-header" error,
        "The first line is none that cloud-init knows: it ignores the file, or what follows the template's mark.",
        "Begin with `#cloud-config`, or `#!` and an interpreter.",
        "runcmd: [a]\n";
    EMPTY = "cloud-config-empty" warning,
        "Cloud-config that says nothing.",
        "Fill it, or take it out.",
        "#cloud-config\n";
    UNKNOWN_KEY = "cloud-config-unknown-key" either,
        "cloud-init reads no such key. A warning where one version does.",
        "Correct it, or take it out.",
        "#cloud-config\nrunmcd: [a]\n";
    TYPE = "cloud-config-type" either,
        "A value is of another type than its key takes: cloud-init goes on without it. A warning where one version takes it.",
        "Write a value of the type that the message names.",
        "#cloud-config\nwrite_files: /etc/motd\n";
    VALUE = "cloud-config-value" either,
        "The key can't have this value. A warning where one version takes it.",
        "Write one that the message names.",
        "#cloud-config\nwrite_files: [{path: /a, encoding: rot13}]\n";
    MISSING_KEY = "cloud-config-missing-key" either,
        "A key that must be there is missing. A warning where one version does without.",
        "Add it.",
        "#cloud-config\nwrite_files: [{content: x}]\n";
    ITEMS = "cloud-config-items" either,
        "A list or map has too few items, too many, or one twice. A warning where one version takes it.",
        "Correct the items.",
        "#cloud-config\nruncmd: []\n";
    DEPRECATED = "cloud-config-deprecated" warning,
        "The key still works, and goes away.",
        "Write its successor.",
        "#cloud-config\nca-certs: {trusted: [x]}\n";
    INSTALLED_HOST = "cloud-config-installed-host" warning,
        "The key means less on a host that ironstrap installs than it seems to, or costs something at the first boot.",
        "Say it in the profile, or put it into the image; waive it where it is meant.",
        "#cloud-config\npackages: [git]\n";
    PART = "cloud-config-part" error,
        "A part of an archive that cloud-init ignores or can't read: without content, of a type that says nothing, no text, or nested too deep.",
        "Give the part its type and its content.",
        "#cloud-config-archive\n- {type: text/plain}\n";
    PART_UNREAD = "cloud-config-part-unread" warning,
        "A part whose encoding isn't looked into here.",
        "Encode it in base64, or not at all.",
        "Content-Type: text/cloud-config\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n#cloud-config\n";
    MIME = "cloud-config-mime" either,
        "A MIME archive without a boundary, in which cloud-init finds no part; a warning for what isn't closed or stands between parts.",
        "Make it with `cloud-init devel make-mime`.",
        "Content-Type: multipart/mixed\nMIME-Version: 1.0\n\n";
    INCLUDE = "cloud-config-include" error,
        "`#include` names something that cloud-init can't fetch.",
        "Write an address of http, https or file.",
        "#include\nftp://server/user-data\n";
    JINJA = "cloud-config-jinja" error,
        "A jinja tag isn't closed: cloud-init can't render the template.",
        "Close it.",
        "## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname\n";
}
