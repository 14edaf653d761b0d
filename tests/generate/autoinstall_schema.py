#!/usr/bin/env python3
"""Make src/grammar/autoinstall/schema.txt from the JSON schemas of subiquity.

usage: autoinstall_schema.py 22.04=SCHEMA.json 24.04=SCHEMA.json later=SCHEMA.json > src/grammar/autoinstall/schema.txt

Each SCHEMA.json is the file autoinstall-schema.json of github.com/canonical/subiquity: the branch ubuntu/22.04.1, the tag
24.04.4, and main of 2026-08. Only facts are kept: path, types, releases, required keys, closed maps, values. Alternatives
(oneOf, anyOf) are united, which errs on the side of letting pass.
"""
import json, sys


class Node:
    def __init__(self):
        self.types, self.values, self.required, self.closed = set(), set(), None, None
        self.free_text = False


def merge(node, schema):
    kinds = schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if not kinds and isinstance(schema.get("const"), str):
        kinds = {"string"}
    node.types |= kinds
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if "string" in kinds:
        if values:
            node.values |= set(values)
        else:
            node.free_text = True
    if "object" in kinds:
        required = set(schema.get("required", []))
        node.required = required if node.required is None else node.required & required
        closed = schema.get("additionalProperties") is False
        node.closed = closed if node.closed is None else node.closed and closed


def walk(path, schema, found):
    node = found.setdefault(path, Node())
    for part in schema.get("oneOf", []) + schema.get("anyOf", []):
        if part.get("type") == "object" and set(part) <= {"type", "required"}:
            continue  # says which keys go together only
        walk(path, part, found)
    merge(node, schema)
    for name, part in schema.get("properties", {}).items():
        walk(path + "/" + name, part, found)
    if isinstance(schema.get("additionalProperties"), dict):
        walk(path + "/*", schema["additionalProperties"], found)
    if isinstance(schema.get("items"), dict):
        walk(path + "/[]", schema["items"], found)


def main():
    facts = {}
    for argument in sys.argv[1:]:
        release, name = argument.split("=", 1)
        found = {}
        walk("", json.load(open(name, encoding="utf8")), found)
        # the schema takes `ethernets: {match: …}` for what netplan has one level deeper
        found = {path: node for path, node in found.items() if "/ethernets/" not in path and "/wifis/" not in path}
        for path, node in found.items():
            options = []
            if node.closed:
                options.append("closed")
            if node.required:
                options.append("required=" + ",".join(sorted(node.required)))
            if node.values and not node.free_text:
                options.append("values=" + "|".join(sorted(node.values)))
            fact = (path or "/", ",".join(sorted(node.types)), " ".join(options))
            facts.setdefault(fact, []).append(release)
    print("# What subiquity takes, made by tests/generate/autoinstall_schema.py from its autoinstall-schema.json.")
    print("# path<TAB>types of JSON<TAB>releases<TAB>options; [] is an item of a list, * any key")
    for (path, kinds, options), releases in sorted(facts.items()):
        print("\t".join((path, kinds, ",".join(releases), options)).rstrip())


main()
