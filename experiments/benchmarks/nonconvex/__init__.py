"""Codes with MCP, CEL0 and l0 penalties."""
