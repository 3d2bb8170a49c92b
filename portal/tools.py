"""What `create_app` makes once from the settings and services are handed: nothing is global."""

from dataclasses import dataclass

from portal.config import Settings
from portal.delivery.transport import Mailer
from portal.gateways.base import Gateway
from portal.licenses.key_ring import KeyRing
from portal.licenses.revocations import RevocationList
from portal.staff.seeds import SeedBox
from portal.switchboard.services import Board


@dataclass(frozen=True)
class Tools:
    """The portal's equipment."""

    settings: Settings
    gateways: dict[str, Gateway]
    key_ring: KeyRing
    mailer: Mailer
    revocations: RevocationList
    seeds: SeedBox
    board: Board

    def gateway(self, name: str) -> Gateway:
        """Return the gateway called `name`."""
        return self.gateways[name]
