"""A daemon under a remote gateway: every callback, the transport's life, and what holds when the
gateway is dead, slow, faulty, hangs, talks rubbish or comes back as another."""
import base64
import concurrent.futures
import os
import signal
import time
import xmlrpc.client

import gateway as remote
import node as harness
import raw

SIZE = 1024


class GatewayTest(harness.SystemTest):
    """`near` is driven by the gateway, `far` is a plain node."""
    # Stretched like the tests' own deadlines: the gateway, a script on the same machine, has to answer within it.
    PATIENCE_S = round(harness.seconds(2))

    def setUp(self):
        self.place = self.folder()
        self.gateway = remote.Gateway(self.place)
        self.addCleanup(self.gateway.kill)
        self.gateway.start()

    def driven(self, name="near", is_connected=True, **changes):
        settings = {"gateway/url": self.gateway.url, "gateway/file-result": True,
                    "gateway/patience-s": self.PATIENCE_S, "sessions/stop-timeout-s": 2}
        settings.update({key.replace("__", "/").replace("_", "-"): value
                         for key, value in changes.items()})
        near = self.node(name, settings, is_started=False)
        near.spawn()
        self.wait_control(near)
        if is_connected:
            self.connect(near)
        return near

    def wait_control(self, near):
        harness.wait_until(near.status, lambda: "the control socket: " + near.log())

    def connect(self, near):
        self.assertIs(remote.control(near).connect({"tcp_port": near.port}), True)
        harness.wait_until(lambda: near.command("status").code == 0, near.log)

    def file(self, name="file", size=SIZE, seed=None):
        return harness.make_file(os.path.join(self.place, name), size, seed)

    def address(self, node):
        return "127.0.0.1:%d" % node.port

    def metrics(self, node):
        return node.status()["metrics"]


class Callbacks(GatewayTest):
    def test_a_file_sent_is_registered_unregistered_and_its_result_told(self):
        near, far = self.driven(), self.node("far")
        control, path = remote.control(near), self.file("unicode-\u00fc \u4e16")
        request = control.send_file(b"http://127.0.0.1:8000/far.xml", path.encode(),
                                    ("127.0.0.1", far.port), "note \u00e9".encode())
        result = self.gateway.wait("file_result")[0]["args"]
        self.assertEqual(result, [request, "finished", SIZE, None])
        register, = self.gateway.taken("register_file_sending")
        self.assertEqual(register["args"], ["tcp", self.address(far), "http://127.0.0.1:8000/far.xml",
                                            path, SIZE, "note \u00e9"])
        unregister, = self.gateway.taken("unregister_file_sending")
        self.assertEqual(unregister["args"], [register["answer"], "finished", SIZE, None])
        order = [c["call"] for c in self.gateway.calls() if "file" in c["call"]]
        self.assertEqual(order, ["register_file_sending", "unregister_file_sending", "file_result"])

    def test_a_file_is_listed_and_cancelled_while_it_is_being_registered(self):
        near, far = self.driven(gateway__patience_s=30), self.node("far")
        self.gateway.order("hang", ["register_file_sending"])
        request = remote.control(near).send_file("", self.file(), self.address(far), "")
        stream, = harness.wait_until(near.streams, "it is under way")
        self.assertEqual((stream["state"], stream["request_id"]), ("registering", request))
        self.assertEqual(near.command("cancel", stream["transfer_id"]).code, 0)
        self.gateway.kill()
        self.gateway.start()
        result = self.gateway.wait("file_result")[0]["args"]
        self.assertEqual((result[:2], result[3]), ([request, "failed"], "cancelled"))
        self.assertEqual(far.received(), [])

    def test_a_file_received_has_its_path_its_size_and_one_id(self):
        near, far = self.driven(), self.node("far")
        self.assert_sent(far.send([self.file(size=300000)], near.contact), 1)
        self.gateway.wait("unregister_file_receiving")
        register, = self.gateway.taken("register_file_receiving")
        path, = near.received()
        self.assertEqual(register["args"][0], "tcp")
        self.assertTrue(register["args"][1].startswith("127.0.0.1:"))
        self.assertNotEqual(register["args"][1], self.address(far), "the source, not the announced")
        self.assertEqual(register["args"][2:], ["http://127.0.0.1:8000/far.xml", path, 300000])
        unregister, = self.gateway.taken("unregister_file_receiving")
        self.assertEqual(unregister["args"], [register["answer"], "finished", 300000, None])

    @harness.needs_localhost
    def test_a_failed_connect_is_told_with_the_host_as_it_was_asked_for(self):
        near, control = self.driven(), None
        control = remote.control(near)
        host = "localhost:%d" % harness.free_port()
        request = control.send_file("", self.file(), host, None)
        result = self.gateway.wait("file_result")[0]["args"]
        self.assertEqual(result[:3], [request, "failed", 0])
        self.assertIn("connection failed", result[3])
        cancelled, = self.gateway.taken("cancelled_file_sending")
        self.assertEqual(cancelled["args"][1],
                         {"base64": base64.b64encode(host.encode()).decode()})
        self.assertEqual(cancelled["args"][0], "tcp")
        self.assertEqual(cancelled["args"][2], self.file())
        self.assertEqual(cancelled["args"][4], "")
        self.assertIn("connection failed", cancelled["args"][5])
        self.assertEqual(self.gateway.calls("register_file_sending"), [])

    def test_of_a_single_file_only_the_result_is_told(self):
        near, far = self.driven(), self.node("far")
        request = remote.control(near).send_file_single("", self.file(), self.address(far), "")
        self.assertEqual(self.gateway.wait("file_result")[0]["args"], [request, "finished", SIZE, None])
        self.assertEqual(self.gateway.calls("register_file_sending", "unregister_file_sending",
                                            "cancelled_file_sending"), [])

    def test_without_file_result_a_send_is_told_by_the_other_calls_only(self):
        near, far = self.driven(gateway__file_result=False), self.node("far")
        remote.control(near).send_file("", self.file(), self.address(far), "")
        self.gateway.wait("unregister_file_sending")
        self.assertEqual(self.gateway.calls("file_result"), [])

    def test_nil_lets_a_file_go_on_and_it_is_not_unregistered(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("nil")
        self.assert_sent(far.send([self.file()], near.contact), 1)
        remote.control(near).send_file("", self.file(), self.address(far), "")
        self.gateway.wait("file_result")
        self.assertEqual(len(near.received()), 1)
        self.assertEqual(self.gateway.calls("unregister_file_receiving", "unregister_file_sending"), [])

    def test_long_and_odd_arguments_come_through(self):
        near, far = self.driven(), self.node("far")
        name = b"\xff\xfe odd \n name"
        path = os.path.join(self.place.encode(), name)
        with open(path, "wb") as out:
            out.write(b"x" * 10)
        description, idurl = "d" * 5000, "http://127.0.0.1/%41" + "i" * 2000
        remote.control(near).send_file(idurl, path, self.address(far), description)
        self.gateway.wait("file_result")
        args = self.gateway.taken("register_file_sending")[0]["args"]
        self.assertEqual(args[2], idurl)
        self.assertEqual(base64.b64decode(args[3]["base64"]), path)
        self.assertEqual(args[5], description)

    def test_a_gateway_over_http_is_called_the_same_way(self):
        self.gateway.kill()
        self.gateway = remote.Gateway(self.folder(), is_unix=False)
        self.addCleanup(self.gateway.kill)
        self.gateway.start()
        near, far = self.driven(), self.node("far")
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.gateway.wait("unregister_file_receiving")


SESSION = {"id", "proto", "state", "host", "idurl", "verified", "worker", "direction", "bytes_sent",
           "bytes_received", "files_in", "files_out", "opened_at", "last_activity"}
STREAM = {"transfer_id", "stream_id", "type", "host", "idurl", "filename", "bytes_current",
          "bytes_total", "bytes_per_second", "started_at"}


class Calls(GatewayTest):
    """Every call of the interface once, at the Unix socket and at TCP."""

    def check_every_call(self, near, far, call):
        host, pair = self.address(far), ("127.0.0.1", far.port)
        path = self.file("a" * 200, 100000)
        self.assertEqual(call.build_contacts(), ["tcp://127.0.0.1:%d" % near.port])
        self.assertIs(call.verify_contacts([b"tcp://127.0.0.1:%d" % near.port, "tcp://x:1"]), True)
        self.assertIs(call.verify_contacts(["tcp://127.0.0.1:1"]), False)
        self.assertIs(call.connect_to(pair)["answer"], False)
        self.assertIs(call.connect_to(host.encode())["answer"], True)
        self.assertIs(call.send_keep_alive("tcp://" + host), True)
        session, = call.list_sessions(0, 10)
        self.assertLessEqual(SESSION, set(session))
        self.assertEqual((session["state"], session["host"], session["direction"]),
                         ("CONNECTED", host, "out"))
        self.assertEqual(call.list_sessions(1, 10), [])
        self.assertEqual([s["id"] for s in call.find_session(pair, None)], [session["id"]])
        self.assertEqual(call.find_session(None, b"http://127.0.0.1/nobody.xml"), [])
        self.gateway.order("hang", ["register_file_sending"])
        request = call.send_file(None, path.encode(), pair, None)
        self.assertIsInstance(request, int)
        stream, = harness.wait_until(lambda: call.list_streams(0, 10), "a stream")
        self.assertLessEqual(STREAM, set(stream))
        self.assertEqual((stream["type"], stream["filename"], stream["bytes_total"]),
                         ("out", path, 100000))
        self.assertEqual(call.find_stream(None, stream["transfer_id"])["stream_id"],
                         stream["stream_id"])
        self.assertIsNone(call.find_stream(None, 99999999))
        self.assertIs(call.cancel_file_sending(99999999), False)
        self.assertIs(call.cancel_file_receiving(99999999), False)
        self.assertIs(call.cancel_outbox_file(host, path + "x"), False)
        self.assertIs(call.cancel_outbox_file(host, path.encode()), True)
        self.gateway.kill()  # and with it the registration that hangs
        self.gateway.start()
        harness.wait_until(lambda: [c for c in self.gateway.taken("file_result")
                                    if c["args"][:2] == [request, "failed"]], "its result")
        single = call.send_file_single("", path, host, "")
        harness.wait_until(lambda: [c for c in self.gateway.taken("file_result")
                                    if c["args"][:2] == [single, "finished"]], "its result")
        self.assertIs(call.disconnect_from(pair), True)
        self.assertIs(call.disconnect_from(pair), False)
        for method in call.system.listMethods():
            self.assertTrue(call.system.methodHelp(method).startswith(method + "("), method)

    def test_every_call_is_answered_at_both_servers(self):
        token, port = "a-token-of-the-tests", harness.free_port()
        near = self.driven(control__listen="127.0.0.1:%d" % port, control__token=token,
                           node__host="127.0.0.1", gateway__patience_s=60)
        far = self.node("far")
        self.check_every_call(near, far, remote.control(near))
        at_tcp = xmlrpc.client.ServerProxy("http://127.0.0.1:%d/RPC2" % port, allow_none=True,
                                           headers=[("Authorization", "Bearer " + token)])
        self.addCleanup(at_tcp("close"))
        self.check_every_call(near, far, at_tcp)

    def test_a_send_that_no_transport_takes_is_told_too(self):
        near = self.driven(is_connected=False)
        request = remote.control(near).send_file("", self.file(), "127.0.0.1:1", "note")
        result = self.gateway.wait("file_result")[0]["args"]
        self.assertEqual(result[:3], [request, "failed", 0])
        self.assertIn("waits for the gateway", result[3])
        cancelled, = self.gateway.taken("cancelled_file_sending")
        self.assertEqual((cancelled["args"][0], remote.text_of(cancelled["args"][1])),
                         ("tcp", "127.0.0.1:1"))


class Life(GatewayTest):
    def test_the_transport_waits_for_connect_and_goes_with_disconnect(self):
        near = self.driven(is_connected=False)
        control = remote.control(near)
        self.gateway.wait("transport_initialized")
        self.assertEqual(self.gateway.calls("transport_initialized")[0]["args"], ["tcp"])
        status = near.status()
        self.assertEqual(status["transports"][0]["state"], "OFFLINE")
        self.assertIn("connect", status["advice"])
        self.connect(near)
        self.assertEqual(self.gateway.wait("receiving_started")[0]["args"][:2],
                         ["tcp", self.address(near)])
        self.assertIs(control.connect({"tcp_port": near.port}), True)
        self.gateway.wait("receiving_started", 2)
        self.assertIs(control.disconnect(), True)
        self.assertEqual(self.gateway.wait("disconnected")[0]["args"], ["tcp", "disconnected"])
        harness.wait_until(lambda: near.status()["transports"][0]["state"] == "OFFLINE", near.log)
        self.assertIs(near.status()["transports"][0]["is_enabled"], False)
        self.assertIs(control.shutdown(), True)
        self.gateway.wait("disconnected", 2)
        self.connect(near)
        self.gateway.wait("receiving_started", 3)

    def test_the_options_of_connect_go_over_the_settings_and_are_not_written(self):
        near, far = self.driven(is_connected=False), self.node("far")
        port = harness.free_port()
        with open(near.config, "rb") as stream:
            before = stream.read()
        remote.control(near).connect({"idurl": b"http://127.0.0.1/other.xml", "tcp_port": port,
                                      "host": b"127.0.0.1:%d" % port, "unknown": [1]})
        self.assertEqual(self.gateway.wait("receiving_started")[0]["args"][1], "127.0.0.1:%d" % port)
        self.assertIn("http://127.0.0.1/other.xml", near.status()["settings"]["idurl"])
        self.assert_sent(far.send([self.file()], "127.0.0.1:%d" % port), 1)
        with open(near.config, "rb") as stream:
            self.assertEqual(stream.read(), before)
        self.assertIn("the gateway's connect", remote.control(near).settings_dump())
        remote.control(near).disconnect()
        self.gateway.wait("disconnected")
        self.assertEqual(near.status()["settings"]["tcp_port"], near.port)

    def test_a_busy_port_has_bitdusts_word(self):
        near, far = self.driven(is_connected=False), self.node("far")
        remote.control(near).connect({"tcp_port": far.port})
        self.assertEqual(self.gateway.wait("receiving_failed")[0]["args"], ["tcp", "port is busy"])

    def test_bad_options_are_faults_and_change_nothing(self):
        near = self.driven(is_connected=False)
        control = remote.control(near)
        for options in ({"tcp_port": 0}, {"tcp_port": "x"}, {"host": "no host!"}, {"idurl": "a b"}):
            with self.assertRaises(xmlrpc.client.Fault) as caught:
                control.connect(options)
            self.assertEqual(caught.exception.faultCode, -32602, caught.exception)
        for url in ("http://192.0.2.1:80/", "https://127.0.0.1:1/", "unix:relative", "", "http://127.0.0.1/"):
            with self.assertRaises(xmlrpc.client.Fault) as caught:
                control.init(url)
            self.assertEqual(caught.exception.faultCode, -32602, caught.exception)
        self.assertEqual(near.status()["transports"][0]["state"], "OFFLINE")

    def test_init_puts_a_remote_gateway_in_the_place_of_the_built_in_one(self):
        near, far = self.node("near", {"gateway/patience-s": self.PATIENCE_S}), self.node("far")
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.assertEqual(near.status()["gateway"]["name"], "built-in")
        self.assertIs(remote.control(near).init(self.gateway.url, {"file_result": True, "x": 1}), True)
        self.gateway.wait("transport_initialized")
        self.assertEqual(near.status()["gateway"]["name"], "remote")
        harness.wait_until(lambda: near.status()["transports"][0]["state"] == "OFFLINE", near.log)
        self.connect(near)
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.gateway.wait("unregister_file_receiving")
        request = remote.control(near).send_file("", self.file(), self.address(far), "")
        self.assertEqual(self.gateway.wait("file_result")[0]["args"][0], request)

    def test_a_stop_does_not_wait_long_for_a_gateway_that_is_gone(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.gateway.kill()
        begun = time.monotonic()
        self.assertEqual(near.stop(), 0)
        self.assertLess(time.monotonic() - begun, harness.seconds(4))


class Trouble(GatewayTest):
    def test_one_fault_of_a_registration_is_forgiven_two_close_the_session(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("fault", ["register_file_receiving"], 1)
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.gateway.order("ok")
        self.gateway.order("fault", ["register_file_receiving"], 2)
        self.assert_not_sent(far.send([self.file()], near.contact))
        near.wait_log("rejected by the gateway")
        harness.wait_until(lambda: near.sessions() == [], near.log)
        near.wait_no_partials()
        self.gateway.order("ok")
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.assertEqual(len(near.received()), 2)

    def test_no_answer_in_time_fails_the_file_and_closes_the_session(self):
        modes = ("hang", "garbage", "html", "i8", "hang_up")
        with concurrent.futures.ThreadPoolExecutor(len(modes)) as pool:  # each waits for as long as the patience lasts
            checks = [pool.submit(self.check_unanswered, mode) for mode in modes]
            for mode, check in zip(modes, checks):
                with self.subTest(mode):
                    check.result()

    def check_unanswered(self, mode):
        """With a gateway of its own."""
        gateway, path = remote.Gateway(self.folder()), self.file(mode)
        self.addCleanup(gateway.kill)
        gateway.start()
        near, far = self.driven("near-" + mode, gateway__url=gateway.url), self.node("far-" + mode)
        gateway.order(mode, ["register_file_receiving"])
        begun = time.monotonic()
        self.assert_not_sent(far.send([path], near.contact))
        self.assertGreater(time.monotonic() - begun, self.PATIENCE_S - 0.1)
        harness.wait_until(lambda: near.sessions() == [], near.log)
        gateway.order("ok")
        harness.wait_until(lambda: far.send([path], near.contact).code == 0, near.log)

    def test_a_send_goes_unregistered_when_the_gateway_gives_no_id(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("fault", ["register_file_sending"])
        request = remote.control(near).send_file("", self.file(), self.address(far), "")
        self.assertEqual(self.gateway.wait("file_result")[0]["args"], [request, "finished", SIZE, None])
        self.assertEqual(self.gateway.calls("unregister_file_sending"), [])

    def test_what_faults_four_times_is_left_and_blocks_no_other(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("fault", ["unregister_file_receiving"], 4)
        self.assert_sent(far.send([self.file("first")], near.contact), 1)
        harness.wait_until(lambda: self.metrics(near)["gateway_undelivered"] == 1, near.log)
        self.assert_sent(far.send([self.file("second")], near.contact), 1)
        self.gateway.wait("unregister_file_receiving")
        self.assertEqual(len(near.received()), 2, "the file is kept")
        self.assertEqual(len(self.gateway.calls("unregister_file_receiving")), 5)
        near.wait_log("is dropped as undelivered")

    def test_a_report_waits_for_a_gateway_that_comes_back(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        first = harness.wait_until(lambda: self.gateway.calls("unregister_file_receiving"), "asked")[0]
        self.gateway.kill()
        near.wait_log("is unreachable")
        self.assertEqual(near.status()["gateway"]["waiting"], 1)
        self.assertIn("1 calls queued", near.command("status").out)
        self.gateway.start()
        told = self.gateway.wait("unregister_file_receiving")
        self.assertEqual(told[0]["args"], first["args"], "the same id")
        harness.wait_until(lambda: near.status()["gateway"]["waiting"] == 0, near.log)

    def test_a_report_survives_the_daemon(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        first = harness.wait_until(lambda: self.gateway.calls("unregister_file_receiving"), "asked")[0]
        near.kill()
        self.gateway.order("ok")
        near.spawn()
        self.wait_control(near)
        self.assertEqual(self.gateway.taken("unregister_file_receiving"), [], "whose id would it be?")
        self.connect(near)
        told = self.gateway.wait("unregister_file_receiving")
        self.assertEqual(told[0]["args"], first["args"])
        harness.wait_until(lambda: near.status().get("gateway", {}).get("waiting") == 0, near.log)
        near.kill()
        near.spawn()
        self.wait_control(near)
        self.connect(near)
        self.assertEqual(len(self.gateway.taken("unregister_file_receiving")), 1, "reported once")

    def test_a_new_instance_after_both_were_killed_gets_an_id_of_its_own(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        harness.wait_until(lambda: self.gateway.calls("unregister_file_receiving"), "asked")
        near.kill()
        self.gateway.kill()
        self.gateway.start()
        near.spawn()
        self.wait_control(near)
        remote.control(near).init(self.gateway.url, {"file_result": True})
        told, = self.gateway.wait("unregister_file_receiving")
        again = self.gateway.taken("register_file_receiving")[-1]
        self.assertEqual(told["args"][0], again["answer"])
        self.assertEqual(again["args"][3], near.received()[0])

    def test_calls_that_hang_hold_up_no_other(self):
        patience_s = round(harness.seconds(3))  # stretched: what is asked meanwhile has to be done within it
        near, far = self.driven(gateway__patience_s=patience_s), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file("f%d" % i, seed=i) for i in range(18)], near.contact), 18)
        harness.wait_until(lambda: len(self.gateway.calls("unregister_file_receiving")) >= 8, "hung")
        time.sleep(patience_s + 1)  # the hung ones come to their end and are repeated
        begun = time.monotonic()
        self.assert_sent(far.send([self.file()], near.contact), 1)
        self.assertLess(time.monotonic() - begun, patience_s - 1)

    def test_a_call_that_is_hung_up_on_holds_up_no_other(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang_up", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        near.wait_log("got no response and will be retried")
        for i in range(10):
            begun = time.monotonic()
            remote.control(near).send_file("", self.file(), self.address(far), "")
            self.gateway.wait("file_result", i + 1)
            self.assertLess(time.monotonic() - begun, harness.seconds(0.5))
        self.assertNotIn("is unreachable", near.log())

    def test_a_slow_gateway_fails_no_file_by_its_slowness(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("slow")
        self.assert_sent(far.send([self.file("f%d" % i, seed=i) for i in range(150)], near.contact), 150)

    def test_a_new_instance_is_told_of_what_an_old_one_had_registered(self):
        near, far = self.driven(), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.assert_sent(far.send([self.file()], near.contact), 1)
        old = harness.wait_until(lambda: self.gateway.calls("unregister_file_receiving"), "asked")[0]
        self.gateway.kill()
        self.gateway.start()
        self.gateway.order("hang", ["register_file_receiving"], 1)
        remote.control(near).init(self.gateway.url, {"file_result": True})
        harness.wait_until(lambda: len(self.gateway.calls("register_file_receiving")) == 2, "again")
        remote.control(near).init(self.gateway.url, {"file_result": True})
        self.gateway.wait("unregister_file_receiving")
        again = self.gateway.taken("register_file_receiving")[-1]
        self.assertEqual(again["args"][3], near.received()[0])
        told = self.gateway.taken("unregister_file_receiving")
        self.assertEqual([t["args"] for t in told],
                         [[again["answer"]] + old["args"][1:]], "with the new id, once")

    def test_at_the_bound_nothing_more_is_read_and_nothing_is_lost(self):
        near, far = self.driven(gateway__queue_limit=10).follow(), self.node("far")
        files = [self.file("f%d" % i, seed=i) for i in range(60)]
        self.gateway.order("hang", ["unregister_file_receiving"])
        job = self.job(far.send_job(files, near.contact))
        near.events.wait("file-received", 10)  # registrations that wait would be answered in a moment
        harness.wait_until(lambda: near.status()["gateway"]["waiting"] >= 10, near.log)
        status = near.status()["gateway"]
        self.assertEqual(status["queue_limit"], 10)
        # The bound and what was under way: 20 files in flight.
        self.assertLessEqual(status["waiting"], 30)
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            remote.control(near).send_file("", files[0], self.address(far), "")
        self.assertEqual(caught.exception.faultCode, 2)
        self.assertTrue(job.is_running())
        self.gateway.order("ok")
        self.gateway.kill()
        self.gateway.start()
        self.assert_sent(job.result(), 60)
        self.gateway.wait("unregister_file_receiving", 60)
        ids = [c["args"][0] for c in self.gateway.taken("unregister_file_receiving")]
        self.assertEqual(len(set(ids)), 60)

    def test_peers_that_hang_up_go_though_nothing_is_read(self):
        near, far = self.driven(gateway__queue_limit=10), self.node("far")
        self.gateway.order("hang", ["unregister_file_receiving"])
        self.job(far.send_job([self.file("f%d" % i, seed=i) for i in range(20)], near.contact))
        harness.wait_until(lambda: near.status()["gateway"]["waiting"] >= 10, near.log)
        sessions = [raw.Raw.greet(near.port) for _ in range(5)]
        for session in sessions:
            session.send(raw.data(5, 100, b"x"))
        harness.wait_until(lambda: len(near.sessions()) == 6, near.log)
        for session in sessions:
            session.close()
        harness.wait_until(lambda: len(near.sessions()) == 1, near.log)

    def test_two_hundred_transfers_outlive_all_that_a_gateway_can_do(self):
        near, far = self.driven(gateway__patience_s=30), self.node("far")
        control = remote.control(near)
        out = [self.file("out%d" % i, 2000 + i, seed=i) for i in range(100)]
        come = [self.file("in%d" % i, 3000 + i, seed=1000 + i) for i in range(100)]
        jobs, requests, at = [], [], 0
        for step, trouble in enumerate(("kill", "stop", "fault", "hang_up", "slow")):
            jobs.append(self.job(far.send_job(come[step * 20:step * 20 + 20], near.contact)))
            for path in out[step * 20:step * 20 + 20]:
                requests.append(control.send_file("", path, self.address(far), ""))
                at += 1
                if at % 20 == 5:
                    self._trouble(trouble)
        for job in jobs:
            self.assert_sent(job.result(), 20)
        self.gateway.wait("file_result", 100, limit=60)
        results = {}
        for call in self.gateway.taken("file_result"):
            results.setdefault(call["args"][0], set()).add(call["args"][1])
        self.assertEqual(sorted(results), sorted(requests), "a result for each, and no other")
        self.assertEqual(set().union(*results.values()), {"finished"})
        self.gateway.wait("unregister_file_receiving", 100, limit=60)
        registered = {c["answer"]: c["args"][3] for c in self.gateway.taken("register_file_receiving")}
        told = {registered[c["args"][0]]: c["args"][1]
                for c in self.gateway.taken("unregister_file_receiving")}
        self.assertEqual(sorted(told), sorted(near.received()), "each file's end is told")
        self.assertEqual(set(told.values()), {"finished"})
        self.assertEqual(near.received_sums(), sorted(map(harness.sha256, come)))
        self.assertEqual(far.received_sums(), sorted(map(harness.sha256, out)))
        harness.wait_until(lambda: near.status()["gateway"]["waiting"] == 0, near.log)

    def _trouble(self, what):
        if what == "kill":
            self.gateway.kill()
            self.gateway.start()
        elif what == "stop":
            self.gateway.signal(signal.SIGSTOP)
            time.sleep(0.5)
            self.gateway.signal(signal.SIGCONT)
        elif what == "fault":
            self.gateway.order("fault", None, 1)
        elif what == "hang_up":
            self.gateway.order("hang_up", None, 5)
        else:
            self.gateway.order("slow", None, 20)


if __name__ == "__main__":
    harness.main()
