"""What is deployed on Ray Serve out of a checkout: see README.md."""
