"""`/admin`: what there is to do, and for whom."""

from flask import render_template

from portal.staff.permissions import Permission
from portal.web.admin.door import bp
from portal.web.staff import staff_may


@bp.get("")
@staff_may(Permission.ENTER)
def home() -> str:
    """Show what the reader may do."""
    return render_template("admin/home.html")
