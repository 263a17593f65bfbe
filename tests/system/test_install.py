"""cmake --install: the prefix can differ from the configured one."""
import os
import subprocess
import unittest

import installed
from node import BUILD, SystemTest, main

# Values of --prefix, below a DESTDIR.
PREFIXES = ("/usr", "/usr/", "/usr/local", "/opt/x", "/opt/my programs", "/opt/100%", "/opt/a&b", "/srv/one/two",
            "/home/anna/.local", "/opt/x//y", "/usr2", "/opt/usr")


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "cmake_install.cmake")), "not a CMake build folder")
class Install(SystemTest):
    def install(self, prefix):
        destdir = os.path.join(self.folder(), "dest dir")
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], capture_output=True, text=True,
                              env={**os.environ, "DESTDIR": destdir})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return destdir

    def test_every_prefix_is_in_the_units_and_the_pages(self):
        for prefix in PREFIXES:
            with self.subTest(prefix):
                self.assertEqual(installed.problems(self.install(prefix), prefix), [])

    def test_a_relative_prefix_is_below_the_current_folder(self):
        here = self.folder()
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", "my out"], capture_output=True, text=True,
                              cwd=here, env={name: value for name, value in os.environ.items() if name != "DESTDIR"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(installed.problems("", os.path.join(here, "my out")), [])

    def test_the_manifest_lists_every_installed_file(self):
        destdir = self.install("/opt/x")
        with open(os.path.join(BUILD, "install_manifest.txt")) as stream:
            named = set(stream.read().split("\n"))
        there = {os.path.join(folder, name) for folder, _, names in os.walk(destdir) for name in names}
        self.assertEqual({path[len(destdir):] for path in there} - named, set())


if __name__ == "__main__":
    main()
