"""Small named tools, one a file, that know nothing of the portal."""
