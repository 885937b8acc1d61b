"""Certificates from an authority that speaks ACME, such as Let's Encrypt (RFC 8555).

`options` says what was asked for; `schedule`, `problems` and `renewalinfo` are pure: when to try,
what an answer means, what the authority suggests. `store` keeps files, `client` talks to the
authority, `job` does one attempt in a process of its own, and `keeper` starts that process when
its time has come. `answers` is what a serving process looks challenges up in.
"""
