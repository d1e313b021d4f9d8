"""TLS and proxies in front of a fake gateway: certificates made by openssl at the time of the test, a TLS end that hands
the bytes on, and tinyproxy as Debian has it."""
import os
import select
import socket
import ssl
import subprocess
import threading

from processes import free_port, port_is_free, wait_for


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """Gives certificates, in a folder of its own."""

    def __init__(self, directory, name):
        self.directory, self.name, self.count = os.path.join(directory, name), name, 0
        os.makedirs(self.directory)
        self.file, self.key = self._path("ca.pem"), self._path("ca.key")
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.file, "-days", "30",
                 "-subj", f"/CN={name}")

    def _path(self, file):
        return os.path.join(self.directory, file)

    def certificate(self, name, days=30, password=None):
        """(certificate, key) for that DNS name; days=-1: expired."""
        self.count += 1
        stem = self._path(f"{self.count}")
        secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        _openssl("req", "-newkey", "rsa:2048", *secret, "-keyout", f"{stem}.key", "-out", f"{stem}.csr", "-subj", f"/CN={name}")
        with open(f"{stem}.ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name}\n")
        _openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days",
                 str(days), "-extfile", f"{stem}.ext", "-out", f"{stem}.pem")
        return f"{stem}.pem", f"{stem}.key"


class TlsEnd:
    """Ends TLS on `port` and hands what came to `to` on this machine. `asks`: an Authority whose certificates a client
    must show. Counts connections, whole handshakes, and those through which a byte came."""

    def __init__(self, port, certificate, to, asks=None, version=None):
        self.to, self.connections, self.handshakes, self.spoken, self.versions = to, 0, 0, 0, set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        if version is not None:
            self.context.minimum_version = self.context.maximum_version = version
        if asks is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(asks.file)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as near, \
                    socket.create_connection(("127.0.0.1", self.to)) as far:
                self.handshakes += 1
                self.versions.add(near.version())
                self._pass_on(near, far)
        except OSError:
            connection.close()

    def _pass_on(self, near, far):
        spoken = False
        while True:
            readable = [near] if near.pending() else select.select([near, far], [], [])[0]
            for s in readable:
                s.settimeout(0)  # what came may be TLS's own, and no data
                try:
                    data = s.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                finally:
                    s.settimeout(None)
                if not data:
                    return
                if s is near and not spoken:
                    spoken = True
                    self.spoken += 1
                (far if s is near else near).sendall(data)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Proxy:
    """tinyproxy, with or without a user and password."""

    def __init__(self, directory, port=None, login=None):
        self.port = port or free_port()
        self.log = os.path.join(directory, f"tinyproxy-{self.port}.log")
        conf = os.path.join(directory, f"tinyproxy-{self.port}.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nLogLevel Connect\n"
                    f'LogFile "{self.log}"\n')
            if login:
                f.write(f"BasicAuth {login[0]} {login[1]}\n")
        self.process = subprocess.Popen(["tinyproxy", "-d", "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: not port_is_free(self.port), 20, "tinyproxy")

    def requests(self, method):
        """How many requests of that method it was asked."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read().count(f": {method} ")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
