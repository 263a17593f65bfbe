"""Calls send_file with a path at a control socket, as the current user; prints "id N" or the fault.

ask_to_send.py SOCKET PATH CONTACT"""
import http.client
import socket
import sys
import xmlrpc.client


class Transport(xmlrpc.client.Transport):
    def make_connection(self, host):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(sys.argv[1])
        return connection


proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=Transport(), allow_none=True)
try:
    print("id", proxy.send_file(None, sys.argv[2], sys.argv[3]))
except xmlrpc.client.Fault as fault:
    print(fault.faultString)
