"""What ``stageflow-actors doctor`` looks at, one module for each subject. None of it starts Ray."""
