"""What happens next: facts in, commands out. Pure."""
