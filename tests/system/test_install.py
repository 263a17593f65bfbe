"""cmake --install: the prefix may be another than the one that was configured."""
import os
import subprocess
import unittest

import installed
from node import BUILD, SystemTest, main

# The prefix that is given at installing, and what the folders below DESTDIR are called.
PREFIXES = ("/usr", "/usr/", "/usr/local", "/opt/x", "/opt/my programs", "/opt/100%", "/opt/a&b", "/srv/one/two",
            "/home/anna/.local", "/opt/x//y", "/usr2", "/opt/usr")


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "cmake_install.cmake")), "no build folder of CMake's")
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

    def test_a_relative_prefix_is_one_of_the_current_folder(self):
        here = self.folder()
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", "my out"], capture_output=True, text=True,
                              cwd=here, env={name: value for name, value in os.environ.items() if name != "DESTDIR"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(installed.problems("", os.path.join(here, "my out")), [])

    def test_everything_installed_is_in_the_manifest(self):
        destdir = self.install("/opt/x")
        with open(os.path.join(BUILD, "install_manifest.txt")) as stream:
            named = set(stream.read().split("\n"))
        there = {os.path.join(folder, name) for folder, _, names in os.walk(destdir) for name in names}
        self.assertEqual({path[len(destdir):] for path in there} - named, set())


if __name__ == "__main__":
    main()
