"""Why a line does not connect: facts (looks at the edge), checks (pure), report."""
