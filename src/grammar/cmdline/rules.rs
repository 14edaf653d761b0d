//! Rules of kernel command lines: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    SECOND_LINE = "cmdline-second-line" error fixed,
        "There is a second line: a boot loader takes one only.",
        "Write all in one line.",
        "quiet\nro\n";
    CONTROL_CHARACTER = "cmdline-control-character" error fixed,
        "There is a control character in the line.",
        "Take it out.",
        "quiet\u{7}\n";
    TOO_LONG = "cmdline-too-long" error fixed,
        "The line is longer than the kernel's buffer: the kernel cuts it.",
        "Shorten it; put answers of an installer into its answer file.";
    OPEN_QUOTE = "cmdline-open-quote" error fixed,
        "A double quote stays open: the kernel takes the rest of the line for one value.",
        "Close it.",
        "dyndbg=\"file\n";
    SINGLE_QUOTE = "cmdline-single-quote" warning fixed,
        "Single quotes mean nothing to the kernel: they stay in the value.",
        "Use double quotes, or none.",
        "console='ttyS0'\n";
    BACKSLASH = "cmdline-backslash" warning fixed,
        "A backslash means nothing to the kernel: it stays in the value.",
        "Take it out.",
        "a=b\\c\n";
    SEMICOLON = "cmdline-semicolon" warning fixed,
        "In a GRUB script, a `;` without quotes ends the command: what follows never reaches the kernel.",
        "Quote it where it stands in a GRUB script: `\"ds=nocloud;s=…\"`.",
        "autoinstall ds=nocloud;s=http://server/\n";
    INNER_QUOTE = "cmdline-inner-quote" error fixed,
        "Quotes inside of a value stay in it.",
        "Quote the whole value: `name=\"a b\"`.",
        "a=b\"c d\"\n";
    SEPARATOR = "cmdline-separator" either fixed,
        "`--` or `---` where it cuts the line: behind `--` the kernel reads nothing, and installers take `---` for the end of their arguments. An error where `---` stands twice.",
        "Keep one, where it is meant.",
        "quiet --- ro --- splash\n";
    ANSWER_AFTER_SEPARATOR = "cmdline-answer-after-separator" warning fixed,
        "An answer stands after `---`, where arguments for the installed system are.",
        "Put it before.",
        "auto=true --- netcfg/get_gateway=none\n";
    NO_AUTOINSTALL = "cmdline-no-autoinstall" warning fixed,
        "subiquity asks before it writes unless it finds the word `autoinstall`.",
        "Add the word.",
        "boot=casper \"ds=nocloud;s=http://server/\"\n";
    BLANK_IN_VALUE = "cmdline-blank-in-value" error fixed,
        "The value of an answer has a blank: d-i takes the first word, or nothing.",
        "Put the answer into the preseed file.",
        "auto=true netcfg/get_nameservers=\"10.0.0.1 10.0.0.2\"\n";
    TOO_MANY = "cmdline-too-many" error fixed,
        "There are more variables or options for the first process than the kernel takes: it panics.",
        "Put answers into the preseed file.";
    UNKNOWN_QUESTION = "cmdline-unknown-question" error fixed,
        "debian-installer has no such question.",
        "Correct the key, or take it out.",
        "auto=true netcfg/get_hostnam=web01\n";
}
