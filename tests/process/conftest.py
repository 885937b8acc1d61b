import os

# Tests that need root, or attack a master of root.
collect_ignore = (
    []
    if os.geteuid() == 0
    else [
        "master/test_guarded_process.py",
        "rundir/test_owner.py",
        "rundir/test_paths.py",
        "test_root_reads.py",
        "test_root_trust.py",
    ]
)
