#!/usr/bin/env python3
"""Turns the numbered migrations into a C table: 0001_chain.sql becomes {1, "chain", "<its text>"}."""
import os
import sys

target, sources = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)


def c_string(line):
    return '     "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


with open(target, "w", encoding="utf-8") as out:
    out.write('/* made by schema/embed.py */\n#include "schema/migrations.h"\n')
    out.write("const struct migration migrations[] = {\n")
    last = 0
    for source in sources:
        number, _, name = os.path.basename(source)[: -len(".sql")].partition("_")
        if int(number) <= last:  # a hole is none too many: migrate goes by the order of those there are
            sys.exit(f"{source}: two migrations have the number {int(number):04d}")
        last = int(number)
        with open(source, encoding="utf-8") as f:
            lines = "\n".join(c_string(line.rstrip("\n")) for line in f)
        out.write(f'    {{{int(number)}, "{name}",\n{lines}}},\n')
    out.write("};\nconst size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);\n")
