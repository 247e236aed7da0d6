"""A git server for tests: real ssh, real TLS, real packs (made by `git upload-pack`), and nothing but reading.

    git-server REPOSITORY FOLDER

Makes every key anew, writes FOLDER, says `ready` on standard output, and serves until standard input ends:

    ssh_url, http_url, https_url    of the one repository
    key, other_key                  private keys without passphrase (Ed25519, OpenSSH's format); ssh takes only the first
    known_hosts                     the host key of ssh
    token                           what http and https ask for as the password of any user
    certificate.pem                 of https: for 127.0.0.1, signed by itself
    users                           a line for each ssh login and each accepted http user
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import secrets
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncssh
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
PATH = "/team/deploy.git"  # the address is not a path of this machine


def main() -> None:
    repository, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(24)
    write(folder / "token", f"{token}\n")
    for scheme, context in (("http", None), ("https", tls(folder))):
        port = serve_http(repository, folder, token, context)
        write(folder / f"{scheme}_url", f"{scheme}://{HOST}:{port}{PATH}")
    asyncio.run(serve_ssh(repository, folder))


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def note_user(folder: Path, user: str) -> None:
    with (folder / "users").open("a") as users:
        users.write(f"{user}\n")


# ssh


async def serve_ssh(repository: Path, folder: Path) -> None:
    host_key, key, other_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    for name, private in (("key", key), ("other_key", other_key)):
        write(folder / name, private.export_private_key().decode())

    async def answer(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = (process.command or "").split(" ", 1)
        if command != ["git-upload-pack", f"'{PATH}'"]:
            process.stderr.write(b"only git-upload-pack of the one repository is served\n")
            return process.exit(1)
        note_user(folder, process.get_extra_info("username"))
        pack = await asyncio.create_subprocess_exec(
            *("git", "upload-pack", "--strict", str(repository)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await process.redirect(stdin=pack.stdin, stdout=pack.stdout, stderr=pack.stderr)
        process.exit(await pack.wait())

    listener = await asyncssh.listen(
        HOST,
        0,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(key.export_public_key().decode()),
        process_factory=answer,
        encoding=None,
    )
    port = listener.get_port()
    public = host_key.export_public_key().decode().split()
    write(folder / "known_hosts", f"[{HOST}]:{port} {public[0]} {public[1]}\n")
    write(folder / "ssh_url", f"ssh://git@{HOST}:{port}{PATH}")
    print("ready", flush=True)
    # A thread of its own: it must not keep the process alive when the loop is interrupted.
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()


# http and https (git's "smart" protocol, as in gitprotocol-http)


def serve_http(repository: Path, folder: Path, token: str, context: ssl.SSLContext | None) -> int:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if not self.may_read():
                return
            if url.path != f"{PATH}/info/refs" or parse_qs(url.query).get("service") != ["git-upload-pack"]:
                return self.answer(404, "text/plain", b"not found\n")
            head = b"001e# service=git-upload-pack\n0000"
            self.answer(200, "application/x-git-upload-pack-advertisement", head + self.git("--advertise-refs"))

        def do_POST(self) -> None:
            request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.may_read():
                return
            if self.path != f"{PATH}/git-upload-pack":
                return self.answer(404, "text/plain", b"not found\n")
            self.answer(200, "application/x-git-upload-pack-result", self.git(request=request))

        def may_read(self) -> bool:
            scheme, _, given = self.headers.get("Authorization", "").partition(" ")
            user, _, password = base64.b64decode(given).decode().partition(":") if scheme == "Basic" else ("", "", "")
            if secrets.compare_digest(password, token):
                note_user(folder, user)
                return True
            self.answer(401, "text/plain", b"who are you?\n", {"WWW-Authenticate": 'Basic realm="git"'})
            return False

        def git(self, *options: str, request: bytes = b"") -> bytes:
            command = ["git", "upload-pack", "--strict", "--stateless-rpc", *options, str(repository)]
            return subprocess.run(command, input=request, stdout=subprocess.PIPE, check=False).stdout

        def answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that refuse the certificate hang up

    server = Server((HOST, 0), Handler)
    if context is not None:
        # The handshake is made by the thread of the connection, at its first read.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def tls(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "git server of the tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    write(folder / "certificate.key", private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "certificate.key")
    return context


if __name__ == "__main__":
    main()
