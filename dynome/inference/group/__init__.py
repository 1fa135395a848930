"""What several sessions and animals say together: units matched across sessions, tests with animals as the units."""
