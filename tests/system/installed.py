"""Checks of what `cmake --install` put below a DESTDIR: every path that the units and the man pages name exists."""
import os
import re
import shlex

PROGRAMS = ("dustwired", "dustwire", "dustwire-bitdust")


def problems(destdir, prefix, folders=None):
    """The problems, a sentence each. `folders`: the configured ones (bin, sysconf, man); the others are derived from
    `prefix`."""
    folders = {"bin": "bin", "man": "share/man", "data": "share",
               "sysconf": "/etc" if prefix.rstrip("/") == "/usr" else "etc", **(folders or {})}
    at = {name: os.path.normpath(os.path.join(prefix, folder)) for name, folder in folders.items()}
    ini = os.path.join(at["sysconf"], "dustwire", "dustwired.ini")
    found = ["missing: " + path for path in
             [os.path.join(at["bin"], program) for program in PROGRAMS] +
             [ini, os.path.join(at["man"], "man8", "dustwired.8"), os.path.join(at["man"], "man5", "dustwired.ini.5")]
             if not os.path.isfile(destdir + path)]
    found += ["a second settings file: " + path for path in files_named(destdir, "dustwired.ini")
              if path != ini]
    return (found + unit_problems(destdir, prefix, at["bin"], ini) + page_problems(destdir, at["man"], ini) +
            launcher_problems(destdir, at["bin"], at["data"]))


def launcher_problems(destdir, bin_folder, data):
    """The launcher finds the adapter beside itself, or at the path that was written into it."""
    path = os.path.join(bin_folder, "dustwire-bitdust")
    with open(destdir + path) as stream:
        written = re.search(r'^INSTALLED = "(.*?)"', stream.read(), re.MULTILINE)
    searched = written.group(1) if written else os.path.normpath(bin_folder + "/../share/dustwire/bitdust")
    found = [] if os.access(destdir + path, os.X_OK) else ["not executable: " + path]
    if searched != data + "/dustwire/bitdust" or not os.path.isdir(destdir + searched + "/dustwire_adapter"):
        found.append("%s searches the adapter in %s" % (path, searched))
    return found


def files_named(destdir, name):
    return ["/" + os.path.relpath(os.path.join(folder, name), destdir)
            for folder, _, names in os.walk(destdir) if name in names]


def unit_problems(destdir, prefix, bin_folder, ini):
    path = os.path.normpath(os.path.join(prefix, "lib/systemd/system/dustwired.service"))
    if not os.path.isfile(destdir + path):
        return ["missing: " + path]
    with open(destdir + path) as stream:
        text = stream.read()
    found = ["two slashes: " + line for line in text.splitlines() if re.search(r"(?<![:/])//", line)]
    for key, wanted in (("ExecStart", [os.path.join(bin_folder, "dustwired"), "--config", ini]),
                        ("ExecReload", [os.path.join(bin_folder, "dustwire"), "reload"])):
        words = words_of(text, key)
        if words != wanted:
            found.append("%s is %r, not %r" % (key, words, wanted))
    allowed = words_of(text, "ExecPaths")
    if not any(os.path.commonpath([folder.lstrip("-"), bin_folder]) == folder.lstrip("-") for folder in allowed):
        found.append("ExecPaths is %r, without %s" % (allowed, bin_folder))
    return found


def words_of(text, key):
    """The words of a key of a unit: a quoted string is one word, %% is a %."""
    line = re.search(r"^%s=(.*)$" % key, text, re.MULTILINE).group(1)
    return [word.replace("%%", "%") for word in shlex.split(line)]


def page_problems(destdir, man, ini):
    path = os.path.join(man, "man1", "dustwire.1")
    if not os.path.isfile(destdir + path):
        return ["missing: " + path]
    with open(destdir + path) as stream:
        text = stream.read()
    named = set(re.findall(r"config (\S.*?dustwired\.ini)", text))
    found = [] if named == {ini} else ["%s names %r, not %s" % (path, named, ini)]
    if not re.match(r'\.TH DUSTWIRE 1 "" "dustwire \d+\.\d+\.\d+" ', text):
        found.append("%s does not state the version: %s" % (path, text.split("\n")[0]))
    return found
