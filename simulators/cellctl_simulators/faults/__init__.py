"""What goes wrong on purpose: on the cable to a device, in what the device shows, in the device itself."""
