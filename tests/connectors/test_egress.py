"""Guarded fetching: which addresses are refused, that the checked one is the one reached, and every limit."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from prefect_worklets.connectors.egress import MAX_REDIRECTS, Egress, embedded, refusal
from prefect_worklets.connectors.errors import BadInput, SetupError

PRIVATE_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32",
]
PRIVATE_V6 = [
    "::/96",
    "100::/64",
    "64:ff9b:1::/48",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.255.255", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


def addresses_in(networks: Sequence[str]) -> st.SearchStrategy[str]:
    return st.one_of([st.ip_addresses(network=network).map(str) for network in networks])


class TestAddresses:
    @given(addresses_in(PRIVATE_V4 + PRIVATE_V6))
    def test_every_private_one_is_refused(self, text: str) -> None:
        assert refusal(ipaddress.ip_address(text))

    @given(
        addresses_in(PRIVATE_V4), st.sampled_from(["::ffff:{}", "64:ff9b::{}", "2002:{hex}::1", "2002:{hex}:5:6::7"])
    )
    def test_also_inside_an_ipv6_address(self, text: str, form: str) -> None:
        number = f"{int(ipaddress.IPv4Address(text)):08x}"
        wrapped = ipaddress.ip_address(form.format(text, hex=f"{number[:4]}:{number[4:]}"))
        assert embedded(wrapped) == ipaddress.ip_address(text)
        assert refusal(wrapped)

    @given(st.ip_addresses(v=4))
    def test_a_wrapped_one_is_judged_as_the_one_inside(self, address: ipaddress.IPv4Address) -> None:
        for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
            assert refusal(ipaddress.ip_address(form)) == refusal(address)

    @given(st.ip_addresses(v=6))
    def test_outside_the_global_range_all_are_refused(self, address: ipaddress.IPv6Address) -> None:
        if address not in ipaddress.ip_network("2000::/3") and embedded(address) == address:
            assert refusal(address)

    @pytest.mark.parametrize("text", PUBLIC)
    def test_public_ones_pass(self, text: str) -> None:
        assert refusal(ipaddress.ip_address(text)) is None

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("127.0.0.1", "a loopback address"),
            ("::1", "a loopback address"),
            ("169.254.169.254", "a link-local address"),
            ("10.1.2.3", "a private address"),
            ("239.1.1.1", "a multicast address"),
            ("100.100.100.200", "a reserved address"),
        ],
    )
    def test_says_of_which_kind(self, text: str, why: str) -> None:
        assert refusal(ipaddress.ip_address(text)) == why


class Resolver:
    """Answers names from a table; the answers of one name may change from question to question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class TestResolvedNames:
    @pytest.mark.parametrize(
        "bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"]
    )
    async def test_one_private_address_of_several_is_enough(self, bad: str) -> None:
        egress = Egress(resolve=Resolver(["1.1.1.1", bad]))
        with pytest.raises(BadInput, match=r"^pictures\.example is not fetched: it is a ") as raised:
            await egress.get("http://pictures.example/x")
        assert bad not in str(raised.value)  # which address it has here is no business of theirs

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "[::1]",
            "[::ffff:7f00:1]",
            "127.0.0.1.",
            "[::]",
        ],
    )
    async def test_every_way_to_write_this_machine(self, host: str) -> None:
        with pytest.raises(BadInput, match=r"(is not fetched: it is|is no known host|not a valid URL)"):
            await Egress().get(f"http://{host}/")

    async def test_a_name_that_changes_its_mind_gains_nothing(self, server: Server) -> None:
        resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
        egress = Egress(allow_private=["127.0.0.0/8"], ports=[server.port], resolve=resolver)
        assert (await egress.get(f"http://pictures.example:{server.port}/ok")).content == b"content"
        assert resolver.asked == 1

    async def test_no_address(self) -> None:
        with pytest.raises(BadInput, match=r"nowhere\.invalid is no known host"):
            await Egress(resolve=Resolver([])).get("http://nowhere.invalid/")

    async def test_an_address_that_does_not_answer_is_followed_by_the_next(self, server: Server) -> None:
        resolver = Resolver(["127.0.0.2", "127.0.0.1"])
        egress = Egress(allow_private=["127.0.0.0/8"], ports=[server.port], resolve=resolver)
        assert (await egress.get(f"http://pictures.example:{server.port}/ok")).content == b"content"


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("ftp://a.example/x", "only http:// and https://"),
            ("file:///etc/passwd", "only http:// and https://"),
            ("gopher://a.example", "only http:// and https://"),
            ("//a.example/x", "only http:// and https://"),
            ("http:///x", "only http:// and https://"),
            ("", "only http:// and https://"),
            ("http://user:pass@a.example/", "user name or password"),
            ("http://a.example:22/", "port 22 may not be reached, only 80, 443, 8080, 8443"),
            ("https://a.example:6379/", "port 6379"),
            ("http://a.example:99999/", "port 99999"),
            ("http://a.example:0/", "port 0"),
            ("http://[::1/", "not a valid URL"),
            ("http://a.example/\r\nHost: b", "not a valid URL"),
        ],
    )
    async def test_refused(self, url: str, message: str) -> None:
        with pytest.raises(BadInput) as raised:
            await Egress(resolve=Resolver(["1.1.1.1"])).get(url)
        assert message in str(raised.value)
        assert "pass" not in str(raised.value).replace("password", "").replace("passwd", "")


class Server:
    """A server that answers each path in its own way."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.finished: list[str] = []
        self.answers: dict[str, bytes] = {"/ok": answer(200, b"content", "content-type: image/png")}

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self.server = await asyncio.start_server(self.handle, "127.0.0.1", 0, ssl=tls)
        self.port: int = self.server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = request.split()[1]
        self.requests.append(request)
        try:
            if path == "/endless":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while not writer.is_closing():
                    writer.write(b"x" * 10_000)
                    await writer.drain()
            elif path == "/trickle":
                for byte in b"HTTP/1.1 200 OK\r\n" + b"x-y: z\r\n" * 1000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.02)
            else:
                writer.write(self.answers.get(path, answer(404, b"")))
                await writer.drain()
            self.finished.append(path)
        except OSError:
            return
        finally:
            writer.close()


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    server.server.close()


@pytest.fixture
def egress(server: Server) -> Egress:
    return Egress(max_bytes=1000, timeout=5, allow_private=[f"127.0.0.1:{server.port}"])


class TestGet:
    async def test_content_type_and_address(self, egress: Egress, server: Server) -> None:
        fetched = await egress.get(f"{server.url}/ok")
        assert (fetched.content, fetched.content_type, fetched.url) == (b"content", "image/png", f"{server.url}/ok")

    async def test_sends_nothing_about_us(
        self, egress: Egress, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        await egress.get(f"{server.url}/ok")
        names = [line.partition(":")[0].lower() for line in server.requests[0].splitlines()[1:] if line]
        assert sorted(names) == ["accept", "accept-encoding", "connection", "host", "user-agent"]

    async def test_query_and_host_arrive_as_given(self, egress: Egress, server: Server) -> None:
        server.answers["/a%20b?x=1&y=%C3%A9"] = answer(200, b"found")
        assert (await egress.get(f"{server.url}/a b?x=1&y=é#part")).content == b"found"
        assert f"Host: 127.0.0.1:{server.port}\r\n" in server.requests[0]

    async def test_redirects_are_followed(self, egress: Egress, server: Server) -> None:
        server.answers["/a/b"] = answer(302, b"", "location: ../c")
        server.answers["/c"] = answer(307, b"", f"location: {server.url}/ok")
        fetched = await egress.get(f"{server.url}/a/b")
        assert (fetched.content, fetched.url) == (b"content", f"{server.url}/ok")

    @pytest.mark.parametrize(
        ("location", "message"),
        [
            ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is not fetched: it is a link-local"),
            ("http://127.0.0.1:1/", "127.0.0.1 redirects to '127.0.0.1': port 1 may not"),
            ("http://localhost/", "localhost is not fetched: it is a loopback"),
            ("file:///etc/passwd", "only http:// and https://"),
            ("//10.0.0.1/x", "10.0.0.1 is not fetched: it is a private"),
            ("http://u:p@127.0.0.1/", "user name or password"),
        ],
    )
    async def test_each_redirect_is_checked(self, egress: Egress, server: Server, location: str, message: str) -> None:
        server.answers["/go"] = answer(302, b"", f"location: {location}")
        with pytest.raises(BadInput) as raised:
            await egress.get(f"{server.url}/go")
        assert message in str(raised.value)
        assert len(server.requests) == 1

    async def test_redirects_end(self, egress: Egress, server: Server) -> None:
        server.answers["/loop"] = answer(301, b"", "location: /loop")
        with pytest.raises(BadInput, match=f"more than {MAX_REDIRECTS} times"):
            await egress.get(f"{server.url}/loop")
        assert len(server.requests) == MAX_REDIRECTS + 1

    @pytest.mark.parametrize("status", [204, 304, 400, 404, 500, 503])
    async def test_an_answer_without_content(self, egress: Egress, server: Server, status: int) -> None:
        server.answers["/x"] = f"HTTP/1.1 {status} X\r\n\r\n".encode()
        if status == 204:
            assert (await egress.get(f"{server.url}/x")).content == b""
        else:
            with pytest.raises(BadInput, match=rf"127\.0\.0\.1 answered {status} for /x"):
                await egress.get(f"{server.url}/x")

    @pytest.mark.parametrize("sent", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"])
    async def test_a_broken_answer(self, egress: Egress, server: Server, sent: bytes) -> None:
        server.answers["/x"] = sent
        with pytest.raises(BadInput, match=r"127\.0\.0\.1 could not be read"):
            await egress.get(f"{server.url}/x")

    async def test_nobody_listens(self) -> None:
        egress = Egress(allow_private=["127.0.0.1:1"])
        with pytest.raises(BadInput, match=r"127\.0\.0\.1 does not answer on port 1"):
            await egress.get("http://127.0.0.1:1/")


class TestLimits:
    async def test_announced(self, egress: Egress, server: Server) -> None:
        server.answers["/big"] = answer(200, b"x" * 1001)
        server.answers["/fits"] = answer(200, b"x" * 1000)
        assert len((await egress.get(f"{server.url}/fits")).content) == 1000
        with pytest.raises(BadInput, match=r"127\.0\.0\.1 sent more than the 1,000 bytes"):
            await egress.get(f"{server.url}/big")

    async def test_while_it_streams(self, egress: Egress, server: Server) -> None:
        with pytest.raises(BadInput, match="1,000 bytes"):
            await egress.get(f"{server.url}/endless")
        assert "/endless" not in server.finished

    async def test_a_packed_answer_is_not_unpacked(self, egress: Egress, server: Server) -> None:
        server.answers["/x"] = answer(200, b"\x1f\x8b", "content-encoding: gzip")
        with pytest.raises(BadInput, match=r"compressed \(gzip\)"):
            await egress.get(f"{server.url}/x")

    async def test_time_of_everything_together(self, server: Server) -> None:
        egress = Egress(timeout=0.3, allow_private=[f"127.0.0.1:{server.port}"])
        begun = time.monotonic()
        with pytest.raises(BadInput, match=r"127\.0\.0\.1 took longer than 0\.3 seconds"):
            await egress.get(f"{server.url}/trickle")
        assert time.monotonic() - begun < 2


class TestAllowed:
    @pytest.mark.parametrize(
        "entry", ["", "intranet", "intranet:", ":80", "intranet:x", "intranet:0", "10.0.0.0/99", "a/b:80"]
    )
    def test_a_wrong_entry_is_told(self, entry: str) -> None:
        with pytest.raises(SetupError, match="write a network") as raised:
            Egress(allow_private=[entry])
        assert repr(entry) in str(raised.value)

    async def test_a_host_is_allowed_with_its_port_only(self, server: Server) -> None:
        resolver = Resolver(["127.0.0.1"])
        egress = Egress(allow_private=[f"Intranet.example:{server.port}"], resolve=resolver)
        assert (await egress.get(f"http://intranet.example:{server.port}/ok")).content == b"content"
        for refused in ("http://intranet.example/", f"http://other.example:{server.port}/"):
            with pytest.raises(BadInput):
                await egress.get(refused)

    async def test_a_network_is_allowed_and_no_other(self, server: Server) -> None:
        egress = Egress(allow_private=["127.0.0.1"], ports=[server.port])
        assert (await egress.get(f"{server.url}/ok")).content == b"content"
        for refused in ("127.0.0.2", "10.0.0.1"):
            with pytest.raises(BadInput, match="is not fetched"):
                await egress.get(f"http://{refused}:{server.port}/")


class TestTls:
    async def test_the_certificate_is_checked_against_the_name(self, tmp_path: Path) -> None:
        authority, serving = certificate("pictures.example", tmp_path)
        server = Server()
        await server.start(serving)
        entries = [f"{host}:{server.port}" for host in ("pictures.example", "other.example")]
        egress = Egress(allow_private=entries, tls=authority, resolve=Resolver(["127.0.0.1"]))
        assert (await egress.get(f"https://pictures.example:{server.port}/ok")).content == b"content"
        with pytest.raises(BadInput, match=r"other\.example could not be read: .*certificate"):
            await egress.get(f"https://other.example:{server.port}/ok")
        trusting_the_public = Egress(allow_private=entries, resolve=Resolver(["127.0.0.1"]))
        with pytest.raises(BadInput, match="certificate"):
            await trusting_the_public.get(f"https://pictures.example:{server.port}/ok")
        server.server.close()


def certificate(host: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A self-signed certificate for `host`: who trusts it, and who serves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    moment = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(hours=1))
        .not_valid_after(moment + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + secret)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    return ssl.create_default_context(cadata=pem.decode()), serving
