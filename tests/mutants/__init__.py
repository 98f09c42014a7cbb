"""
Mutation testing: one small fault at a time in Python or SQL, and whether the tests that cover it notice.

`make mutants` runs it. `covering` is the plugin that finds which test covers which line and script, `python_faults` and
`sql_faults` plan the faults, `__main__` plants them in a copy of the project.
"""
