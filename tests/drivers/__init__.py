"""Tests of the drivers: against real servers, over real sockets and ptys."""
