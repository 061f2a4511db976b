"""The timed figures of the project, each against a peer in the same run.

python -m tests.benchmarks [--quick] [--json FILE]
"""
