"""Celery messages in files, for a host without Redis: kombu's transport with one fault mended.

Kombu opens a message's file under its final name and then writes it, so a reader in another process may find it
empty, which ends the worker. Here a message appears whole or not at all.
"""

import os
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

from portal.kit import ids

SCHEME = "portal-files"


class _Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # Readers take files by the end of their names, so they do not see the temporary one.
        name = f"{int(monotonic() * 1000)}_{ids.new_uuid()}"
        temporary = folder / f"{name}.part"
        temporary.write_text(dumps(payload), encoding="utf-8")  # type: ignore[no-untyped-call]
        os.replace(temporary, folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        try:
            return super()._get(queue)  # type: ignore[no-untyped-call]
        except ValueError:
            # Half a message left by a power cut: a lost tick is worth nothing.
            raise Empty from None


class FileTransport(filesystem.Transport):
    """`portal-files://`, known to kombu once this module is imported."""

    Channel = _Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:FileTransport"
