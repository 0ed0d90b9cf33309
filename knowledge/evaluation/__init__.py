"""Measures finding, answering and abstaining on standard file formats."""
