"""What a person types wrong at a shell, and the sentence that comes of it."""
import os
import re
import subprocess
import threading
import xmlrpc.server

import node as harness

ROOT = os.path.dirname(os.path.dirname(harness.HERE))
DUSTWIRE = os.path.join(harness.BUILD, "dustwire")


def run(*arguments):
    """Returns at once, also where the command would wait for a daemon."""
    result = subprocess.run([DUSTWIRE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=harness.seconds(10))
    return harness.Result(result.returncode, result.stdout, result.stderr)


class Wrong(harness.SystemTest):
    def assert_usage(self, word, *arguments):
        result = run("--socket", "/nonexistent/socket", *arguments)
        self.assertEqual(result.code, 2, result)
        self.assertEqual(result.out, "")
        self.assertIn(word, result.err)
        return result.err

    def test_an_event_that_there_is_not_is_refused_with_the_list_of_those_there_are(self):
        for words in ("bogus", "file-received,bogus", "bogus,finished"):
            text = self.assert_usage("unknown event 'bogus'", "events", "--on", words)
        self.assert_usage("unknown event ''", "events", "--on", "finished,")
        names = re.findall("^  (\\S+)$", text, re.MULTILINE)
        self.assertIn("file-received", names)
        self.assertIn("failed", names)
        help_text = run("help", "events").out
        for name in names:
            self.assertRegex(help_text, "[ ]%s[,;\\n]" % name)
        self.assertEqual(run("--socket", "/nonexistent/socket", "events", "--on", ",".join(names)).code, 3)

    def test_a_contact_that_is_none_is_named_with_the_form_it_has(self):
        for command in (("send", os.devnull), ("connect",), ("disconnect",), ("keep-alive",)):
            for contact in ("no^host", "", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "::1:7771", "::1", "tcp://",
                            "host:port", "[::1", "tcp://host:1/", "-h", "host:07771"):
                self.assert_usage("invalid contact '%s': expected [PROTO://]HOST[:PORT]" % contact, command[0], "--", *command[1:],
                                  contact)
        for contacts in ("f^o,127.0.0.1:1", "127.0.0.1:1,f^o", "host:1, f^o ,host:2", "f^o,bar"):
            self.assert_usage("invalid contact 'f^o': expected [PROTO://]HOST[:PORT]", "send", os.devnull, contacts)
        self.assert_usage("invalid contact ''", "send", os.devnull, " , ")
        for contact in ("host:1", "tcp://host:1", "[::1]:1", "host:1,host:2,", "udp://host:1, host:2", "host",
                        "[::1]", "tcp://host", "host,host:2"):
            self.assertEqual(run("--socket", "/nonexistent/socket", "send", "/dev/zero/x", contact).code, 1)

    def test_without_a_port_it_is_7771(self):
        asked = []
        with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as daemon:
            daemon.register_function(lambda contact: asked.append(contact.data.decode() if hasattr(contact, "data")
                                                                  else contact) or True, "disconnect_from")
            thread = threading.Thread(target=daemon.serve_forever)
            thread.start()
            rows = (("127.0.0.1", "127.0.0.1:7771"), ("host", "host:7771"), ("node.example.net", "node.example.net:7771"),
                    ("tcp://host", "tcp://host:7771"), ("[::1]", "[::1]:7771"), ("tcp://[::1]", "tcp://[::1]:7771"),
                    ("[fe80::1]", "[fe80::1]:7771"), ("udp://a.b", "udp://a.b:7771"), ("host:1", "host:1"),
                    ("[::1]:2", "[::1]:2"), ("tcp://127.0.0.1:7772", "tcp://127.0.0.1:7772"))
            for word, _ in rows:
                self.assertEqual(run("--url", "http://127.0.0.1:%d" % daemon.server_address[1], "disconnect", word).code, 0)
            daemon.shutdown()
            thread.join()
        self.assertEqual(asked, [contact for _, contact in rows])

    def test_a_second_contact_and_a_missing_one_are_called_that(self):
        here = __file__
        for words in ((here, "h:1", "h:2"), (here, "127.0.0.1", "127.0.0.2"), (here, "tcp://h:1", "h"), (here, "::1", "h"),
                      ("h:1", "h:2"), ("10.0.0.1", "h"), (here, here, "[::1]:1", "h:2"), (here, "h:1,h:2", "h:3")):
            text = self.assert_usage("run the command once per contact", "send", *words)
            self.assertIn("more than one contact, '%s' and '%s'" % words[-2:], text)
        for words in ((here, here), (os.devnull, here), (here, "h:1", here), (here, os.path.dirname(here))):
            text = self.assert_usage("missing contact", "send", *words)
        for scope in ("nope", "eth99.7", "no-such-link"):
            for word in ("[fe80::1%%%s]" % scope, "[fe80::1%%%s]:7771" % scope, "[::1%%%s]:1" % scope):
                self.assert_usage("no network interface '%s'" % scope, "send", here, word)
                self.assert_usage("no network interface '%s'" % scope, "connect", word)
        for word in ("[fe80::1%]", "[fe80::1%", "fe80::1%nope", "[fe80::1]%nope", "[fe80::1%99999999999]"):
            self.assert_usage("invalid contact '%s': expected" % word, "connect", word)
        for word in ("a" * 300, "a" * 5000, here + "/x", "/dev/null/x", os.path.join(here, "h:1:2")):
            self.assert_usage("invalid contact", "send", here, word)
        result = run("--socket", "/nonexistent/socket", "send", here, "host1", "host2")
        self.assertIn("host1: failed: no such file; if it is a contact, run the command once per contact", result.err)

    def test_a_word_that_there_is_not_is_answered_with_the_nearest(self):
        for word, meant in (("sned", "send"), ("staus", "status"), ("recieved", "received"), ("evens", "events"),
                            ("conect", "connect"), ("keepalive", "keep-alive"), ("relaod", "reload"), ("stpo", "stop"),
                            ("hepl", "help"), ("sessoins", "sessions")):
            self.assert_usage("unknown command '%s': did you mean '%s'?" % (word, meant), word)
            self.assert_usage("unknown command '%s': did you mean '%s'?" % (word, meant), "help", word)
        for word in ("nonsense", "", "x", "ls", "download"):
            self.assertNotIn("did you mean", self.assert_usage("unknown command '%s'" % word, word))

    def test_an_option_that_there_is_not_is_called_that(self):
        for words, text in ((("send", "--resume", "f", "h:1"), "unknown option --resume; "),
                            (("send", "--resume=yes", "f", "h:1"), "unknown option --resume; "),
                            (("send", "--recurse", "f", "h:1"), "unknown option --recurse: did you mean --recursive?"),
                            (("send", "--descripton=x", "f", "h:1"), "unknown option --descripton: did you mean "
                                                                    "--description?"),
                            (("events", "--cuont", "1"), "unknown option --cuont: did you mean --count?"),
                            (("received", "--sine", "1h"), "unknown option --sine: did you mean --since?"),
                            (("--jsn", "status"), "unknown option --jsn: did you mean --json?"),
                            (("--sokcet", "x", "status"), "unknown option --sokcet: did you mean --socket?"),
                            (("--json=1", "status"), "option --json takes no value"),
                            (("send", "--single=1", "f", "h:1"), "option --single takes no value"),
                            (("status", "--recursive"), "option --recursive is not valid for this command"),
                            (("--count", "1", "events"), "option --count must follow the command"),
                            (("status", "-q"), "unknown option -q; "),
                            (("send", "--description"), "option --description requires a value")):
            self.assert_usage(text, *words)

    def test_a_url_that_is_not_of_http_is_refused(self):
        for url in ("https://127.0.0.1:1", "127.0.0.1:1", "unix:/run/socket", "http://127.0.0.1", "http://",
                    "http://127.0.0.1:1/RPC2", "", "httpx://127.0.0.1:1"):
            self.assert_usage("invalid value '%s' for --url: expected http://HOST:PORT" % url, "--url", url, "status")
        for url in ("http://127.0.0.1:1", "http://127.0.0.1:1/", "HTTP://127.0.0.1:1"):
            self.assertEqual(run("--url", url, "status").code, 3)

    def test_a_value_that_an_option_cannot_have_is_refused_with_what_it_may_be(self):
        for command, option, form in (("events", "--count", "an integer of at least 1"),
                                      ("events", "--jobs", "an integer from 1 to 64"),
                                      ("events", "--after", "an event number"),
                                      ("status", "--timeout", "an integer from 1 to 86400 (seconds)"),
                                      ("received", "--since", "a duration such as 90s")):
            for value in ("x", "-1", ""):
                self.assert_usage("invalid value '%s' for %s: expected %s" % (value, option, form), command, option, value)
        self.assert_usage("invalid value '65' for --jobs", "events", "--jobs", "65")
        for value in ("2026-02-30", "2026-13-01", "2026-01-01T24:00"):
            self.assert_usage("invalid value '%s' for --since" % value, "received", "--since", value)
        for option, value, form in (("--socket", "", "the path"), ("--socket", "/" + 107 * "s", "the path"),
                                    ("--token-file", "", "a file path")):
            self.assert_usage("invalid value '%s' for %s: expected %s" % (value, option, form), option, value, "status")

    def test_an_argument_that_begins_with_a_dash_goes_behind_two(self):
        for word in ("-1", "-x"):
            self.assert_usage("unknown option %s: put an argument that begins with '-' after --, as in "
                              "'dustwire set -- NAME VALUE'" % word[:2], "set", "priority", word)
        self.assertNotIn("after --", self.assert_usage("unknown option -1", "status", "-1"))
        for words in (("--", "priority", "-1"), ("priority", "--", "-1")):
            self.assertEqual(run("--socket", "/nonexistent/socket", "set", *words).code, 3)


class Pages(harness.SystemTest):
    """The man pages and bash's completion know every command and option."""

    def help_of(self, program, *arguments):
        return subprocess.run([os.path.join(harness.BUILD, program), *arguments], capture_output=True, text=True).stdout

    def options(self, text):
        return {option for line in re.findall("^ +(?:-[a-zA-Z], )?--[a-z-]+", text, re.MULTILINE)
                for option in re.findall("--[a-z-]+", line)}

    def commands(self):
        return re.findall("^  ([a-z-]+) ", run("help").out.partition("Options:")[0], re.MULTILINE)

    def page(self, name):
        with open(os.path.join(ROOT, "docs", "man", name)) as stream:
            return stream.read().replace("\\-", "-")

    def assert_has(self, text, options):
        self.assertTrue(options)
        for option in options:
            self.assertRegex(text, "%s(?![a-z-])" % option)

    def completed(self, program, *words):
        script = (". etc/completion/%s.bash; compopt() { :; }; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _%s; "
                  "printf '%%s\\n' \"${COMPREPLY[@]}\"" % (program, program.replace("-", "_")))
        result = subprocess.run(["bash", "-c", script, "bash", os.path.join(harness.BUILD, program), *words],
                                cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(result.stderr, "")
        return set(result.stdout.split())

    def test_of_the_man_pages(self):
        for program, name in (("dustwired", "dustwired.8"), ("dustwire-load", "dustwire-load.1"),
                              ("dustwire", "dustwire.1")):
            self.assert_has(self.page(name), self.options(self.help_of(program, "--help")))
        for section in re.split("^.SS ", self.page("dustwire.1"), flags=re.MULTILINE)[1:]:
            self.assert_has(section, self.options(run("help", section.split()[0]).out) or {"Exit status"})
        self.assertEqual(re.findall("^.SS ([a-z-]+)", self.page("dustwire.1"), re.MULTILINE), self.commands())

    def test_of_the_man_page_word_for_word(self):
        page = self.page("dustwire.1").partition(".SH EXIT STATUS")[0].replace("\\&", "")
        for section in re.split("^.SS ", page, flags=re.MULTILINE)[1:]:
            lines = [line for line in section.splitlines()[1:] if line not in (".PP", ".nf", ".fi")]
            said = run("help", section.split()[0]).out.splitlines()[1:]
            self.assertEqual(lines, [line for line in said if line])

    def test_of_the_completion(self):
        self.assertEqual(self.completed("dustwire", ""), set(self.commands()))
        for command in self.commands():
            options = self.options(run("help", command).out)
            self.assertLessEqual(options, self.completed("dustwire", command, "--"))
        for program in ("dustwire", "dustwired", "dustwire-load"):
            self.assertEqual(self.completed(program, "--"), self.options(self.help_of(program, "--help")))
        cases = re.findall("^  ([a-z]+) ", self.help_of("dustwire-load", "--help"), re.MULTILINE)
        self.assertEqual(self.completed("dustwire-load", ""), set(cases))

    def test_of_the_words_of_events(self):
        words = set(re.findall("^  (\\S+)$", run("events", "--on", "none").err, re.MULTILINE))
        self.assertEqual(self.completed("dustwire", "events", "--on", ""), words)
        self.assertEqual(self.completed("dustwire", "events", "--on", "file-received,fin"), {"file-received,finished"})
        self.assertEqual(self.completed("dustwire", "events", "--on", "sent,failed,"),
                         {"sent,failed," + word for word in words})
        self.assert_has(self.page("dustwire.1"), words)

    def test_of_what_can_be_set(self):
        bob = self.node("bob")
        names = {row["name"] for row in bob.command("get", "--json").json()}
        self.assertEqual(self.completed("dustwire", "get", ""), names)
        self.assertEqual(self.completed("dustwire", "--socket", bob.socket, "set", ""), names)
        self.assertEqual(self.completed("dustwire", "set", "receiving-enabled", ""), {"true", "false"})

    def test_of_what_the_daemon_has(self):
        alice, bob = self.node("alice"), self.node("bob")
        path = harness.make_file(os.path.join(self.folder(), "f"), 10)
        self.assertEqual(alice.command("connect", bob.contact).code, 0)
        host = bob.contact[len("tcp://"):]
        with bob.stopped():
            job = self.job(alice.job("send", path, bob.contact))
            harness.wait_until(lambda: alice.streams(), "a stream")
            transfer = str(alice.streams()[0]["transfer_id"])
            for words, completed in ((("cancel", ""), {transfer}), (("cancel", transfer[:1]), {transfer}),
                                     (("cancel", "x"), set()), (("--json", "cancel", ""), {transfer}),
                                     (("--timeout", "9", "cancel", ""), {transfer}),
                                     (("disconnect", ""), {host}), (("keep-alive", host[:4]), {host}),
                                     (("connect", host), {host}), (("disconnect", "10."), set()),
                                     (("send", path, "127"), {host}), (("events", "--exec", "/bin/tru"), {"/bin/true", "/bin/truncate"}),
                                     (("received", "--since", "1"), {"15m", "1h", "1d"})):
                self.assertEqual(self.completed("dustwire", "--socket", alice.socket, *words), completed, words)
        self.assertEqual(job.result().code, 0)

    def test_of_hosts_where_bash_breaks_words_at_colons(self):
        alice, bob = self.node("alice"), self.node("bob")
        self.assertEqual(alice.command("connect", bob.contact).code, 0)
        host, port = bob.contact[len("tcp://"):].split(":")
        for typed, completed in (("", host + ":" + port), ("127.", host + ":" + port), (host + ":", port),
                                 (host + ":" + port[:2], port), (host + ":x", "")):
            line = "dustwire --socket %s disconnect %s" % (alice.socket, typed)
            words = [os.path.join(harness.BUILD, "dustwire"), *line.split()[1:-1 if typed else None],
                     *(re.findall(":|[^:]+", typed) or [""])]
            if typed.endswith(":"):
                words[-1:] = [":"]
            script = (". etc/completion/dustwire.bash; COMP_WORDBREAKS=$' \\t\\n\"><=;|&(:'; COMP_LINE=$LINE_ COMP_POINT=${#LINE_}; "
                      "COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _dustwire; printf '%s\\n' \"${COMPREPLY[@]}\"")
            result = subprocess.run(["bash", "-c", script, "bash", *words], cwd=ROOT, capture_output=True, text=True,
                                    env={**os.environ, "LINE_": line})
            self.assertEqual(result.stdout.strip(), completed, (typed, result))


class Said(harness.SystemTest):
    """What the daemon answers to programs is put into a person's words."""

    def test_no_word_of_the_api_is_in_it(self):
        bob = self.node("bob")
        path = harness.make_file(os.path.join(self.folder(), "f"), 10)
        for word, arguments in (("'none' is not a runtime setting", ("get", "none")), ("'none' is not a runtime setting", ("set", "none", "1")),
                                ("the description is longer", ("send", "--description", "x" * 70000, path, "h:1")),
                                ("unknown transport 'udp'", ("connect", "udp://h:1"))):
            result = bob.command(*arguments)
            self.assertEqual(result.code, 1, result)
            self.assertIn(word, result.err)
            self.assertNotRegex(result.err, "parameter|method|settings_|fault")

    def test_a_peer_that_refuses_is_named(self):
        bob, contact = self.node("bob"), "127.0.0.1:%d" % harness.free_port()
        path = harness.make_file(os.path.join(self.folder(), "f"), 10)
        for word, arguments in (("%s: connection refused" % contact, ("connect", contact)),
                                ("%s to %s: failed: connection failed: connection refused" % (path, contact), ("send", path, contact))):
            result = bob.command(*arguments)
            self.assertEqual(result.code, 1, result)
            self.assertEqual(result.err, "dustwire: %s\n" % word)

    def test_a_daemon_of_another_version_is_called_that(self):
        old = xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False)
        self.addCleanup(old.server_close)
        old._marshaled_dispatch = lambda *_: xmlrpc.client.dumps(
            xmlrpc.client.Fault(-32601, "unknown method")).encode()
        thread = threading.Thread(target=old.handle_request)
        thread.start()
        result = run("--url", "http://127.0.0.1:%d/" % old.server_address[1], "status")
        thread.join()
        self.assertEqual(result.code, 1, result)
        self.assertIn("does not support this command", result.err)


if __name__ == "__main__":
    harness.main()
