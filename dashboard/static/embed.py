#!/usr/bin/env python3
"""Turns the files of static/ into a C table: embed.py TARGET FILE…"""
import hashlib
import os
import sys

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
target, sources = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
digest = hashlib.sha256()
with open(target, "w", encoding="utf-8") as out:
    out.write('/* made by static/embed.py */\n#include "dashboard/static.h"\n')
    rows = []
    for number, source in enumerate(sources):
        with open(source, "rb") as f:
            data = f.read()
        digest.update(data)
        out.write(f"static const unsigned char file_{number}[] = {{")
        out.write(",".join(map(str, data)) + "};\n")
        name = os.path.basename(source)
        rows.append(f'    {{"{name}", "{TYPES[os.path.splitext(name)[1]]}", file_{number}, {len(data)}}},\n')
    out.write("const struct static_file static_files[] = {\n" + "".join(rows) + "    {0},\n};\n")
    out.write(f'const char static_digest[] = "{digest.hexdigest()[:12]}";\n')
