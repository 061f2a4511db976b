"""The command line: ``stageflow-actors run``, ``serve``, ``graph``, ``lint`` and ``doctor``."""
