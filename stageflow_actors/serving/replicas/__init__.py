"""The door on Ray Serve: replicas in front, and keepers behind them that outlive them."""
