#!/usr/bin/env python3
"""Holds lines that were reported as kept against pykickstart's own canonical form.

Reads a JSON list of {"name", "version", "original", "rendered", "kept": [line numbers]} from standard input. A kept command must
read the same, as pykickstart prints it, as one of the rendered file's; a kept line of %packages must name what is there.
Prints a JSON list of {"name", "line", "why"}.
"""
import json, re, sys, warnings

from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion

warnings.simplefilter("ignore")


def handler(text, version):
    made = makeVersion(version)
    KickstartParser(made, followIncludes=False, missingIncludeIsFatal=False).readKickstartFromString(text)
    return made


def canonical(text, version):
    """Lines of the canonical form, without comments."""
    return {line for line in str(handler(text, version)).splitlines() if line.strip() and not line.startswith("#")}


def with_included(text):
    """The file, and after it what its %pre writes for inclusion."""
    included = re.findall(r"cat > /tmp/ironstrap-\w+\.ks <<IRONSTRAP\n(.*?)IRONSTRAP\n", text, re.S)
    outside = re.sub(r"(?ms)^%(pre|post|onerror).*?^%end$", "", text)
    return outside + "\n" + "".join(included)


def packages(made):
    listed = made.packages
    groups = ["@" + group.name for group in listed.groupList]
    environment = ["@^" + listed.environment] if listed.environment else []
    left_out = list(listed.excludedList) + ["@" + group.name for group in listed.excludedGroupList]
    return set(groups + environment + list(listed.packageList) + ["-" + name for name in left_out])


wrong = []
for case in json.load(sys.stdin):
    version, lines = case["version"], case["original"].split("\n")
    rendered = with_included(case["rendered"])
    said, listed = canonical(rendered, version), packages(handler(rendered, version))
    inside = None
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if words and words[0].startswith("%") and words[0] not in ("%include", "%ksappend"):
            inside = None if words[0] == "%end" else words[0]
            continue
        if number not in case["kept"]:
            continue
        if inside == "%packages":
            if words[0] not in listed:
                wrong.append({"name": case["name"], "line": number, "why": f"{words[0]} is not in %packages"})
            continue
        try:
            missing = canonical(line + "\n", version) - said - canonical("", version)
        except Exception as error:  # pykickstart raises errors of several families
            wrong.append({"name": case["name"], "line": number, "why": f"{line!r} is refused: {error}"})
            continue
        if missing:
            wrong.append({"name": case["name"], "line": number, "why": f"{sorted(missing)} isn't rendered"})
json.dump(wrong, sys.stdout)
