"""What services need from the outside world, in the words of the domain."""
