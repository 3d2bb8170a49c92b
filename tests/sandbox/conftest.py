"""One sandbox for all its tests, in this process and reset before each; a merchant and a shop for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.app import create_app
from sandbox.keys import write_settings
from sandbox.server import serve
from sandbox.world import World, build_world
from tests.sandbox.merchant import SandboxMerchant
from tests.sandbox.shop import SandboxShop


class RunningSandbox:
    """A sandbox that is being served."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def get(self, path: str, **query: Any) -> Any:
        """GET from the control API; must succeed."""
        answer = self._http.get(f"{self.url}/control{path}", params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **fields: Any) -> Any:
        """POST to the control API; must succeed."""
        answer = self.try_post(path, **fields)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def try_post(self, path: str, **fields: Any) -> requests.Response:
        """POST to the control API, whatever comes of it."""
        return self._http.post(f"{self.url}/control{path}", json=fields, timeout=30)

    def deliveries(self, out_trade_no: str) -> list[dict[str, Any]]:
        """The deliveries of an order's only notification."""
        (notification,) = self.get("/notifications", out_trade_no=out_trade_no)["notifications"]
        found: list[dict[str, Any]] = notification["deliveries"]
        return found


@pytest.fixture(scope="session")
def served_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    world = build_world(tmp_path_factory.mktemp("sandbox"))
    server = serve(create_app(world), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.server_port}"
    write_settings(world.keys, url)
    world.start()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield RunningSandbox(world, url)
    server.shutdown()
    server.server_close()
    world.close()


@pytest.fixture
def sandbox(served_sandbox: RunningSandbox) -> RunningSandbox:
    served_sandbox.post("/reset")
    return served_sandbox


@pytest.fixture(scope="session")
def two_merchants(served_sandbox: RunningSandbox) -> tuple[SandboxMerchant, SandboxMerchant]:
    """Both merchants, their keys read only once."""
    world = served_sandbox.world
    folders = world.keys.merchant.folder, world.keys.other_merchant.folder
    return SandboxMerchant(folders[0], world.clock.now), SandboxMerchant(folders[1], world.clock.now)


@pytest.fixture
def merchant(
    sandbox: RunningSandbox, two_merchants: tuple[SandboxMerchant, SandboxMerchant]
) -> SandboxMerchant:
    return two_merchants[0].without_certificates()


@pytest.fixture
def other_merchant(
    sandbox: RunningSandbox, two_merchants: tuple[SandboxMerchant, SandboxMerchant]
) -> SandboxMerchant:
    return two_merchants[1].without_certificates()


@pytest.fixture
def paid(sandbox: RunningSandbox, merchant: SandboxMerchant) -> Callable[..., str]:
    """Place an order and pay it; returns its number. No notification is sent."""

    def pay(**changes: Any) -> str:
        number, code_url = merchant.placed(**changes)
        sandbox.post("/pay", code_url=code_url, notify=False)
        return number

    return pay


@pytest.fixture
def shop() -> Iterator[SandboxShop]:
    shop = SandboxShop()
    yield shop
    shop.stop()


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Poll a condition until it is true; returns its value."""

    def wait(condition: Callable[[], Any], seconds: float = 5) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.005)
        return value

    return wait
