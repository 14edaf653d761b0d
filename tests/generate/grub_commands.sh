#!/bin/sh
# Make src/grammar/grub/commands.txt, the commands of GRUB.
# usage: grub_commands.sh COMMAND_LST... > src/grammar/grub/commands.txt
# COMMAND_LST are the files /usr/lib/grub/*/command.lst of the packages grub-pc-bin and grub-efi-amd64-bin (and others, if
# wanted). Commands of GRUB's kernel and of the module `normal` are in no such list and are named here.
set -eu
echo "# GRUB's commands, made by tests/generate/grub_commands.sh from the command.lst of Debian 12's GRUB 2.06."
{
	cat "$@" | sed 's/^\*//; s/:.*//'
	for name in . [ break clear configfile continue export extract_entries_configfile extract_entries_source hiddenentry insmod \
		ls lsmod menuentry normal normal_exit return rmmod set setparams shift source submenu terminal_input \
		terminal_output unset; do
		echo "$name"
	done
} | LC_ALL=C sort -u
