#!/usr/bin/env python3
"""Prints src/grammar/kickstart/commands.tsv: which Kickstart commands, sections and options each release knows.

usage: target/venv/bin/python tests/generate/kickstart.py > src/grammar/kickstart/commands.tsv

Asks pykickstart's own tables (pip install pykickstart; tests/install-deps.sh does that). Names and shapes only.
"""

import warnings
from importlib.metadata import version

from pykickstart.base import DeprecatedCommand, RemovedCommand
from pykickstart.errors import KickstartError
from pykickstart.options import commaSplit, ksboolean
from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion

RELEASES = {"rhel8": "RHEL8", "rhel9": "RHEL9", "rhel10": "RHEL10", "fedora43": "F43", "fedora44": "F44", "fedora45": "F45"}

# Converters that accept the keys of a table of their command, in any case.
MAPS = {"_type_cb": "typeMap", "_level_cb": "levelMap", "level_cb": "levelMap", "_when_cb": "whenMap"}


def kind(action, command):
    """What a value must be."""
    name = getattr(action.type, "__name__", None)
    if action.choices:
        return "choice:" + ",".join(action.choices)
    if action.type is int:
        return "int"
    if action.type is ksboolean:
        return "bool"
    if action.type is commaSplit:
        return "list"
    if name in MAPS:
        return "word:" + ",".join(sorted({key.lower() for key in getattr(command, MAPS[name])}))
    return "text"


def arity(action):
    """How many words of the line it takes: 0, 1, ? or *."""
    return "1" if action.nargs is None else str(action.nargs)


def options(parser, owner):
    """The rows of an argparse parser: options, and what its positional arguments look like."""
    rows, positionals = [], []
    for action in parser._actions:
        what = kind(action, owner)
        if action.option_strings:
            flags = [flag for flag in ("required", "deprecated") if getattr(action, flag, None)]
            rows.append((" ".join(action.option_strings), arity(action), what, " ".join(flags) or "-"))
        else:
            positionals.append(arity(action) + (what.removeprefix("choice") if what.startswith("choice:") else ""))
    return rows, " ".join(positionals) or "-"


def refuses_arguments(command, name):
    """Whether a command without a parser takes nothing; the words are the only ones that `realm` takes."""
    words = ["join", "example.com"]
    command.currentCmd, command.currentLine, command.lineno = name, " ".join([name, *words]), 1
    try:
        command.parse(words)
    except KickstartError:
        return True
    return False


def facts(release):
    """Every row that holds for one release."""
    handler = makeVersion(release)
    for name, command in handler.commands.items():
        if isinstance(command, RemovedCommand):
            yield ("command", name, "removed", "any")
            continue
        state = "deprecated" if isinstance(command, DeprecatedCommand) else "known"
        parser = getattr(command, "op", None)
        if state == "deprecated":
            yield ("command", name, state, "any")
        elif parser is None:
            yield ("command", name, state, "-" if refuses_arguments(command, name) else "any")
        else:
            rows, positionals = options(parser, command)
            yield ("command", name, state, positionals)
            for row in rows:
                yield ("option", name, *row)
        for other in command.conflictingCommands:
            yield ("conflict", name, other)
    for name, section in KickstartParser(makeVersion(release))._sections.items():
        parser = section._getParser() if hasattr(section, "_getParser") else None
        rows, positionals = options(parser, section) if parser else ([], "any")
        yield ("section", name, positionals)
        for row in rows:
            yield ("option", name, *row)


def main():
    warnings.simplefilter("ignore")
    known = {}
    for release, stock in RELEASES.items():
        for row in facts(stock):
            known.setdefault(row, []).append(release)
    print(f"# pykickstart {version('pykickstart')}: made by tests/generate/kickstart.py, don't edit")
    for (what, name, *rest), releases in sorted(known.items(), key=lambda row: (row[0][1], row[0])):
        print("\t".join([what, name, "all" if len(releases) == len(RELEASES) else ",".join(releases), *rest]))


main()
