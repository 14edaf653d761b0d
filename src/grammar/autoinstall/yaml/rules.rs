//! Rules of YAML, for autoinstall and cloud-config: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    SYNTAX = "yaml-syntax" error fixed,
        "It isn't YAML that its reader takes.",
        "Look at indents, colons and quotes in and before this line.",
        "#cloud-config\nruncmd: [a\n";
    TOO_LARGE = "yaml-too-large" error fixed,
        "Values are nested too deep, or there are too many, aliases counted each time.",
        "Write it flatter; use fewer aliases.";
    SECOND_DOCUMENT = "yaml-second-document" error fixed,
        "A second document begins: the reader takes one.",
        "Take the line `---` out.",
        "#cloud-config\nruncmd: [a]\n---\nruncmd: [b]\n";
    DUPLICATE_KEY = "yaml-duplicate-key" error,
        "A key stands twice in one map, and the last one counts.",
        "Keep one of them.",
        "#cloud-config\nruncmd: [a]\nruncmd: [b]\n";
    AMBIGUOUS = "yaml-ambiguous" either,
        "A value without quotes is one thing in YAML 1.1, which cloud-init and subiquity read, and another in 1.2, which people mean: `yes`, `012`, `12:30`. An error where autoinstall gets a number to the base 60.",
        "Quote it if it is a text.",
        "#cloud-config\nssh_pwauth: yes\n";
}
