"""What lies in a folder, to any depth: every file once, no loop, nothing lost without a word."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Listing:
    """What was found in a folder.

    Attributes:
        files: every file that is not hidden, in order of path; also links to files, and broken links.
        n_hidden: files and folders whose names start with a dot, such as the ``._*`` companions that macOS leaves.
        passed_over: path -> why it was not looked into: links to folders that are searched anyhow, pipes, devices.
        problems: path -> why it could not be read.
    """

    files: list[Path] = field(default_factory=list)
    n_hidden: int = 0
    passed_over: dict[Path, str] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)


def search_folder(top: Path) -> Listing:
    """List a folder to any depth.

    Links to folders are followed, after all real folders and in order of path; a folder is read once however many ways
    lead to it, so a link to one that was read is passed over; so is a link to a folder above the top.
    """
    listing = Listing()
    above = Path(os.path.realpath(top))
    read: set[str] = set()
    waiting, links = [top], deque[Path]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.popleft()
        real = os.path.realpath(folder)
        if real in read:
            listing.passed_over[folder] = "a link to a folder that is searched already"
            continue
        if above.is_relative_to(real) and read:
            listing.passed_over[folder] = "a link to a folder above"
            continue
        read.add(real)
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            listing.problems[folder] = f"the folder cannot be read ({error.strerror or error})"
            continue
        for entry in found:
            path = folder / entry.name
            if entry.name.startswith("."):
                listing.n_hidden += 1
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
                # A link that leads nowhere is said to when it is opened; one to a pipe or device must not be opened.
                is_file = is_file or (entry.is_symlink() and not path.exists())
            except OSError:  # a link to itself, or no permission to ask: said when it is opened
                is_folder, is_file = False, True
            if is_folder:
                (links if entry.is_symlink() else waiting).append(path)
            elif is_file:
                listing.files.append(path)
            else:
                listing.passed_over[path] = "a pipe, socket or device"
    listing.files.sort(key=lambda path: [os.fsencode(part) for part in path.parts])
    return listing
