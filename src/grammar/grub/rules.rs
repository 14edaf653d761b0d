//! Rules of GRUB scripts: what each finding is called, and what the handbook says of it.

use crate::value::rule::rules;

rules! {
    SYNTAX = "grub-syntax" error fixed,
        "GRUB's shell can't read this: it refuses the whole script.",
        "Write what the message expects; quote a character that is meant.",
        "if true; then\necho hello\n";
    EMPTY = "grub-empty" error fixed,
        "There is no command in the script.",
        "Check that it is the right file, and whole.",
        "# nothing\n";
    NESTING = "grub-nesting" error fixed,
        "Blocks are nested deeper than anybody writes them.",
        "Write it flatter.";
    UNKNOWN_COMMAND = "grub-unknown-command" error fixed,
        "GRUB has no such command, and the script no such function.",
        "Correct the name.",
        "menuentri x { true }\n";
    CALLED_EARLY = "grub-called-early" error fixed,
        "A function is called before it is defined: GRUB runs a script statement by statement.",
        "Define it further up.",
        "greet\nfunction greet { echo hello; }\n";
    SEMICOLON = "grub-semicolon" error fixed,
        "A `;` in an argument ends the command: what follows never reaches the kernel.",
        "Quote the argument: `\"ds=nocloud;s=…\"`.",
        "linux /vmlinuz ds=nocloud;s=http://server/\n";
    NO_KERNEL = "grub-no-kernel" error fixed,
        "A command that loads a kernel names none, or an initrd is loaded before any kernel.",
        "Load the kernel with `linux` first.",
        "initrd /initrd.img\n";
}
