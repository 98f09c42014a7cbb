"""What people look at: the page of targets. It only reads."""
