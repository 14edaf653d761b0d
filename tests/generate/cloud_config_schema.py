#!/usr/bin/env python3
"""Makes src/grammar/cloud_config/schema-VERSION.json of cloud-init's own schema (Apache-2.0 or GPL-3; taken under Apache-2.0).

Call: cloud_config_schema.py VERSION schema-cloud-config-v1.json
What people read is left out: descriptions, labels, examples, defaults. What is left are keys, types and limits.
"""
import json
import sys

TEXTS = {"description", "label", "default", "examples", "deprecated_description", "changed_description", "format",
         "changed", "changed_version", "hidden", "$schema"}
MAPS = {"properties", "patternProperties", "$defs"}


def strip(schema):
    if isinstance(schema, list):
        return [strip(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in MAPS:
            kept[key] = {name: strip(below) for name, below in value.items()}
        elif key not in TEXTS:
            kept[key] = value if key in ("enum", "required") else strip(value)
    return kept


version, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    schema = strip(json.load(file))
comment = f"made by tests/generate/cloud_config_schema.py of cloud-init {version}, Copyright Canonical Ltd., Apache-2.0"
print(json.dumps({"$comment": comment, **schema}, separators=(",", ":")))
