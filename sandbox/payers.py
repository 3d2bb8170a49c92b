"""The two WeChat users who own the sandbox's phones."""

PAYERS = {"oSandboxMing000000000000000A": "小明 Ming", "oSandboxHong000000000000000B": "小红 Hong"}
USUAL_PAYER = next(iter(PAYERS))
