"""The gateway process: everything that people and other systems touch. It knows control only through the link."""
