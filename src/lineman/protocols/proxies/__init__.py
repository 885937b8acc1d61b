"""What proxies say of the client behind them: the PROXY protocol, `X-Forwarded-For`, pure."""
