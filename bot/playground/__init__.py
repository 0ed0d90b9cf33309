"""A local Slack: one workspace in memory, real protocols, a web page (docs/playground.md)."""
