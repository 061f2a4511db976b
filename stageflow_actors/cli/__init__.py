"""The command line: ``stageflow-actors run``, ``graph``, ``lint`` and ``doctor``."""
