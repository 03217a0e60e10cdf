"""Models of devices that can be bought. Each is written from the device's manual, never from a profile or a driver."""
