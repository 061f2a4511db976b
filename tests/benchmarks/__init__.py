"""The timed figures of the project, each against a peer in the same run.

python -m tests.benchmarks [--quick] [--only NAME] [--json FILE] [--plots DIR]
                           [--baseline FILE [--save-baseline]]
"""
