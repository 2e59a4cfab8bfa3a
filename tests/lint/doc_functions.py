#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Every `lib/room/file.c:function` named in docs/ must exist: the file, and a definition of the function in it.
# usage: doc_functions.py REPOSITORY; prints what is missing, exit code 1 then.

import pathlib
import re
import sys

NAME = re.compile(r"`((?:lib|app)/[\w/]+\.[ch])(?::(\w+))?`")


def missing(root, document):
    for path, function in NAME.findall(document.read_text()):
        source = root / path
        if not source.is_file():
            yield f"{document.name}: {path} does not exist"
        elif function and not re.search(rf"^[a-z].*\b{function}\(", source.read_text(), re.M):
            yield f"{document.name}: {path} does not define {function}"


def main():
    root = pathlib.Path(sys.argv[1])
    documents = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    faults = [fault for document in documents for fault in missing(root, document)]
    print("\n".join(faults))
    return bool(faults)


sys.exit(main())
