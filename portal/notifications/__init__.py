"""What gateways tell: a genuine notification is kept as it came, and applied by the room it is about."""
