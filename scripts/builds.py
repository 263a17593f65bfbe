"""Builds as packagers make them; run by scripts/builds.sh."""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import installed  # noqa: E402 (the path above)
import node as harness  # noqa: E402

DEBIAN = ("-g -O2 -ffile-prefix-map=/build=. -fstack-protector-strong -Wformat -Werror=format-security "
          "-Wdate-time -D_FORTIFY_SOURCE=%d")
FEDORA = ("-O2 -flto=auto -ffat-lto-objects -fexceptions -g -grecord-gcc-switches -pipe -Wall -Werror=format-security "
          "-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3 -Wp,-D_GLIBCXX_ASSERTIONS -fstack-protector-strong -m64 "
          "-mtune=generic -fasynchronous-unwind-tables -fstack-clash-protection -fcf-protection")
ARCH = ("-march=x86-64 -mtune=generic -O2 -pipe -fno-plt -fexceptions -Wp,-D_FORTIFY_SOURCE=3 -Wformat "
        "-Werror=format-security -fstack-clash-protection -fcf-protection")
HARD_LINK = "-Wl,-z,relro -Wl,-z,now"


class Build:
    """A row: the configuration, and the expected compiler flags. `fortify` is the effective level (None: none); `has`
    are flags that must be present, `lacks` flags that must not."""

    def __init__(self, name, options=(), compiler="gcc", cflags="", ldflags="", fortify=None, has=(), lacks=(),
                 folder="build"):
        self.name, self.options, self.compiler = name, options, compiler
        self.cflags, self.ldflags, self.folder = cflags, ldflags, folder
        self.fortify, self.has, self.lacks = fortify, has, lacks


def kind(name):
    return ("-DCMAKE_BUILD_TYPE=" + name,)


BUILDS = (
    Build("gcc, no build type"),
    Build("gcc, Release", kind("Release"), fortify=2, has=("-O3",)),
    Build("gcc, MinSizeRel", kind("MinSizeRel"), fortify=2, has=("-Os",)),
    Build("gcc, RelWithDebInfo", kind("RelWithDebInfo"), fortify=2, has=("-g",)),
    Build("gcc, Debug", kind("Debug")),
    Build("gcc, LTO by CMake", kind("Release") + ("-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON",), fortify=2),
    Build("gcc, LTO by CFLAGS", cflags="-O2 -flto", ldflags="-O2 -flto", fortify=2, has=("-flto",)),
    Build("Debian's flags, fortify 2", kind("None"), cflags=DEBIAN % 2, ldflags=HARD_LINK, fortify=2),
    Build("Debian's flags, fortify 3", kind("None"), cflags=DEBIAN % 3, ldflags=HARD_LINK, fortify=3),
    Build("fortify 3, Release", kind("Release"), cflags="-D_FORTIFY_SOURCE=3", fortify=3),
    Build("fortify off, Release", kind("Release"), cflags="-U_FORTIFY_SOURCE", has=("-U_FORTIFY_SOURCE",)),
    Build("Fedora's flags", kind("None"), cflags=FEDORA, ldflags=HARD_LINK, fortify=3),
    Build("Arch's flags", kind("None"), cflags=ARCH, ldflags="-Wl,-O1,--sort-common,--as-needed," + HARD_LINK[4:],
          fortify=3),
    Build("flags that undo ours", kind("Release"), cflags="-fno-stack-protector -Wno-conversion -O1",
          fortify=2, has=("-fno-stack-protector", "-Wno-conversion")),
    Build("not position independent", kind("Release") + ("-DCMAKE_POSITION_INDEPENDENT_CODE=OFF",), fortify=2,
          lacks=("-fPIC", "-fPIE")),
    Build("a path with a space", kind("Release"), fortify=2, folder="a build"),
    Build("clang, no build type", compiler="clang"),
    Build("clang, Release", kind("Release"), compiler="clang", fortify=2, has=("-O3",)),
    Build("clang, MinSizeRel", kind("MinSizeRel"), compiler="clang", fortify=2),
    Build("clang, Debian's flags, fortify 3", kind("None"), compiler="clang", cflags=DEBIAN % 3, fortify=3),
    Build("clang, LTO by CMake", kind("Release") + ("-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=ON",), compiler="clang",
          fortify=2),
    Build("clang, LTO by CFLAGS", cflags="-O2 -flto", ldflags="-O2 -flto", compiler="clang", fortify=2),
)

# Configuration, prefix at installation (None: the configured one), and the expected folders.
INSTALLS = (
    ((), None, "/usr/local", {}),
    (("-DCMAKE_INSTALL_PREFIX=/usr",), None, "/usr", {}),
    (("-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_SYSCONFDIR=/etc"), None, "/usr", {"sysconf": "/etc"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr/", "-DCMAKE_INSTALL_SYSCONFDIR=/etc/"), None, "/usr", {"sysconf": "/etc"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_BINDIR=sbin"), None, "/usr", {"bin": "sbin"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_BINDIR=/srv/bin"), None, "/usr", {"bin": "/srv/bin"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_MANDIR=/usr/man"), None, "/usr", {"man": "/usr/man"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_DATADIR=/usr/lib/data"), None, "/usr", {"data": "/usr/lib/data"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr/local", "-DCMAKE_INSTALL_SYSCONFDIR=/etc"), None, "/usr/local", {"sysconf": "/etc"}),
    (("-DCMAKE_INSTALL_PREFIX=/usr/local", "-DCMAKE_INSTALL_SYSCONFDIR=etc/opt"), None, "/usr/local",
     {"sysconf": "etc/opt"}),
    (("-DCMAKE_INSTALL_PREFIX=/opt/x",), None, "/opt/x", {}),
    (("-DCMAKE_INSTALL_PREFIX=/opt/x",), "/usr", "/usr", {}),
    (("-DCMAKE_INSTALL_PREFIX=/usr",), "/opt/x", "/opt/x", {}),
    (("-DCMAKE_INSTALL_PREFIX=/usr",), "/opt/my programs", "/opt/my programs", {}),
    (("-DCMAKE_INSTALL_PREFIX=/opt/my programs",), None, "/opt/my programs", {}),
)


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def run(command, what, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Failed("%s:\n%s%s" % (what, done.stdout[-4000:], done.stderr[-4000:]))
    return done.stdout + done.stderr


def environment(build):
    kept = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "LDFLAGS", "CPPFLAGS", "CC")}
    return {**kept, "CC": build.compiler, "CFLAGS": build.cflags, "LDFLAGS": build.ldflags}


def configure(build, folder, more=()):
    run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, "-DBUILD_TESTING=OFF", *build.options, *more],
        "configuring", env=environment(build))


def needs(build, folder):
    """Skips the row if the compiler is not installed, or cannot link with these flags."""
    if shutil.which(build.compiler) is None:
        raise Skipped("%s is not installed" % build.compiler)
    source = os.path.join(folder, "one.c")
    with open(source, "w") as out:
        out.write("int main(void) { return 0; }\n")
    is_lto = any("INTERPROCEDURAL" in option for option in build.options)
    done = subprocess.run([build.compiler, *shlex.split(build.cflags), *shlex.split(build.ldflags),
                           *(["-flto"] if is_lto else []), "-o", os.path.join(folder, "one"), source],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Skipped("%s cannot link a program with these flags here: %s" % (
            build.compiler, done.stderr.strip().splitlines()[-1][:120]))


def compile_lines(folder):
    with open(os.path.join(folder, "compile_commands.json")) as stream:
        return [shlex.split(entry["command"]) for entry in json.load(stream)]


def fortify_level(words):
    """The level by the last such flag."""
    level = None
    for word in re.findall(r"-([UD])_FORTIFY_SOURCE(?:=(\d))?", " ".join(words)):
        level = int(word[1]) if word[0] == "D" else None
    return level


def check_flags(build, folder):
    for words in compile_lines(folder):
        level = fortify_level(words)
        if level != build.fortify:
            raise Failed("fortify is %s, not %s: %s" % (level, build.fortify, shlex.join(words)))
        missing = [flag for flag in build.has if flag not in words]
        there = [flag for flag in build.lacks if flag in words]
        # A flag that negates one of ours must come after it.
        early = [flag for flag in build.has if flag.startswith("-fno-") and "-f" + flag[5:] + "-strong" in words
                 and words.index(flag) < words.index("-f" + flag[5:] + "-strong")]
        if missing or there or early:
            raise Failed("missing %r, unexpected %r, overridden %r: %s" % (missing, there, early, shlex.join(words)))
        if "-Werror" in words:
            raise Failed("-Werror is set without having been requested")


def compile_all(build, folder):
    """For packagers warnings are not errors, but there must be none."""
    said = run(["cmake", "--build", folder, "--target", "dustwired", "dustwire", "dustwire-load"], "building")
    # gcc's note that link-time optimisation runs in one process is not about our code.
    warnings = [line for line in said.splitlines() if "warning:" in line and not line.startswith("lto-wrapper:")]
    if warnings:
        raise Failed("%d warnings: %s" % (len(warnings), "; ".join(warnings[:5])))


def smoke_test(folder):
    """Checks the versions and the settings, and sends a file from one node to another."""
    harness.BUILD = folder
    for program in ("dustwired", "dustwire", "dustwire-load"):
        said = run([os.path.join(folder, program), "--version"], program + " --version").strip()
        if not re.fullmatch(program + r" \d+\.\d+\.\d+", said):
            raise Failed("%s --version printed %r" % (program, said))
    run([os.path.join(folder, "dustwired"), "--config", os.path.join(ROOT, "etc", "dustwired.ini"), "--check-config"],
        "--check-config")
    nodes = [harness.Node("alice"), harness.Node("bob")]
    try:
        alice, bob = [node.start() for node in nodes]
        path = harness.make_file(os.path.join(alice.folder, "a file"), 300000, seed=1)
        result = alice.send([path], bob.contact)
        if result.code != 0 or bob.received_sums() != [harness.sha256(path)]:
            raise Failed("the file was not received: %s" % result)
    finally:
        problems = [problem for problem in (node.close() for node in nodes) if problem]
    if problems:
        raise Failed("; ".join(problems))


def one(build, top):
    needs(build, top)
    folder = os.path.join(top, build.folder)
    shutil.rmtree(folder, ignore_errors=True)
    configure(build, folder)
    check_flags(build, folder)
    compile_all(build, folder)
    smoke_test(folder)


def install_all(top):
    """One build, configured and installed with every row of INSTALLS."""
    plain, folder = Build("install", kind("Release")), os.path.join(top, "install build")
    configure(plain, folder)
    run(["cmake", "--build", folder], "building")
    for number, (options, at_installing, prefix, folders) in enumerate(INSTALLS):
        destdir = os.path.join(top, "dest dir %d" % number)
        for name in ("SYSCONFDIR", "BINDIR", "MANDIR", "DATADIR", "PREFIX"):
            options = options if any(name in option for option in options) else (*options, "-UCMAKE_INSTALL_" + name)
        configure(plain, folder, options)
        command = ["cmake", "--install", folder]
        run(command if at_installing is None else command + ["--prefix", at_installing], "installing",
            env={**os.environ, "DESTDIR": destdir})
        found = installed.problems(destdir, prefix, folders)
        if found:
            raise Failed("%s, --prefix %s: %s" % (" ".join(options), at_installing, "; ".join(found)))


def rows():
    return [(build.name, lambda top, build=build: one(build, top)) for build in BUILDS] + [
        ("install", install_all)]


def main(wanted):
    unknown = set(wanted) - {name for name, _ in rows()} - {"--list"}
    if unknown:
        raise SystemExit("builds.sh: unknown row: %s; --list prints them" % ", ".join(sorted(unknown)))
    if "--list" in wanted:
        print("\n".join(name for name, _ in rows()))
        return 0
    failures = 0
    for name, function in rows():
        if wanted and name not in wanted:
            continue
        began, said = time.monotonic(), "ok"
        with tempfile.TemporaryDirectory(prefix="dustwire-builds-") as top:
            try:
                function(top)
            except Skipped as e:
                said = "skipped: %s" % e
            except (Failed, AssertionError) as e:
                said, failures = "FAILED: %s" % e, failures + 1
        print("%-34s %5.0f s  %s" % (name, time.monotonic() - began, said), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
