"""Draw a QR code."""

import io

import qrcode
import qrcode.image.svg


def draw_qr(code_url: str) -> str:
    """Draw a QR code as SVG: white ground, level M, four modules of quiet zone, no logo."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4, box_size=10)
    code.add_data(code_url)
    image = code.make_image(image_factory=qrcode.image.svg.SvgPathFillImage)
    out = io.BytesIO()
    image.save(out)
    return out.getvalue().decode()
