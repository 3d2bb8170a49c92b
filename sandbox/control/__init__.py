"""The control API under `/control`: for tests, never for a merchant. JSON in, JSON out.

Each file adds its routes to the one blueprint; `README.md` has them all in a table.
"""

from .blueprint import bp
from .books import state
from .build import build
from .complaints import complain
from .faults import order_fault
from .notifications import redeliver
from .payments import pay
from .refunds import settle
from .turns import clock

__all__ = ["bp", "build", "clock", "complain", "order_fault", "pay", "redeliver", "settle", "state"]
