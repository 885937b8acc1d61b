"""Certificates from an authority that speaks ACME, such as Let's Encrypt (RFC 8555).

`acme_options` has the options. `renewal_schedule`, `problems` and `renewalinfo` are pure: when to
try, what an answer means, what the authority suggests. `acme_store` keeps files, `acme_client`
talks to the authority, `acme_job` makes one attempt in a process of its own, and `keeper` starts
that process when it is time. A serving process answers challenges with `challenge_answers`.
"""
