#!/usr/bin/env python3
"""Turns one .sql file (one statement) into a C header that defines it as a `struct db_sql`.

A line "-- result: binary" asks for the result in binary. The name of the file gives the name of the constant: claim.sql -> sql_claim. Lines that are only a
comment are left out, so that what the server logs is the statement itself.
"""
import os
import sys

source, target = sys.argv[1:3]
name = os.path.basename(source)[: -len(".sql")]
with open(source, encoding="utf-8") as f:
    written = [line.rstrip("\n") for line in f]
lines = [line for line in written if line.strip() and not line.lstrip().startswith("--")]
binary = "-- result: binary" in written


def c_string(line):
    return '    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


with open(target, "w", encoding="utf-8") as f:
    f.write(f"/* made from {name}.sql */\n#pragma once\n#include \"lib/db.h\"\n")
    f.write(f"static const struct db_sql sql_{name} = {{\"{name}\",\n")
    f.write("\n".join(c_string(line) for line in lines))
    f.write(", true};\n" if binary else ", false};\n")
