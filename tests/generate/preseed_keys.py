#!/usr/bin/env python3
"""Make src/grammar/preseed/keys.txt, the questions of debian-installer that a preseed file can answer.

usage: preseed_keys.py TEMPLATES_OF_12 TEMPLATES_OF_13 > src/grammar/preseed/keys.txt

Each argument is a directory of *.templates files: the control member `templates` of the installer's udebs (NAME.templates)
and of the Debian packages that are configured during an install (NAME.deb.templates). tests/generate/fetch_templates.sh
makes such a directory from a mirror and from an installer's initrd.

A package whose templates of Debian 12 aren't there (mirrors drop udebs when a point release replaces them) is taken from
Debian 13, and the head of the output names it. Only facts are kept: key, type, choices, package, releases.
"""
import glob, os, re, sys

FIELD = re.compile(r"(Template|Type|Choices|Choices-C): ?(.*)")
RELEASES = ("12", "13")


def packages(folder):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.templates"))):
        questions = {}
        for stanza in open(path, encoding="utf8", errors="replace").read().split("\n\n"):
            fields = {}
            for match in map(FIELD.match, stanza.split("\n")):
                if match:
                    fields.setdefault(match[1], match[2].strip())
            if "Template" in fields and "Type" in fields:
                # translators' marks aren't part of the type
                kind = fields["Type"].split()[0]
                questions[fields["Template"]] = (kind, choices(fields))
        found[os.path.basename(path)[: -len(".templates")]] = questions
    return found


def choices(fields):
    """What a value may be, in the untranslated form that debconf keeps; nothing where the installer makes the list."""
    listed = fields.get("Choices-C") or fields.get("Choices") or ""
    if "${" in listed:
        return ()
    parts = (part.strip().replace("\\,", ",") for part in re.split(r"(?<!\\),", listed))
    return tuple(part for part in parts if part)


def main():
    twelve, thirteen = packages(sys.argv[1]), packages(sys.argv[2])
    borrowed = sorted(set(thirteen) - set(twelve))
    own = {key for questions in twelve.values() for key in questions}
    known = {}
    for release, source in (("12", twelve), ("12", {name: thirteen[name] for name in borrowed}), ("13", thirteen)):
        for package, questions in source.items():
            for key, (kind, listed) in questions.items():
                if release == "12" and package in borrowed and key in own:
                    continue
                known.setdefault((key, kind, listed), {}).setdefault(release, package)
    print("# Questions of debian-installer, made by tests/generate/preseed_keys.py from the templates of its packages.")
    print("# key<TAB>type<TAB>releases of Debian<TAB>package<TAB>choices, split by |; none where the installer makes them.")
    print("# Debian 12's templates of these packages were on no mirror; its keys are taken from Debian 13:")
    line = "#"
    for name in borrowed:
        if len(line) + len(name) > 118:
            print(line)
            line = "#"
        line += " " + name
    print(line)
    for (key, kind, listed), where in sorted(known.items()):
        releases = ",".join(release for release in RELEASES if release in where)
        package = where.get("13") or where["12"]
        print("\t".join((key, kind, releases, package, "|".join(listed))))


main()
