"""Version 1 of the API, a file for each resource."""

from portal.web.api.v1 import courses, licenses, me, payments, transactions

RESOURCES = (courses.bp, payments.bp, transactions.bp, licenses.bp, me.bp)
